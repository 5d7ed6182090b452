"""PyTorch to float32 TFLite with litert-torch; run in its own environment.

python -m benchmarks.peers.litert_torch_convert OUT.tflite MODEL [--weights W] [--input 1x3x224x224]
"""

import litert_torch
import torch

from benchmarks.peers.loading import loaded


def main() -> None:
    out, network = loaded()
    example = torch.zeros(network.origin.input)
    litert_torch.convert(network.module, (example,)).export(out)


if __name__ == "__main__":
    main()

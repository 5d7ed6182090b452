"""PyTorch to float32 TFLite with litert-torch; run in its own environment.

python -m benchmarks.peers.litert_torch_convert OUT.tflite MODEL [WEIGHTS]
"""

import sys

import litert_torch
import torch

from edgezoo.models.resolve import load_model


def main() -> None:
    out, name, *weights = sys.argv[1:]
    shape = (1, 3, 224, 224) if ":" in name else None
    loaded = load_model(name, weights=weights[0] if weights else None, input=shape)
    example = torch.zeros(loaded.origin.input)
    litert_torch.convert(loaded.module, (example,)).export(out)


if __name__ == "__main__":
    main()

"""PyTorch to float32 TFLite with litert-torch; run in its own environment.

python -m benchmarks.peers.litert_torch_convert MODEL WEIGHTS OUT.tflite
"""

import sys

import litert_torch
import torch

from edgezoo.models.resolve import load_model


def main() -> None:
    name, weights, out = sys.argv[1:]
    loaded = load_model(name, weights=weights)
    example = torch.zeros(loaded.origin.input)
    litert_torch.convert(loaded.module, (example,)).export(out)


if __name__ == "__main__":
    main()

"""PyTorch to float32 TFLite through torch's ONNX exporter and onnx2tf; run in its own environment.

python -m benchmarks.peers.onnx2tf_convert OUT.tflite MODEL [--weights W] [--input 1x3x224x224]
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers.loading import loaded

# onnx2tf downloads this file where it is not in the working folder, and dies without a network
SAMPLES = "calibration_image_sample_data_20x128x128x3_float32.npy"


def main() -> None:
    out, network = loaded()
    # onnx2tf simplifies the model with a command of its environment, or goes on without
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    target = Path(out).resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        np.save(SAMPLES, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
        example = torch.zeros(network.origin.input)
        torch.onnx.export(network.module, (example,), "model.onnx", dynamo=True, verbose=False)
        import onnx2tf

        onnx2tf.convert("model.onnx", output_folder_path="saved", non_verbose=True)
        shutil.move("saved/model_float32.tflite", target)


if __name__ == "__main__":
    main()

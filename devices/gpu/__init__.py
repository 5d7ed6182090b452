"""Reference runs: networks in PyTorch and ONNX files on an NVIDIA GPU.

What runs in the measuring process imports torch; everything else here does not. The same code
measures on the CPU under the name ``torch-cpu``, which is how it is tested without a GPU; those
numbers are of the provenance ``host``.
"""

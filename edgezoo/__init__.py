"""edgezoo: image networks from PyTorch to phones."""

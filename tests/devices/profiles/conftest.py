"""Small networks of the zoo as files, made once: with and without squeeze and excitation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgezoo

NETWORKS = ("shufflenet_v1_g3_x0_25", "efficientnet_lite0")
SIDE = 64


@pytest.fixture(scope="session")
def zoo_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """TFLite and ONNX, float and int8, of two networks at 64 pixels."""
    folder = tmp_path_factory.mktemp("profiled")
    photos = folder / "photos"
    photos.mkdir()
    generator = np.random.default_rng(0)
    for number in range(8):
        pixels = generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    made: list[Path] = []
    for name in NETWORKS:
        wanted = {"to": ("tflite", "onnx"), "out": folder, "input": (1, 3, SIDE, SIDE)}
        floats = edgezoo.convert(name, weights="random", **wanted)  # type: ignore[arg-type]
        made += [artifact.path for artifact in floats.artifacts]
    integers = edgezoo.quantize(NETWORKS[0], weights="random", samples=photos, **wanted)  # type: ignore[arg-type]
    return (*made, *(artifact.path for artifact in integers.artifacts))

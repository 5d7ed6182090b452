from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.models.loopback import Loopback


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


@pytest.fixture(scope="session")
def torchvision(timm: ModuleType) -> ModuleType:
    """torchvision, which timm's fixture makes importable."""
    import torchvision

    assert isinstance(torchvision, ModuleType)
    return torchvision


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty download cache; no proxy stands before this machine."""
    monkeypatch.setenv("EDGEZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache"


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A web server on this machine that can misbehave."""
    with Loopback() as loopback:
        yield loopback

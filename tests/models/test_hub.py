"""The Hugging Face hub, played by a server on this machine."""

import hashlib
import random
from pathlib import Path

import pytest

from edgezoo.errors import WeightsError
from edgezoo.models.hub import fetch_from_hub
from tests.models.loopback import Loopback

pytest.importorskip("huggingface_hub", reason="pip install huggingface_hub")

REPOSITORY = "timm/efficientnet_b0.ra_in1k"
CONTENT = random.Random(1).randbytes(50_000)


@pytest.fixture
def hub(server: Loopback, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    for revision in ("main", "a" * 40):
        server.files[f"/{REPOSITORY}/resolve/{revision}/model.safetensors"] = CONTENT
    return server


def test_downloaded_once(hub: Loopback, cache: Path) -> None:
    path = fetch_from_hub(REPOSITORY, print)
    assert path == cache / "hub" / REPOSITORY / "model.safetensors"
    assert path.read_bytes() == CONTENT
    assert path.with_name(path.name + ".sha256").read_text().split() == [
        hashlib.sha256(CONTENT).hexdigest()
    ]
    assert len(list(path.parent.iterdir())) == 2
    hub.asked.clear()
    assert fetch_from_hub(REPOSITORY, print) == path
    assert hub.asked == []
    path.write_bytes(b"changed")
    with pytest.raises(WeightsError, match="has changed"):
        fetch_from_hub(REPOSITORY, print)


def test_a_cut_connection_is_gone_on_with(hub: Loopback) -> None:
    large = bytes(12_000_000)  # the library writes pieces of 10 MiB
    hub.files = dict.fromkeys(hub.files, large)
    hub.faults = [11_000_000]
    told: list[str] = []
    assert fetch_from_hub(REPOSITORY, told.append).read_bytes() == large
    assert told[-1].endswith("from the Hugging Face hub: 10.5 of 12.0 MB")
    first, second = (asked for path, asked in hub.asked if path in hub.files)
    assert first is None
    assert second == f"bytes={10 << 20}-"


def test_other_content_than_announced(hub: Loopback, cache: Path) -> None:
    hub.etag = "0" * 64
    with pytest.raises(WeightsError, match=f"{REPOSITORY} has the SHA-256 .* where 0000"):
        fetch_from_hub(REPOSITORY, print)
    assert list((cache / "hub" / REPOSITORY).iterdir()) == []


def test_no_such_repository(hub: Loopback) -> None:
    with pytest.raises(WeightsError, match=r"timm/other cannot be downloaded .*404"):
        fetch_from_hub("timm/other", print)


def test_no_network(hub: Loopback) -> None:
    hub.stop()
    hub.stop = lambda: None  # type: ignore[method-assign]  # it is closed already
    with pytest.raises(WeightsError, match=r"refused.*connect to the network.*--weights FILE"):
        fetch_from_hub(REPOSITORY, print)

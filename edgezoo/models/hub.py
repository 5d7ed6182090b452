"""Weights from the Hugging Face hub, kept in the same cache as every other download."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from edgezoo.cache import cache_folder
from edgezoo.errors import WeightsError
from edgezoo.models.downloads import Progress, checked, file_sha256, keep

FILE = "model.safetensors"
TIMEOUT_S = 10.0  # for the answer to the first question


def fetch_from_hub(repository: str, progress: Progress) -> Path:
    """Return the ``model.safetensors`` of ``repository`` ("timm/…"), downloaded at the first use.

    ``HF_ENDPOINT`` names another hub. Raises ``WeightsError`` saying what failed: the library is not
    installed, no network, no such repository, other content than the hub announced.
    """
    path = cache_folder() / "hub" / repository / FILE
    if path.is_file():
        return checked(path)
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as error:
        raise WeightsError(
            f"the weights {repository} are on the Hugging Face hub and its library is not installed; "
            "run `pip install 'edgezoo[hub]'`"
        ) from error
    progress(f"downloading {repository} from the Hugging Face hub")
    incoming = path.parent / "incoming"
    downloaded, announced = _download(repository, incoming, progress)
    sha256 = file_sha256(downloaded)
    # Git LFS, which holds all large files of the hub, calls a file by its SHA-256.
    if re.fullmatch(r"[0-9a-f]{64}", announced or "") and announced != sha256:
        shutil.rmtree(incoming)
        raise WeightsError(
            f"what the hub sent of {repository} has the SHA-256 {sha256[:16]}… where "
            f"{str(announced)[:16]}… was announced; run again"
        )
    keep(downloaded, path, sha256)
    shutil.rmtree(incoming)
    return path


def _download(repository: str, folder: Path, progress: Progress) -> tuple[Path, str | None]:
    """Download into ``folder``, going on from what an earlier try left; return file and ETag."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of its HTTP library

    endpoint = os.environ.get("HF_ENDPOINT")  # the library itself reads it only when imported
    try:
        url = hf_hub_url(repository, FILE, endpoint=endpoint)
        # Asked alone this fails at once without a network; the download would try for half a minute.
        told = get_hf_file_metadata(url, token=False, timeout=TIMEOUT_S)
        downloaded = hf_hub_download(
            repository,
            FILE,
            revision=told.commit_hash,
            local_dir=folder,
            endpoint=endpoint,
            token=False,
            tqdm_class=_bar(repository, progress),
        )
    except (HTTPError, OSError) as error:
        reason = " ".join(str(error.__cause__ or error).split())[:160]
        raise WeightsError(
            f"{repository} cannot be downloaded from the Hugging Face hub ({reason or repr(error)}); "
            "connect to the network and run again, or give a file with --weights FILE"
        ) from error
    return Path(downloaded), told.etag


def _bar(repository: str, progress: Progress) -> Any:  # Any: tqdm has no types
    """Return a tqdm class that tells ``progress`` each tenth and draws nothing."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]  # a class of type Any
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            settings.pop("name", None)
            super().__init__(*arguments, **{**settings, "disable": True})
            self.bytes_total = settings.get("total") or 0
            self.have = self.shown = settings.get("initial") or 0

        def update(self, n: float | None = 1) -> None:
            self.have += n or 0
            if self.shown + self.bytes_total / 10 < self.have < self.bytes_total:
                self.shown = self.have
                done = f"{self.have / 1e6:.1f} of {self.bytes_total / 1e6:.1f} MB"
                progress(f"downloading {repository} from the Hugging Face hub: {done}")

    return Bar

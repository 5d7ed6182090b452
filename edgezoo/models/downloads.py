"""Files from the web, once: a cache that keeps each file's SHA-256 and checks it at every use.

A download that breaks leaves what arrived in ``NAME.part`` and goes on from there, in the same run
or the next. The folder is that of ``edgezoo.cache``.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edgezoo.errors import WeightsError

Progress = Callable[[str], None]

TIMEOUT_S = 30.0  # without a byte from the server
WAITS_S = (0.5, 2.0, 4.0)  # before each further try
CHUNK_BYTES = 1 << 20
PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers that may differ at the next try
RANGE_REFUSED = 416
# What a connection that breaks or never comes about was seen to raise.
BROKEN = (urllib.error.URLError, http.client.HTTPException, OSError)


def fetch(url: str, path: Path, sha256_prefix: str, progress: Progress) -> Path:
    """Return ``path``, downloaded from ``url`` where it is not there yet.

    ``sha256_prefix`` is how the file's SHA-256 starts, as PyTorch's file names tell it. Raises
    ``WeightsError`` saying what failed: no network, no such file, other content, a changed cache.
    """
    if path.is_file():
        return checked(path)
    with _writing(path), _locked(path.with_name(path.name + ".part")) as part:
        if path.is_file():  # another process was faster
            return checked(path)
        for fresh in (False, True):
            if fresh:
                part.truncate(0)
            kept = part.seek(0, os.SEEK_END)
            _download(url, part, progress)
            sha256 = _sha256(part)
            if sha256.startswith(sha256_prefix):
                keep(Path(part.name), path, sha256)
                return path
            if not kept:
                break  # what came in one piece will not be another the next time
        part.truncate(0)
        raise WeightsError(
            f"what {url} sent has the SHA-256 {sha256[:16]}… where {sha256_prefix}… is expected, "
            "so it is another file; look for a proxy in between, or give a file with --weights FILE"
        )


def checked(path: Path) -> Path:
    """Return ``path`` if the file still has the SHA-256 that was kept when it was downloaded.

    Raises ``WeightsError`` saying what to remove.
    """
    record = path.with_name(path.name + ".sha256")
    with _writing(path), path.open("rb") as file:
        sha256 = _sha256(file)
        known = record.read_text().strip() if record.is_file() else "nothing"
    if sha256 != known:
        raise WeightsError(
            f"the downloaded file {path} has changed: its SHA-256 is {sha256[:16]}… where "
            f"{known[:16]} was kept; remove it and run again"
        )
    return path


def keep(downloaded: Path, path: Path, sha256: str) -> None:
    """Move a complete file to its place in the cache, its SHA-256 beside it first."""
    record = path.with_name(path.name + ".sha256")
    draft = record.with_name(record.name + ".new")
    draft.write_text(sha256 + "\n")
    os.replace(draft, record)
    os.replace(downloaded, path)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return _sha256(file)


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say where the cache is if it cannot be used."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise WeightsError(
            f"the download cache {path.parent} cannot be used ({error.strerror or error}); "
            "set EDGEZOO_CACHE to another folder"
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """Open ``path`` to read and append, for one process at a time; another one waits."""
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield file
        finally:
            file.flush()
            if path.is_file() and path.stat().st_size == 0:
                path.unlink()


# ------------------------------------------------------------------------- one download


def _download(url: str, part: IO[bytes], progress: Progress) -> None:
    """Append to ``part`` what is missing of ``url``; try again a few times where it breaks."""
    progress(f"downloading {url}")
    for wait_s in (*WAITS_S, None):
        try:
            _receive(url, part, progress)
            return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == RANGE_REFUSED:  # all of it is here, or more than there is
                return
            failure: Exception = error
            if error.code not in PASSING:
                break
        except BROKEN as error:
            failure = error
            if isinstance(getattr(error, "reason", None), ConnectionRefusedError):
                break
        if wait_s is not None:
            time.sleep(wait_s)
    part.flush()
    have_mb = part.seek(0, os.SEEK_END) / 1e6
    rest = f"the {have_mb:.1f} MB that arrived are kept" if have_mb else "nothing arrived"
    raise WeightsError(
        f"{url} cannot be downloaded ({_reason(failure)}; {rest}); "
        "connect to the network and run again, or give a file with --weights FILE"
    ) from failure


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__


def _receive(url: str, part: IO[bytes], progress: Progress) -> None:
    """Ask for the bytes that ``part`` does not hold and append them.

    A server that knows no ranges sends everything, which then replaces what was there.
    """
    have = part.seek(0, os.SEEK_END)
    headers = {"User-Agent": "edgezoo", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        start, total = _range_of(response)
        if start != have:
            part.truncate(start)
            have = part.seek(0, os.SEEK_END)
        if start > have:
            raise http.client.HTTPException(f"the server sent byte {start} after byte {have}")
        shown = have
        while chunk := response.read(CHUNK_BYTES):
            part.write(chunk)
            have += len(chunk)
            if total and shown + total // 10 < have < total:
                progress(f"downloading {url}: {have / 1e6:.1f} of {total / 1e6:.1f} MB")
                shown = have
        part.flush()
        if total and have < total:
            raise http.client.IncompleteRead(b"", total - have)


def _range_of(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Return the first byte that an answer holds and the size of the whole file, where it is told."""
    whole = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status == http.client.PARTIAL_CONTENT and whole:
        return int(whole[1]), None if whole[2] == "*" else int(whole[2])
    length = response.headers.get("Content-Length")
    return 0, int(length) if length and length.isdigit() else None

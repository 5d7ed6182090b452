"""A run that is killed at any moment of publishing leaves nothing that a later run would trust."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgezoo.artifacts import (
    STAGED,
    artifact_of,
    data_path,
    find_existing,
    manifest_path,
    output_folder,
    read_manifest,
)
from edgezoo.types import to_json

# argv: path, content, key, number of the file operation at which the process dies
WRITER = """
import os, sys
from pathlib import Path
from edgezoo import artifacts

path, content, key, last = Path(sys.argv[1]), sys.argv[2].encode(), sys.argv[3], int(sys.argv[4])
count = 0

def die(event, arguments):
    global count
    writes = event == "open" and artifacts.STAGED in str(arguments[0])
    if writes or event in ("os.rename", "os.remove", "os.chmod"):
        count += 1
        if count == last:
            os._exit(9)

sys.addaudithook(die)
with artifacts.output_folder(path.parent), artifacts.staged(path) as temporary:
    temporary.write_bytes(content)
    artifacts.data_path(temporary).write_bytes(content)
    comparison = dict(sqnr_db=100.0, max_abs=0.0, max_rel=0.0, cosine=1.0, top1_agreement=1.0,
                      samples=1)
    artifacts.publish(temporary, path, dict(
        schema=artifacts.SCHEMA, format="tflite", recipe="fp32", model="mine:net", key=key,
        sha256=artifacts.file_sha256(temporary), bytes=len(content), comparison=comparison,
        data=artifacts.describe_data(temporary)))
"""
MOMENTS = 24
DEADLINE = 60


def write(path: Path, content: str, key: str, last: int = 0) -> int:
    command = [sys.executable, "-c", WRITER, str(path), content, key, str(last)]
    return subprocess.run(command, timeout=DEADLINE, check=False).returncode


@pytest.mark.parametrize("moment", range(1, MOMENTS))
def test_killed_while_replacing(tmp_path: Path, moment: int) -> None:
    path = tmp_path / "m.tflite"
    assert write(path, "old", "a") == 0
    code = write(path, "newer", "b", moment)
    content = path.read_text()
    assert content in ("old", "newer")  # never half a file
    assert data_path(path).read_text() in ("old", "newer")
    described = manifest_path(path).exists()
    manifest = read_manifest(path) if described else None  # damaged would raise
    if manifest is not None:  # a manifest is only ever beside the file that it describes
        assert len(content) == manifest["bytes"] == manifest["data"]["bytes"]
        found = find_existing(path, manifest["key"])
        assert found is not None
        assert to_json(found) == to_json(artifact_of(path, manifest, reused=True))
    if code == 0:
        assert content == "newer" and manifest is not None
    with output_folder(tmp_path):
        assert not list(tmp_path.glob(f"{STAGED}*"))
    assert write(path, "newer", "b") == 0
    assert find_existing(path, "b") is not None


def test_the_moments_cover_a_whole_run(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    assert write(path, "old", "a") == 0
    assert write(path, "newer", "b", 4) == 9
    assert write(path, "newer", "b", MOMENTS) == 0  # past the last operation

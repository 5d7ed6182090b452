"""The results store: nothing is lost, mixed up or half written."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.decode import from_json
from edgezoo.errors import ArtifactError, OutputError
from edgezoo.measurement import DeviceInfo, Latency, Measurement, ProcessSamples
from edgezoo.plan import Plan
from edgezoo.results import RECORD_START, append, read
from edgezoo.types import to_json

ROOT = Path(__file__).parents[1]

SAMPLE = Measurement(
    artifact="m.tflite",
    artifact_sha256="ab" * 32,
    model="m",
    format="tflite",
    recipe="w8a8",
    device=DeviceInfo("host", "host", "cpu", 2, 1000, "Linux"),
    provenance="host",
    status="ok",
    failure_class=None,
    message=None,
    latency_ms=Latency(1.0, 2.0, (0.5, 1.5), 0.25),
    peak_memory_mib=12.5,
    runner="litert",
    runner_version="2.3.0",
    delegate={"partitions": 1, "remaining_ops": ["SIGN"]},
    plan=Plan(),
    processes=(ProcessSamples((1.0, 2.0), (1.0, 2.0), 3.0, 4.0, 50.0, 6, 7.0),),
    versions={"python": "3.11"},
    measured_at="2026-01-01T00:00:00+00:00",
    command=("python",),
)

numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
measurements = st.builds(
    Measurement,
    latency_ms=st.none()
    | st.builds(Latency, numbers, numbers, st.tuples(numbers, numbers), numbers),
    device=st.builds(DeviceInfo, load_1min=st.none() | numbers),
    plan=st.builds(Plan, min_seconds=numbers, timeout_s=numbers),
    peak_memory_mib=st.none() | numbers,
    delegate=st.dictionaries(st.text(), json_values, max_size=3),
    processes=st.lists(
        st.builds(
            ProcessSamples,
            wall_ms=st.lists(numbers).map(tuple),
            cpu_ms=st.lists(numbers).map(tuple),
            load_ms=numbers,
            first_ms=numbers,
            peak_memory_mib=numbers,
            started_at=numbers,
            memory_before_mib=st.none() | numbers,
        ),
        max_size=3,
    ).map(tuple),
)


@given(measurements)
def test_json_round_trip(measurement: Measurement) -> None:
    text = json.dumps(to_json(measurement), allow_nan=False)
    assert text.encode().startswith(RECORD_START)
    again = from_json(Measurement, json.loads(text))
    assert again == measurement
    assert type(again.plan.min_seconds) is float


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"device": 3}, "device must be an object, not 3"),
        ({"plan": {"threads": "two"}}, "plan.threads must be int, not 'two'"),
        ({"plan": {"threads": True}}, "plan.threads must be int, not True"),
        ({"format": "pt"}, "format must be one of tflite, onnx, pytorch, coreml, not 'pt'"),
        ({"latency_ms": {"median": 1}}, "latency_ms.p90 is missing"),
        ({"peak_memory_mib": float("nan")}, "peak_memory_mib must be finite, not nan"),
        ({"peak_memory_mib": 10**400}, "peak_memory_mib must be finite, not 1000"),
        ({"processes": [[]]}, "processes[0] must be an object"),
        ({"processes": {}}, "processes must be a list"),
        ({"versions": {"python": 3}}, "versions.python must be str, not 3"),
        ({"versions": []}, "versions must be an object"),
        ({"model": None}, "model must be str, not null"),
    ],
)
def test_what_does_not_fit_is_named(change: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        from_json(Measurement, to_json(SAMPLE) | change)


def test_pairs_have_two_ends() -> None:
    data = to_json(SAMPLE.latency_ms) | {"interval": [1.0]}
    with pytest.raises(ValueError, match="interval must hold 2 values, not 1"):
        from_json(Latency, data)


def test_later_and_earlier_versions() -> None:
    data = to_json(SAMPLE) | {"invented_later": 1}
    del data["command"]
    assert from_json(Measurement, data) == replace(SAMPLE, command=())


def test_stores_from_before_reference_runs() -> None:
    data = to_json(SAMPLE)
    del data["throughput"], data["plan"]["reference"], data["processes"][0]["stream"]
    assert from_json(Measurement, data) == SAMPLE


def test_appended_lines_are_read_in_order(tmp_path: Path) -> None:
    store = tmp_path / "new" / "folder" / "results.jsonl"
    append(store, [SAMPLE, replace(SAMPLE, model="é\n\0")])
    append(store, [])
    append(store, [replace(SAMPLE, model="third")])
    assert [m.model for m in read(store).measurements] == ["m", "é\n\0", "third"]
    assert read(store).torn_lines == ()
    assert len(store.read_bytes().splitlines()) == 3


def test_concurrent_writers(tmp_path: Path) -> None:
    """Lines far longer than a pipe buffer or a page, from four processes at once."""
    store = tmp_path / "results.jsonl"
    code = (
        "import json, sys; from dataclasses import replace; from pathlib import Path\n"
        "from edgezoo.decode import from_json; from edgezoo.results import append\n"
        "from edgezoo.measurement import Measurement\n"
        "sample = from_json(Measurement, json.loads(sys.stdin.read()))\n"
        "for number in range(20):\n"
        "    model = sys.argv[2] + '-' + str(number) + '.' * 200_000\n"
        "    append(Path(sys.argv[1]), [replace(sample, model=model)] * 2)"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(store), str(writer)], stdin=subprocess.PIPE, cwd=ROOT
        )
        for writer in range(4)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(json.dumps(to_json(SAMPLE)).encode())
        writer.stdin.close()
    assert [writer.wait() for writer in writers] == [0] * 4
    names = [m.model.rstrip(".") for m in read(store).measurements]
    assert sorted(names) == sorted(f"{w}-{n}" for w in range(4) for n in range(20) for _ in "ab")
    for name, twin in zip(names[::2], names[1::2], strict=True):
        assert name == twin, "the lines of one call stay together"


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_disk_full_takes_the_lines_back(tmp_path: Path, kept: int) -> None:
    """A file size limit in the middle of a line fails as a full disk does."""
    store = tmp_path / "results.jsonl"
    append(store, [SAMPLE] * kept)
    before = store.read_bytes() if kept else b""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 1500, hard))
    try:
        with pytest.raises(OutputError, match=r"results\.jsonl cannot be written"):
            append(store, [SAMPLE] * 5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.read_bytes() == before
    append(store, [SAMPLE])
    assert len(read(store).measurements) == kept + 1


def test_only_regular_files(tmp_path: Path) -> None:
    """Lines cannot be taken back from a pipe or a device."""
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/null")):
        with pytest.raises(ArtifactError, match="is not a results store"):
            append(path, [SAMPLE])


@pytest.mark.parametrize("place", ["", "file/results.jsonl"])
def test_unwritable_place(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        append(tmp_path / place, [SAMPLE])


def test_any_cut_is_reported_and_survived(tmp_path: Path) -> None:
    """However much of the last line a power cut leaves, the others and later ones are read."""
    store = tmp_path / "results.jsonl"
    append(store, [SAMPLE, SAMPLE])
    content = store.read_bytes()
    line = len(content) // 2
    for length in range(1, line - 1):
        store.write_bytes(content[: line + length])
        assert read(store).torn_lines == (2,)
        append(store, [SAMPLE])
        found = read(store)
        assert (found.measurements, found.torn_lines) == ((SAMPLE, SAMPLE), (2,))
        assert content[: line + length] in store.read_bytes()


def test_lost_newline_loses_nothing(tmp_path: Path) -> None:
    store = tmp_path / "results.jsonl"
    append(store, [SAMPLE])
    store.write_bytes(store.read_bytes()[:-1])
    append(store, [SAMPLE])
    assert read(store).measurements == (SAMPLE, SAMPLE)
    assert read(store).torn_lines == ()


@pytest.mark.parametrize("line", [b"hello", b"\xff\xfe", b"{}", b'{"artifact": "x"}', b"[1]", b"3"])
def test_damage_is_named_by_line(tmp_path: Path, line: bytes) -> None:
    store = tmp_path / "results.jsonl"
    append(store, [SAMPLE])
    store.write_bytes(store.read_bytes() + line + b"\n")
    append(store, [SAMPLE])
    with pytest.raises(ArtifactError, match=r"results\.jsonl, line 2, is no measurement"):
        read(store)


@pytest.mark.parametrize("content", [b"my notes", b"\n", b'{"other": 1}\n', b"\x00" * 50])
def test_foreign_files_are_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="is not a results store"):
        append(path, [SAMPLE])
    assert path.read_bytes() == content


def test_missing_store(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="run edgezoo bench to make it"):
        read(tmp_path / "none.jsonl")

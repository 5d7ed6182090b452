"""What is stored of a run of benchmark_model."""

import hashlib
from pathlib import Path

import pytest

from edgezoo.devices.runners.benchmark_flags import RunRequest
from edgezoo.devices.runners.benchmark_judge import Ended, judge
from edgezoo.devices.runners.benchmark_profile import parse_profiles
from edgezoo.devices.runners.results import aggregated, profile_of

LOGS = Path(__file__).parent / "logs"
REQUEST = RunRequest("m", warmup=1, runs=3)


def test_statistics_in_milliseconds() -> None:
    ended = Ended(0, (LOGS / "ok.txt").read_bytes(), b"more")
    numbers = judge(ended, REQUEST).numbers
    assert numbers is not None
    stored = aggregated(numbers, ended, started_at=12.5)
    assert (stored.wall_ms, stored.cpu_ms, stored.runs, stored.median_ms) == ((), (), 3, 453.258)
    assert (stored.load_ms, stored.first_ms, stored.started_at) == (157.995, 498.697, 12.5)
    assert stored.aggregates is not None
    assert (stored.aggregates.minimum, stored.aggregates.maximum) == (433.954, 477.713)
    assert (stored.aggregates.mean, stored.aggregates.deviation) == (454.975, 17.905)
    assert (stored.aggregates.p5, stored.aggregates.p95) == (433.954, 477.713)
    assert stored.peak_memory_mib is None
    assert stored.log_sha256 == hashlib.sha256(ended.stdout + b"more").hexdigest()


def test_memory_and_old_logs() -> None:
    ended = Ended(0, (LOGS / "peak_memory.txt").read_bytes())
    numbers = judge(ended, REQUEST).numbers
    assert numbers is not None
    assert aggregated(numbers, ended, 0).peak_memory_mib == 31.1914
    ended = Ended(0, (LOGS / "tf1_android.txt").read_bytes())
    old = judge(ended, RunRequest("m", threads=2, runs=10)).numbers
    assert old is not None
    assert aggregated(old, ended, 0).median_ms is None


def test_profiles() -> None:
    data = (LOGS / "profile.txt").read_bytes()
    profile = profile_of(parse_profiles(data))
    assert profile is not None
    assert profile.runs == 3
    assert [op.ms for op in profile.ops] == [0.922, 484.765, 16.876, 0.020]
    assert profile.ops[1].op == "Convolution (NHWC, F32) IGEMM"
    assert {op.where for op in profile.ops} == {"delegate"}
    assert profile_of(parse_profiles(data[: data.rindex(b"4 nodes observed")])) is None


def test_a_delegate_that_is_one_node_is_no_built_in_kernel() -> None:
    """The GPU's does not tell its operators (layout of the genuine table, filled in by hand)."""
    data = (LOGS / "profile.txt").read_bytes()
    for name, node in (
        (b"Convolution (NHWC, F32) IGEMM", b"TfLiteGpuDelegateV2"),
        (b"Sum (ND) Mean", b"MEAN"),
    ):
        data = data.replace(b"Delegate/" + name, b"[d]").replace(name, node)
    profile = profile_of(parse_profiles(data), accelerator="gpu")
    assert profile is not None
    names = [(op.name, op.op, op.where) for op in profile.ops[1:3]]
    assert names == [
        ("[d]:1", "TfLiteGpuDelegateV2", "gpu"),
        ("[d]:2", "MEAN", "built-in kernels"),
    ]
    assert profile.ops[0].where == "gpu"


@pytest.mark.parametrize("data", [b"", b"\xff" * 99])
def test_nothing_to_store(data: bytes) -> None:
    assert profile_of(parse_profiles(data)) is None

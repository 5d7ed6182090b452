"""Flags from a genuine usage text, and the arguments of a run."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgezoo.devices.runners.benchmark_flags import (
    BACKENDS,
    Backend,
    RunRequest,
    arguments,
    parse_usage,
    request_for,
)
from edgezoo.errors import BenchmarkError, UsageError
from edgezoo.plan import Plan

USAGE = (Path(__file__).parent / "logs" / "usage.txt").read_bytes()
FLAGS = parse_usage(USAGE)
REQUEST = RunRequest("/data/local/tmp/m.tflite", threads=4, warmup=3, runs=20)


def test_flags_of_a_genuine_tool() -> None:
    # One line each; num_threads and gpu_invoke_loop_times are listed twice.
    assert len(FLAGS) == USAGE.count(b"\n\t--") - 2
    assert (FLAGS["num_runs"].kind, FLAGS["num_runs"].default) == ("int32", "50")
    assert FLAGS["num_threads"].description == "number of threads"
    assert FLAGS["hexagon_lib_path"].default == "/data/local/tmp"
    assert FLAGS["graph"].default == ""
    assert FLAGS["allow_dynamic_profiling_buffer_increase"].kind == "bool"


def test_older_usage_has_no_column_for_optional() -> None:
    flags = parse_usage(b"Flags:\n\t--graph=              \tstring\tgraph file name\n")
    assert flags["graph"].description == "graph file name"


@pytest.mark.parametrize(
    "printed", [b"", b"\xff\xfe\0", b"Usage: ls [OPTION]...\n  --all\n", USAGE[:300]]
)
def test_another_program_is_refused(printed: bytes) -> None:
    with pytest.raises(BenchmarkError, match="check that it is a benchmark_model"):
        parse_usage(printed)


def test_exactly_as_many_runs_as_asked_for() -> None:
    assert arguments(REQUEST, FLAGS) == (
        "--graph=/data/local/tmp/m.tflite",
        "--num_threads=4",
        "--warmup_runs=3",
        "--warmup_min_secs=0",
        "--num_runs=20",
        "--min_secs=0",
        "--max_secs=86400",
    )


@pytest.mark.parametrize(
    ("backend", "flag"),
    [
        ("xnnpack", "--use_xnnpack=true"),
        ("builtin", "--use_xnnpack=false"),
        ("gpu", "--use_gpu=true"),
        ("nnapi", "--use_nnapi=true"),
        ("hexagon", "--use_hexagon=true"),
    ],
)
def test_accelerators(backend: Backend, flag: str) -> None:
    given = arguments(replace(REQUEST, backend=backend), FLAGS)
    assert set(given) - set(arguments(REQUEST, FLAGS)) == {flag}


def test_every_request_gives_each_flag_once() -> None:
    for backend in BACKENDS:
        request = replace(
            REQUEST, backend=backend, whole=True, profile=True, memory=True, min_seconds=1.5
        )
        names = [argument.partition("=")[0][2:] for argument in arguments(request, FLAGS)]
        assert len(set(names)) == len(names)
        assert set(names) <= set(FLAGS)


def test_all_missing_flags_are_named() -> None:
    old = {name: flag for name, flag in FLAGS.items() if name not in ("use_gpu", "max_secs")}
    request = replace(REQUEST, backend="gpu", extra={"affinity": "f0"})
    with pytest.raises(UsageError, match="--use_gpu, --affinity; use a newer one"):
        arguments(request, old)
    assert not any("max_secs" in argument for argument in arguments(REQUEST, old))


def test_the_first_run_of_a_plan_is_one_more_of_the_tools_warm_up() -> None:
    request = request_for(Plan(2, warmup=5, runs=30, min_seconds=1.5, accelerator="gpu"), "m")
    assert request == RunRequest("m", 2, 6, 30, 1.5, backend="gpu")


def test_a_plan_without_xnnpack() -> None:
    assert request_for(Plan(), "m").backend == "cpu"
    assert request_for(Plan(xnnpack=False), "m").backend == "builtin"
    assert request_for(Plan(xnnpack=False, accelerator="nnapi"), "m").backend == "nnapi"

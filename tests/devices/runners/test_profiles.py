"""What the runtimes of this machine write about their operators, and what is refused of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgezoo.devices.processes import run_process
from edgezoo.devices.runners.child import Request
from edgezoo.devices.runners.litert_profile import Event, averaged
from edgezoo.devices.runners.onnxruntime_profile import read_trace
from edgezoo.devices.runners.quiet import quieter_half
from edgezoo.devices.runners.session import RunnerError
from edgezoo.plan import Plan
from edgezoo.types import FORMATS, SUFFIXES, Format

INVOKE = Event(1, "Invoke", 100)
CONV, ADD = Event(8, "Convolution (NHWC, F32) IGEMM", 60), Event(2, "ADD", 10)
NOISE = Event(32, "Invoke", 1 << 32)  # telemetry


@pytest.mark.parametrize("format_", FORMATS)
def test_a_real_profile(format_: Format, build_model: Any) -> None:
    plan = Plan(warmup=1, runs=5)
    report = run_process(Request(build_model(f"p{SUFFIXES[format_]}"), format_, plan, profile=True))
    profile = report.profile
    assert profile is not None, report.message
    assert report.samples is None  # an instrumented process gives no latency
    assert profile.runs == 3  # the quieter half of five
    assert any("Conv" in op.op for op in profile.ops)
    assert all(op.ms >= 0 and op.calls == 1 and op.where for op in profile.ops)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_damaged_file_is_a_failure(format_: Format, tmp_path: Path) -> None:
    path = tmp_path / f"bad{SUFFIXES[format_]}"
    path.write_bytes(b"no model at all")
    report = run_process(Request(path, format_, Plan(), profile=True))
    assert (report.profile, report.failure_class) == (None, "load_error")


def test_litert_averages_the_quieter_half() -> None:
    busy = [Event(1, "Invoke", 9000), Event(8, CONV.tag, 8000), ADD]
    profile = averaged([[INVOKE, CONV, NOISE, ADD], busy])
    assert [(op.op, op.ms, op.where) for op in profile.ops] == [
        (CONV.tag, 0.06, "XNNPACK"),
        ("ADD", 0.01, "built-in kernels"),
    ]
    assert (profile.runs, profile.whole_ms) == (1, 0.1)
    assert profile.coverage == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("runs", "message"),
    [([[INVOKE], [INVOKE]], "no operator"), ([[INVOKE, CONV], [INVOKE, ADD]], "differs")],
)
def test_litert_refuses(runs: list[list[Event]], message: str) -> None:
    with pytest.raises(RunnerError, match=message):
        averaged(runs)


def _node(name: str, us: int) -> dict[str, Any]:
    arguments = {"op_name": "Conv", "provider": "CPUExecutionProvider"}
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": us, "args": arguments}


def _trace(*runs: list[dict[str, Any]], whole_us: int = 100) -> bytes:
    events: list[dict[str, Any]] = [{"cat": "Session", "name": "model_loading_uri", "dur": 5}]
    for nodes in runs:
        events += [*nodes, {"cat": "Session", "name": "model_run", "dur": whole_us}]
    return json.dumps(events).encode()


def test_onnxruntime_leaves_the_warm_up_out() -> None:
    warmup, timed = [_node("a", 900)], [_node("a", 40), _node("b", 20)]
    profile = read_trace(_trace(warmup, timed, timed), untimed=1, runs=2)
    assert [(op.name, op.ms) for op in profile.ops] == [("a", 0.04), ("b", 0.02)]
    assert profile.whole_ms == 0.1


GOOD = _trace([_node("a", 4)], [_node("a", 4)])
BAD = {
    "cut": (GOOD[:-9], "cannot be read"),
    "a run is missing": (_trace([_node("a", 4)]), "holds 1 of 2"),
    "other nodes": (_trace([_node("a", 4)], [_node("b", 4)]), "differs"),
    "no durations": (GOOD.replace(b'"dur"', b'"d"'), "cannot be read"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_onnxruntime_refuses(content: bytes, message: str) -> None:
    with pytest.raises(RunnerError, match=message):
        read_trace(content, untimed=0, runs=2)


def test_quieter_half() -> None:
    assert quieter_half([5.0, 1.0, 3.0]) == (1, 2)
    assert quieter_half([7.0]) == (0,)

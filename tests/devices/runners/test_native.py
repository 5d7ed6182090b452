"""The C runner on real models: the host's outputs bit for bit, and a name for what goes wrong."""

import hashlib
import json
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from edgezoo.devices.failures import Failure, FailureClass
from edgezoo.devices.runners.benchmark_flags import (
    USAGE_ARGUMENTS,
    RunRequest,
    arguments,
    parse_usage,
)
from edgezoo.devices.runners.benchmark_judge import Ended, judge
from edgezoo.devices.runners.build import BuiltRunner
from edgezoo.devices.runners.inputs import random_inputs
from edgezoo.devices.runners.log_lines import LARGEST_LOG_BYTES
from edgezoo.devices.runners.native_report import (
    LARGEST_BYTES,
    MARKER,
    NativeReport,
    judge_native,
    parse_native_report,
)
from edgezoo.devices.runners.table import RUNNERS
from edgezoo.plan import Plan
from edgezoo.types import FORMATS, SUFFIXES, Format

Run = Callable[..., Ended]
Libraries = Mapping[Format, Path]
REQUEST = RunRequest("m", threads=1, warmup=2, runs=3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("float.tflite", {}),
        ("int8.tflite", {"int8": True}),
        ("two_partitions.tflite", {"sign": True}),
        ("float.onnx", {}),
        ("half.onnx", {"kind": TensorProto.FLOAT16}),
        ("double.onnx", {"kind": TensorProto.DOUBLE}),
        ("int8.onnx", {"kind": TensorProto.INT8}),
        ("uint16.onnx", {"kind": TensorProto.UINT16}),
        ("int64.onnx", {"kind": TensorProto.INT64}),
        ("bool.onnx", {"kind": TensorProto.BOOL}),
    ],
)
def test_outputs_are_the_hosts(
    name: str, options: dict[str, Any], build_model: Any, run: Run, libraries: Libraries
) -> None:
    """Same inputs, same library, same machine: not one bit differs."""
    path = build_model(name, **options)
    format_: Format = "onnx" if name.endswith(".onnx") else "tflite"
    session = RUNNERS[format_].open(path, Plan())
    session.feed(random_inputs(session.inputs, seed=7))
    session.invoke()
    raw = path.with_suffix(".raw")
    ended = run(graph=path, library=libraries[format_], seed=7, output_filepath=raw)
    assert raw.read_bytes() == b"".join(output.tobytes() for output in session.outputs())
    report = parse_native_report(ended.stdout)
    assert isinstance(report, NativeReport), report
    assert [output.bytes for output in report.outputs] == [raw.stat().st_size]
    other = parse_native_report(run(graph=path, library=libraries[format_], seed=8).stdout)
    assert isinstance(other, NativeReport)
    assert report.outputs[0].fnv1a != other.outputs[0].fnv1a


@pytest.mark.parametrize("format_", FORMATS)
def test_samples(format_: Format, build_model: Any, run: Run, libraries: Libraries) -> None:
    path = build_model(f"m{SUFFIXES[format_]}", channels=64)
    ended = run(graph=path, library=libraries[format_], affinity="1", num_runs=20)
    judged = judge_native(ended, replace(REQUEST, runs=20))
    assert judged.failure is None, judged.failure
    assert judged.samples is not None
    assert judged.report is not None
    assert len(judged.samples.wall_ms) == len(judged.samples.cpu_ms) == 20
    assert min(judged.samples.wall_ms) > 0
    assert judged.samples.load_ms > 0
    assert judged.samples.first_ms > 0
    assert judged.samples.peak_memory_mib is not None
    assert judged.samples.memory_before_mib is not None
    assert judged.samples.peak_memory_mib > judged.samples.memory_before_mib > 1
    assert judged.report.affinity == "1"
    assert judged.report.runtime == RUNNERS[format_].name
    if format_ == "onnx":
        import onnxruntime

        assert judged.report.version == onnxruntime.__version__
        assert judged.delegate["used"] == "CPUExecutionProvider"
    else:
        assert judged.delegate["used"] == "xnnpack"
        assert (judged.delegate["delegated_ops"], judged.delegate["total_ops"]) == (1, 1)


def test_xnnpack_that_took_a_part(build_tflite: Any, run: Run, libraries: Libraries) -> None:
    """LiteRT's C API does not say how much that is, so nothing is claimed."""
    ended = run(graph=build_tflite(sign=True), library=libraries["tflite"])
    judged = judge_native(ended, REQUEST)
    assert judged.samples is not None
    assert judged.delegate["used"] == "unknown"
    assert (judged.delegate["delegated_ops"], judged.delegate["total_ops"]) == (None, 3)


def test_seconds(build_tflite: Any, run: Run, libraries: Libraries) -> None:
    """The loop of benchmark_model: at least so many runs and seconds, at most so many seconds."""
    path, library = build_tflite(), libraries["tflite"]
    more = parse_native_report(run(graph=path, library=library, min_secs=0.05).stdout)
    assert isinstance(more, NativeReport)
    assert len(more.samples_us) > 3
    ended = run(graph=path, library=library, num_runs=1_000_000, max_secs=0.01)
    judged = judge_native(ended, replace(REQUEST, runs=1_000_000))
    assert judged.failure is not None
    assert re.search("it made .* of 1000000 runs", judged.failure.message)


def test_its_flags_are_read_like_the_real_tools(
    built: BuiltRunner, build_tflite: Any, libraries: Libraries
) -> None:
    usage = subprocess.run([built.path, *USAGE_ARGUMENTS], capture_output=True, timeout=60)
    assert usage.returncode == 1
    flags = parse_usage(usage.stdout + usage.stderr)
    extra = {"library": str(libraries["tflite"]), "seed": "3"}
    request = RunRequest(str(build_tflite()), runs=4, warmup=1, extra=extra)
    ended = subprocess.run(
        [built.path, *arguments(request, flags)], capture_output=True, timeout=60
    )
    judged = judge_native(Ended(ended.returncode, ended.stdout, ended.stderr), request)
    assert judged.report is not None, judged.failure
    assert (judged.report.seed, len(judged.report.samples_us)) == (3, 4)


@pytest.mark.parametrize(
    ("flags", "failure_class", "words"),
    [
        ({"graph": "/nope.tflite"}, "load_error", "Could not open '/nope.tflite'"),
        ({"graph": ""}, "load_error", "Please specify"),
        ({"library": "/nope.so"}, "library_missing", "/nope.so"),
        ({"library": "libm.so.6"}, "library_missing", "LiteRtCreateEnvironment"),
        ({"library": "libm.so.6", "runtime": "onnxruntime"}, "library_missing", "OrtGetApiBase"),
        ({"runtime": "tensorrt"}, "flag_refused", "runtime"),
        ({"affinity": "x"}, "flag_refused", "affinity"),
        ({"affinity": "8000000000000000"}, "flag_refused", "none of the cores"),
        ({"num_runs": "many"}, "flag_refused", "--num_runs=many"),
        ({"num_runs": -1}, "flag_refused", "--num_runs=-1"),
        ({"use_gpu": "true"}, "flag_refused", "--use_gpu=true"),
    ],
)
def test_what_a_user_can_get_wrong(
    flags: dict[str, object],
    failure_class: FailureClass,
    words: str,
    build_tflite: Any,
    run: Run,
    libraries: Libraries,
) -> None:
    ended = run(**({"graph": build_tflite(), "library": libraries["tflite"]} | flags))
    failure = judge_native(ended, REQUEST).failure
    assert failure is not None
    assert failure.failure_class == failure_class
    assert words in failure.message


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("content", [b"", b"hello" * 99, np.random.default_rng(0).bytes(4096)])
def test_file_that_is_no_model(
    format_: Format, content: bytes, tmp_path: Path, run: Run, libraries: Libraries
) -> None:
    path = tmp_path / f"bad{SUFFIXES[format_]}"
    path.write_bytes(content)
    failure = judge_native(run(graph=path, library=libraries[format_]), REQUEST).failure
    assert failure is not None
    assert failure.failure_class == "load_error"
    assert path.name in failure.message


@pytest.mark.parametrize("format_", FORMATS)
def test_outputs_that_are_not_finite(
    format_: Format, build_model: Any, run: Run, libraries: Libraries
) -> None:
    path = build_model(f"inf{SUFFIXES[format_]}", bias=float("inf"))
    failure = judge_native(run(graph=path, library=libraries[format_]), REQUEST).failure
    assert failure is not None
    assert failure.failure_class == "non_finite_output"
    assert "2048 of 2048 values of output 0" in failure.message


@pytest.mark.parametrize("format_", FORMATS)
def test_no_memory(format_: Format, build_model: Any, run: Run, libraries: Libraries) -> None:
    """An output of 256 MiB in an address space of 200."""
    path = build_model(f"large{SUFFIXES[format_]}", channels=64, side=1024)
    ended = run(prefix="ulimit -v 200000;", graph=path, library=libraries[format_])
    failure = judge_native(ended, REQUEST).failure
    assert failure is not None
    assert failure.failure_class == "out_of_memory"


def test_open_shapes_are_refused(build_onnx: Any, run: Run, libraries: Libraries) -> None:
    failure = judge_native(
        run(graph=build_onnx(batch="n"), library=libraries["onnx"]), REQUEST
    ).failure
    assert failure is not None
    assert failure.failure_class == "load_error"
    assert "open shape; export it with a fixed one" in failure.message


@pytest.mark.parametrize(
    ("number", "failure_class"),
    [(signal.SIGSEGV, "crash"), (signal.SIGILL, "crash"), (signal.SIGKILL, "out_of_memory")],
)
def test_signals(
    number: signal.Signals,
    failure_class: FailureClass,
    built: BuiltRunner,
    build_tflite: Any,
    libraries: Libraries,
) -> None:
    """A process that a signal ends in the middle of the timed phase."""
    flags = (f"--graph={build_tflite()}", f"--library={libraries['tflite']}", "--min_secs=60")
    with subprocess.Popen(
        [built.path, *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        printed = b""
        while printed.count(b"Running benchmark") < 2:  # printed and flushed as it starts
            line = process.stdout.readline()
            assert line, printed
            printed += line
        process.send_signal(number)
        printed += process.stdout.read()
    failure = judge_native(Ended(process.returncode, printed), REQUEST).failure
    assert failure is not None
    assert failure.failure_class == failure_class


@pytest.fixture
def printed(build_onnx: Any, run: Run, libraries: Libraries) -> bytes:
    """What a good run prints."""
    ended = run(graph=build_onnx(), library=libraries["onnx"])
    assert ended.code == 0, ended.stderr
    return ended.stdout


def test_every_prefix_of_a_report(printed: bytes) -> None:
    assert judge_native(Ended(0, printed), REQUEST).samples is not None
    assert judge(Ended(0, printed), REQUEST).numbers is not None  # it is benchmark_model's grammar
    for cut in range(len(printed)):
        judged = judge_native(Ended(0, printed[:cut]), REQUEST)
        assert judged.samples is None
        assert judged.failure is not None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("schema", 2, "version 2"),
        ("threads", 4, "4 threads where 1"),
        ("samples_us", [1e9, 1e9, 1e9], "samples average"),
        ("samples_us", [1.0], "1 samples of 3 runs"),
        ("samples_us", [0.0, 1.0, 2.0], "cannot be true"),
        ("samples_us", [None, 1.0, 2.0], "cannot be read"),
        ("samples_us", [10**400, 1.0, 2.0], "cannot be read"),
        ("cpu_us", [-1.0, 1.0, 2.0], "cannot be true"),
        ("cpu_us", [], "of 3 runs"),
        ("load_us", 0.0, "load time"),
        ("first_us", 1e30, "first inference"),
        ("peak_memory_kib", 1, "peak memory"),
        ("peak_memory_kib", 1 << 50, "peak memory"),
        ("involuntary_switches", -1, "negative"),
        ("outputs", {}, "must be a list"),
        ("runtime", 7, "must be str"),
    ],
)
def test_a_report_that_contradicts_itself(
    printed: bytes, field: str, value: object, words: str
) -> None:
    text, _, line = printed.partition(MARKER)
    changed = json.dumps(json.loads(line) | {field: value}).encode() + b"\n"
    judged = judge_native(Ended(0, text + MARKER + changed), REQUEST)
    assert judged.samples is None
    assert judged.failure is not None
    assert judged.failure.failure_class == "bad_output"
    assert words in judged.failure.message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b"[" * 100_000 + b"\n",
        b'{"schema":NaN}\n',
        b"\xff\xfe\n",
        b'{"schema":' + b"9" * 5000 + b"}\n",
    ],
)
def test_lines_that_are_no_report(line: bytes) -> None:
    assert isinstance(parse_native_report(MARKER + line), Failure)


def test_a_long_run_of_a_quick_model(printed: bytes) -> None:
    """Five minutes of 1 ms: the samples are larger than any log of benchmark_model."""
    text, _, line = printed.partition(MARKER)
    report, count = json.loads(line), 300_000
    samples = [1000.123] * count
    report |= {"samples_us": samples, "cpu_us": samples}
    head, _, rest = text.rpartition(b"count=")
    counted = "300000 first=1000 curr=1000 min=1000 max=1001 avg=1000.12 std=0"
    percentiles = " p5=1000 median=1000 p95=1000"
    text = head + f"count={counted}{percentiles}".encode() + rest[rest.index(b"\n") :]
    text = re.sub(rb"(Inference \(avg\): ).*", rb"\g<1>1000.12", text)
    long = text + MARKER + json.dumps(report).encode() + b"\n"
    assert len(long) > LARGEST_LOG_BYTES
    judged = judge_native(Ended(0, long), REQUEST)
    assert judged.failure is None, judged.failure
    assert judged.samples is not None and judged.samples.runs == count
    assert judged.samples.log_sha256 == hashlib.sha256(long).hexdigest()


def test_too_much_is_no_report(printed: bytes) -> None:
    line = b"nonsense " * 10 + b"\n"
    more = judge_native(Ended(0, printed + line * (LARGEST_LOG_BYTES // len(line))), REQUEST)
    assert more.failure is not None and more.failure.message == "it printed more than 4 MiB"
    text, _, report = printed.partition(MARKER)
    padded = text + MARKER + b" " * LARGEST_BYTES + report
    most = judge_native(Ended(0, padded), REQUEST)
    assert most.failure is not None and most.failure.message == "it printed more than 32 MiB"


def test_what_follows_the_report_counts(printed: bytes) -> None:
    """A shell that tells of a crash, where the exit code never came."""
    assert judge_native(Ended(0, printed + b"reading 1\n"), REQUEST).samples is not None
    crashed = judge_native(Ended(None, printed + b"Segmentation fault\n"), REQUEST)
    assert crashed.failure is not None and crashed.failure.failure_class == "crash"


def test_two_reports_are_none(printed: bytes) -> None:
    assert isinstance(parse_native_report(printed + printed), Failure)

"""Every way in which a run can end, one row each: the class, and no number beside it."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezoo.devices.failures import ADVICE, FAILURE_CLASSES, FailureClass
from edgezoo.devices.runners.benchmark_flags import Backend, RunRequest
from edgezoo.devices.runners.benchmark_judge import Ended, judge

LOGS = Path(__file__).parent / "logs"
OK = (LOGS / "ok.txt").read_bytes()
REQUEST = RunRequest("m.tflite", threads=1, warmup=1, runs=3)
APPLIED = (
    b"Explicitly applied GPU delegate, and the model graph will be %s executed by the delegate"
)
REPLACED = (
    b"VERBOSE: Replacing %d out of 10 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding "
    b"1 partitions for subgraph 0.\n"
)


def log(name: str) -> bytes:
    return (LOGS / name).read_bytes()


def requested(backend: Backend, whole: bool = False) -> RunRequest:
    return RunRequest("m", threads=1, warmup=1, runs=3, backend=backend, whole=whole)


def test_every_class_has_advice() -> None:
    assert set(ADVICE) == set(FAILURE_CLASSES)


def test_numbers() -> None:
    judged = judge(Ended(0, OK), REQUEST)
    assert judged.failure is None
    assert judged.numbers is not None
    assert judged.numbers.timed.median_us == 453258
    assert judged.numbers.init_us == 157995
    assert dict(judged.numbers.delegate) == {
        "requested": "cpu",
        "used": "xnnpack",
        "delegated_ops": 4,
        "total_ops": 4,
        "partitions": 1,
        "extent": None,
        "also": [],
    }


# The messages of shells, loaders and runtimes come from genuine logs; numbers in comments are rows
# of the list of situations that the harness was designed for.
ENDED: tuple[tuple[str, Ended, FailureClass, str], ...] = (
    (
        "no exec bit",  # 20; github.com/pytorch/executorch/issues/9072
        Ended(126, b"", b"/system/bin/sh: ./bm: can't execute: Permission denied\n"),
        "exec_denied",
        "can't execute: Permission denied",
    ),
    ("no exec bit, silent", Ended(126, b""), "exec_denied", "exit code 126"),
    (
        "wrong ABI",  # 21; github.com/tensorflow/tensorflow/issues/42956
        Ended(1, b"", b"/system/bin/sh: ./benchmark_model: not executable: 64-bit ELF file\n"),
        "wrong_abi",
        "64-bit ELF file",
    ),
    (
        "wrong ABI, Debian's mksh, on standard output",
        Ended(1, b"E: /system/bin/sh: ./bm: not executable: 32-bit ELF file\n"),
        "wrong_abi",
        "32-bit ELF file",
    ),
    (
        "wrong ABI, bash",
        Ended(126, b"", b"bash: ./bm: cannot execute binary file: Exec format error\n"),
        "wrong_abi",
        "Exec format error",
    ),
    (
        "missing binary",  # 22
        Ended(127, b"", b"/system/bin/sh: ./bm: inaccessible or not found\n"),
        "runner_missing",
        "inaccessible or not found",
    ),
    (
        "missing loader, old Android",
        Ended(127, b"", b"/system/bin/sh: ./bm: No such file or directory\n"),
        "runner_missing",
        "not found",
    ),
    (
        "missing library",  # 23; github.com/alibaba/MNN/issues/87
        Ended(134, b"", b'CANNOT LINK EXECUTABLE "./bm": library "libMNN.so" not found\nAborted\n'),
        "library_missing",
        "libMNN.so",
    ),
    (
        "missing library, glibc",
        Ended(127, b"", b"./r: error while loading shared libraries: libm.so.6: not found\n"),
        "library_missing",
        "libm.so.6",
    ),
    ("segmentation fault", Ended(139, OK[:900]), "crash", "SIGSEGV"),  # 24
    ("segmentation fault, as Python says it", Ended(-11, OK), "crash", "SIGSEGV"),
    ("illegal instruction", Ended(132, b"STARTING!\n"), "crash", "newer processor"),
    ("abort", Ended(134, b"STARTING!\n"), "crash", "SIGABRT"),
    ("bus error", Ended(135, b""), "crash", "SIGBUS"),
    ("real-time signal", Ended(128 + 40, b""), "crash", "signal 40"),
    (
        "exit code lost",  # github.com/iree-org/iree/issues/3472
        Ended(None, OK[:1300] + b"\nSegmentation fault \n"),
        "crash",
        "SIGSEGV",
    ),
    ("out of memory", Ended(137, b"STARTING!\n", b"Killed\n"), "out_of_memory", "logcat"),  # 25
    ("surely out of memory", Ended(137, b"", memory_killed=True), "out_of_memory", "ran out"),
    ("killed by somebody", Ended(137, b"", memory_killed=False), "crash", "SIGKILL"),
    (
        "allocation failed",
        Ended(134, b"STARTING!\n", b"terminate called, what(): std::bad_alloc\n"),
        "out_of_memory",
        "bad_alloc",
    ),
    ("hang", Ended(None, OK[:700], stopped_after_s=60), "timeout", "within 60 s"),  # 26
    ("hang after the numbers", Ended(137, OK, stopped_after_s=60), "timeout", "was stopped"),
    (
        "unknown flag",
        Ended(0, b"WARN: Unconsumed cmdline flags: --a=1\n" + OK),
        "flag_refused",
        "--a",
    ),
    ("repeated flag", Ended(0, log("repeated_flag.txt")), "flag_refused", "--num_threads=2"),  # 29
    ("bad value", Ended(1, log("usage.txt")), "flag_refused", "'--num_runs=abc'"),
    (
        "other threads",
        Ended(0, OK.replace(b"Num threads: [1]", b"Num threads: [4]")),
        "flag_refused",
        "took Num threads as 4 where 1",
    ),
    ("truncated", Ended(0, OK[: OK.rindex(b"INFO: count=")]), "incomplete_log", "warm-up's"),  # 31
    ("nothing printed", Ended(0, b""), "incomplete_log", "before the first inference"),
    ("no exit code", Ended(None, OK), "incomplete_log", "never came"),
    ("dry run", Ended(0, log("dry_run.txt")), "invalid_numbers", "count=0"),  # 32
    ("missing model", Ended(1, log("missing_model.txt")), "load_error", "/nope.tflite"),
    ("damaged model", Ended(1, log("not_a_model.txt")), "load_error", "valid Flatbuffer"),
    ("other exit code", Ended(1, log("list_signatures.txt")), "crash", "exit code 1"),
    (
        "failed inference, on which the tool runs on",
        Ended(0, OK + b"ERROR: Node number 3 (CONV_2D) failed to invoke.\n"),
        "run_error",
        "CONV_2D",
    ),
)


@pytest.mark.parametrize(
    ("ended", "failure_class", "words"),
    [row[1:] for row in ENDED],
    ids=[row[0] for row in ENDED],
)
def test_failures(ended: Ended, failure_class: FailureClass, words: str) -> None:
    judged = judge(ended, REQUEST)
    assert judged.numbers is None
    assert judged.failure is not None
    assert judged.failure.failure_class == failure_class
    assert words in judged.failure.message
    assert "\n" not in judged.failure.sentence


def test_too_few_runs() -> None:
    judged = judge(Ended(0, OK), RunRequest("m", runs=4, warmup=1))
    assert judged.failure is not None
    # The echoed parameter betrays it first.
    assert judged.failure.failure_class == "flag_refused"
    silent = OK.replace(b"INFO: Min num runs: [3]\n", b"")
    judged = judge(Ended(0, silent), RunRequest("m", runs=4, warmup=1))
    assert judged.failure is not None
    assert judged.failure.message == "it made 3 of 4 runs"


@pytest.mark.parametrize(
    ("backend", "whole", "code", "printed", "failure_class", "words"),
    [
        ("nnapi", False, 0, log("nnapi.txt"), "delegate_fallback", "ran on xnnpack (NNAPI"),  # 28
        ("hexagon", False, 0, log("hexagon.txt"), "delegate_fallback", "ran on xnnpack (Hexagon"),
        ("gpu", False, 1, log("gpu_refused.txt"), "delegate_error", "gpu cannot be used"),
        ("gpu", False, 0, OK, "delegate_fallback", "ran on xnnpack"),
        ("gpu", False, 0, log("builtin.txt"), "delegate_fallback", "ran on builtin"),
        ("xnnpack", False, 0, log("builtin.txt"), "delegate_fallback", "ran on builtin"),
        ("builtin", False, 0, OK, "flag_refused", "it used xnnpack"),
        ("cpu", False, 0, REPLACED % 4 + OK, "delegate_fallback", "gpu took part"),
        ("gpu", True, 0, REPLACED % 4 + OK, "delegate_fallback", "only 4 of 10 nodes"),
        ("gpu", False, 0, REPLACED % 0 + OK, "delegate_fallback", "ran on xnnpack"),
        ("gpu", True, 0, APPLIED % b"partially" + b".\n" + OK, "delegate_fallback", "a part"),
    ],
)
def test_fallbacks(
    backend: Backend,
    whole: bool,
    code: int,
    printed: bytes,
    failure_class: FailureClass,
    words: str,
) -> None:
    judged = judge(Ended(code, printed), requested(backend, whole))
    assert judged.numbers is None
    assert judged.failure is not None
    assert judged.failure.failure_class == failure_class
    assert words in judged.failure.message


@pytest.mark.parametrize(
    ("backend", "printed", "used", "nodes", "total", "also"),
    [
        ("xnnpack", OK, "xnnpack", 4, 4, []),
        ("builtin", log("builtin.txt"), "builtin", None, None, []),
        ("gpu", REPLACED % 4 + OK, "gpu", 4, 10, ["xnnpack"]),
        ("gpu", APPLIED % b"completely" + b".\n" + OK, "gpu", None, None, ["xnnpack"]),
        (
            "cpu",
            b"".join(OK.splitlines(True)[:10] + OK.splitlines(True)[13:]),
            "unknown",
            None,
            None,
            [],
        ),
    ],
)
def test_what_really_ran(
    backend: Backend,
    printed: bytes,
    used: str,
    nodes: int | None,
    total: int | None,
    also: list[str],
) -> None:
    judged = judge(Ended(0, printed), requested(backend))
    assert judged.numbers is not None, judged.failure
    delegate = judged.numbers.delegate
    assert (delegate["requested"], delegate["used"]) == (backend, used)
    assert (delegate["delegated_ops"], delegate["total_ops"]) == (nodes, total)
    assert delegate["also"] == also


@settings(max_examples=200, deadline=None)
@given(
    code=st.one_of(st.none(), st.integers(-70, 300)),
    seed=st.integers(0, 2**32),
    name=st.sampled_from(sorted(path.name for path in LOGS.glob("*.txt"))),
    flips=st.integers(0, 9),
)
def test_anything_is_either_numbers_or_a_failure(
    code: int | None, seed: int, name: str, flips: int
) -> None:
    generator = random.Random(seed)
    data = bytearray(log(name))
    for _ in range(flips):
        data[generator.randrange(len(data))] = generator.randrange(256)
    half = generator.randrange(len(data))
    judged = judge(Ended(code, bytes(data[:half]), bytes(data[half:])), REQUEST)
    assert (judged.numbers is None) == (judged.failure is not None)
    if judged.numbers is not None:
        assert code == 0
        assert judged.numbers.timed.count >= REQUEST.runs

"""The parser on genuine logs, on every prefix of them, and on what hostile output may look like."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgezoo.devices.runners.benchmark_log import MOST_KEPT, BenchmarkLog, parse_log
from edgezoo.devices.runners.benchmark_timing import LONGEST_US, SHORTEST_US, RunStatistics
from edgezoo.devices.runners.log_lines import LARGEST_LOG_BYTES

LOGS = Path(__file__).parent / "logs"
NAMES = sorted(path.name for path in LOGS.glob("*.txt"))
OK = (LOGS / "ok.txt").read_bytes()
OK_STATISTICS = RunStatistics(
    3, 433954, 453258, 433954, 477713, 454975, 17905, p5_us=433954, median_us=453258, p95_us=477713
)
# What may change nothing but the order, the number or the surroundings of lines.
COMPLETE = ("ok.txt", "nnapi.txt", "tf1_android.txt", "tf2_3_android.txt", "peak_memory.txt")
MUTATIONS = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.data_too_large]
)


def check_plausible(log: BenchmarkLog) -> None:
    """What every result has to keep, whatever the bytes were."""
    assert (log.timed is None) == (log.problem is not None)
    if log.timed is None:
        return
    assert log.complete
    assert log.timed.count >= 1
    assert log.timed.min_us >= SHORTEST_US
    assert log.timed.max_us <= LONGEST_US
    slack = 1e-5 * log.timed.max_us  # averages are printed with six digits
    assert log.timed.min_us - slack <= log.timed.avg_us <= log.timed.max_us + slack
    assert log.init_us is not None
    assert 0 <= log.init_us <= LONGEST_US


def test_a_complete_log() -> None:
    log = parse_log(OK)
    assert log.timed == OK_STATISTICS
    assert log.warmup is not None
    assert (log.warmup.count, log.warmup.first_us, log.warmup.std_us) == (1, 498697, 0)
    assert (log.init_us, log.first_us, log.session_ms) == (157995, 498697, 157.995)
    assert (log.memory.init_mib, log.memory.overall_mib) == (12.1016, 13.2266)
    (taken,) = log.replacements
    assert (taken.delegate, taken.nodes, taken.total) == ("TfLiteXNNPackDelegate", 4, 4)
    assert (taken.partitions, taken.subgraph) == (1, 0)
    assert log.settings["Num threads"] == "1"
    assert log.settings["Signature to run"] == ""
    assert log.errors == log.warnings == log.refusals == log.refused_flags == ()


def test_old_wordings() -> None:
    first = parse_log((LOGS / "tf1_android.txt").read_bytes())
    assert first.timed is not None
    assert (first.timed.count, first.timed.avg_us, first.timed.median_us) == (15, 66767.6, None)
    assert (first.init_us, first.first_us) == (9933, 127425)
    second = parse_log((LOGS / "tf2_3_android.txt").read_bytes())
    assert second.timed is not None
    assert second.timed.avg_us == 33209.4
    assert second.duplicate_flags == ("num_threads",)  # the tool's own, not the user's
    assert second.refused_flags == ()
    assert second.memory.overall_mib == 12.8672


def test_facts_of_the_genuine_logs() -> None:
    memory = parse_log((LOGS / "peak_memory.txt").read_bytes()).memory
    assert (memory.peak_mib, memory.resident_mib) == (31.1914, 32)
    assert (memory.anonymous_mib, memory.file_mib) == (20, 12)
    assert parse_log((LOGS / "repeated_flag.txt").read_bytes()).refused_flags == (
        "--num_threads=2",
    )
    gpu = parse_log((LOGS / "gpu_refused.txt").read_bytes())
    assert gpu.replacements == ()  # "Replacing 4 out of 4" was taken back
    assert "Failed to apply GPU delegate." in gpu.refusals
    nnapi = parse_log((LOGS / "nnapi.txt").read_bytes())  # holds bytes that are no UTF-8
    assert nnapi.refusals == ("NNAPI acceleration is unsupported on this platform.",)
    assert nnapi.timed is not None


def test_a_dry_run_is_complete_and_no_number() -> None:
    log = parse_log((LOGS / "dry_run.txt").read_bytes())
    assert log.complete
    assert log.timed is None
    assert log.problem is not None
    assert log.problem.failure_class == "invalid_numbers"
    assert "count=0" in log.problem.message


@pytest.mark.parametrize(
    ("line", "delegate", "extent", "kernels"),
    [
        (
            "Explicitly applied GPU delegate, and the model graph will be completely executed by "
            "the delegate.",
            "GPU",
            "completely",
            None,
        ),
        (  # github.com/tensorflow/tensorflow/issues/56301
            "05-30 15:16:44.857  3380  3380 I tflite  : Explicitly applied NNAPI delegate, and the "
            "model graph will be partially executed by the delegate w/ 44 delegate kernels.",
            "NNAPI",
            "partially",
            44,
        ),
        (
            "INFO: Though Hexagon delegate is explicitly applied, the model graph will not be "
            "executed by the delegate.",
            "Hexagon",
            "not",
            None,
        ),
    ],
)
def test_applied_delegates(line: str, delegate: str, extent: str, kernels: int | None) -> None:
    (applied,) = parse_log(f"{line}\n".encode()).applications
    assert (applied.delegate, applied.extent, applied.kernels) == (delegate, extent, kernels)


@pytest.mark.parametrize(
    ("line", "nodes", "total", "partitions", "subgraph"),
    [
        (
            "VERBOSE: Replacing 58 out of 58 node(s) with delegate (TfLiteXNNPackDelegate) node, "
            "yielding 1 partitions for the whole graph.",
            58,
            58,
            1,
            0,
        ),
        (
            "Replacing 539 out of 548 node(s) with delegate (TfLiteXNNPackDelegate) node, "
            "yielding 19 partitions for subgraph 3.",
            539,
            548,
            19,
            3,
        ),
        (  # LiteRT 2.3
            "VERBOSE: Replacing 2 out of 3 node(s) with delegate (TfLiteXNNPackDelegate) node, "
            "yielding 2 partitions for subgraph 0 (main).",
            2,
            3,
            2,
            0,
        ),
        (
            "20 operations will run on the GPU, and the remaining 5 operations will run on the "
            "CPU.",
            20,
            25,
            None,
            0,
        ),
    ],
)
def test_replaced_nodes(
    line: str, nodes: int, total: int, partitions: int | None, subgraph: int
) -> None:
    (taken,) = parse_log(b"", f"{line}\n".encode()).replacements
    assert (taken.nodes, taken.total, taken.partitions) == (nodes, total, partitions)
    assert taken.subgraph == subgraph


@pytest.mark.parametrize(
    "prefix",
    [
        b"",
        b"05-30 15:16:44.857  3380  3380 I tflite  : ",
        b"I tflite  : ",
        b"I/tflite  ( 3380): ",
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_prefixes_and_line_ends(prefix: bytes, end: bytes) -> None:
    data = b"".join(prefix + line + end for line in OK.splitlines())
    assert parse_log(data).timed == OK_STATISTICS
    assert parse_log(data).settings["Num threads"] == "1"


def test_two_streams() -> None:
    """Real phones keep the runtime's lines apart; old versions print all to standard error."""
    is_runtime = re.compile(rb"VERBOSE|Initialized TensorFlow|Created TensorFlow")
    lines = OK.splitlines(keepends=True)
    stdout = b"".join(line for line in lines if not is_runtime.search(line))
    stderr = b"".join(line for line in lines if is_runtime.search(line))
    assert parse_log(stdout, stderr) == parse_log(OK)
    assert parse_log(b"", OK) == parse_log(OK)
    assert parse_log(stdout).timed == OK_STATISTICS
    assert not parse_log(stdout).runtime_spoke
    assert parse_log(OK, OK).timed is None  # two runs


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"min=433954", b"min=0", "min=0"),
        (b"max=477713", b"max=99999999999", "max="),
        (b"count=3 first=433954", b"count=3 first=933954", "first="),
        (b"median=453258", b"median=1", "median="),
        (b"avg=454975", b"avg=954975", "avg="),
        (b"std=17905", b"std=99999", "std="),
        (b"p5=433954 median=453258", b"p5=453258 median=433954", "percentiles"),
        (b"Inference (avg): 454975", b"Inference (avg): 354975", "summary says inference"),
        (b"First inference: 498697", b"First inference: 1", "summary says first"),
        (b"Warmup (avg): 498697", b"Warmup (avg): 1", "summary says warm-up"),
        (b"Init: 157995", b"Init: -157995", "initialization"),
        (b"count=3 ", b"count=0 ", "count=0"),
    ],
)
def test_numbers_that_disagree(old: bytes, new: bytes, reason: str) -> None:
    assert OK.count(old) == 1
    log = parse_log(OK.replace(old, new))
    assert log.complete
    assert log.timed is None
    assert log.problem is not None
    assert log.problem.failure_class == "invalid_numbers"
    assert reason in log.problem.message


@pytest.mark.parametrize("word", ["nan", "inf", "1e999", "1" * 40, "0x1F", "١٢", "-", ""])
def test_words_that_are_no_numbers(word: str) -> None:
    data = OK.replace(b"avg=454975", f"avg={word}".encode())
    log = parse_log(data.replace(b"(avg): 454975", f"(avg): {word}".encode()))
    assert log.timed is None


@pytest.mark.parametrize("name", NAMES)
def test_every_prefix(name: str) -> None:
    """A cut log gives the whole one's numbers or none; the warm-up's never pass for them."""
    data = (LOGS / name).read_bytes()
    whole = parse_log(data)
    summary = data.find(b"nference timings in us")
    end = data.find(b"\n", summary) + 1 if summary >= 0 else 0
    # The tables and texts after the summary are cut at every line, all before at every byte.
    cuts = {*range(min(len(data), end or 2000)), *(m.end() for m in re.finditer(rb"\n", data))}
    for cut in sorted(cuts):
        log = parse_log(data[:cut])
        check_plausible(log)
        assert log.timed == (whole.timed if end and cut >= end else None)


@MUTATIONS
@given(name=st.sampled_from(COMPLETE), seed=st.integers(0, 2**32), flips=st.integers(1, 30))
def test_flipped_bytes(name: str, seed: int, flips: int) -> None:
    generator = random.Random(seed)
    data = bytearray((LOGS / name).read_bytes())
    for _ in range(flips):
        data[generator.randrange(len(data))] = generator.randrange(256)
    check_plausible(parse_log(bytes(data)))


@MUTATIONS
@given(name=st.sampled_from(COMPLETE), seed=st.integers(0, 2**32), steps=st.integers(1, 8))
def test_duplicated_dropped_and_moved_lines(name: str, seed: int, steps: int) -> None:
    """No line is changed, so that a number can only be the true one."""
    generator = random.Random(seed)
    data = (LOGS / name).read_bytes()
    lines = data.splitlines(keepends=True)
    for _ in range(steps):
        place = generator.randrange(len(lines))
        kind = generator.randrange(4)
        if kind == 0:
            lines.insert(place, lines[generator.randrange(len(lines))])
        elif kind == 1 and len(lines) > 1:
            del lines[place]
        elif kind == 2:
            lines.insert(generator.randrange(len(lines)), lines.pop(place))
        else:
            lines[place] = lines[place] + bytes(generator.randrange(256) for _ in range(9)) + b"\n"
    log = parse_log(b"".join(lines))
    check_plausible(log)
    assert log.timed in (None, parse_log(data).timed)


@MUTATIONS
@given(names=st.tuples(st.sampled_from(COMPLETE), st.sampled_from(COMPLETE)), seed=st.integers(0))
def test_two_interleaved_logs(names: tuple[str, str], seed: int) -> None:
    """Two processes that write to one stream are no measurement."""
    generator = random.Random(seed)
    queues = [(LOGS / name).read_bytes().splitlines(keepends=True) for name in names]
    merged = []
    while any(queues):
        queue = generator.choice([queue for queue in queues if queue])
        merged.append(queue.pop(0))
    log = parse_log(b"".join(merged))
    assert log.timed is None
    assert log.problem is not None


@MUTATIONS
@given(
    parts=st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.sampled_from(OK.splitlines(keepends=True)),
            st.from_regex(rb"count=[0-9]{0,30} curr=[0-9.e+-]{0,30}\n", fullmatch=True),
        ),
        max_size=30,
    )
)
def test_anything(parts: list[bytes]) -> None:
    check_plausible(parse_log(b"".join(parts), b"".join(reversed(parts))))


@pytest.mark.parametrize(
    "line", [b"ERROR: x\n", b"\n", b"Unconsumed cmdline flags: a b c\n", b"count=1 curr=5\n"]
)
def test_huge_output_is_refused_and_little_of_it_kept(line: bytes) -> None:
    log = parse_log(OK + line * (LARGEST_LOG_BYTES // len(line)))
    assert log.problem is not None
    assert log.problem.failure_class == "bad_output"
    log = parse_log(OK + line * 20_000)
    assert len(log.errors) <= MOST_KEPT
    assert len(log.refused_flags) <= MOST_KEPT
    assert log.timed == (None if b"count=" in line else OK_STATISTICS)


@pytest.mark.parametrize("filler", [b" ", b"a", b"[", b"=", b"1", b": ["])
def test_a_very_long_line_is_shortened(filler: bytes) -> None:
    log = parse_log(b"ERROR: " + filler * 1_000_000 + b"\n" + OK)
    assert log.timed == OK_STATISTICS
    assert all(len(error) <= 300 for error in log.errors)

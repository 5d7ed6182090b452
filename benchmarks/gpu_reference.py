"""The five families on a GPU, as a Markdown table: `python -m benchmarks.gpu_reference`.

For a quiet machine with one NVIDIA GPU and a CUDA build of torch. Weights are random: the speed does
not depend on them. With `--store FILE` an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

import edgezoo
from edgezoo.measurement import Measurement
from edgezoo.plan import EXECUTIONS, MEMORY_FORMATS, PRECISIONS, Plan, Sweep
from edgezoo.report.numbers import ABSENT, decibels, mebibytes, milliseconds, significant

FAMILIES = (
    "shufflenet_v1",
    "mnasnet_a1",
    "efficientnet_b0",
    "dm_nfnet_f0",
    "residual_attention_56",
)
COLUMNS = (
    *("network", "execution", "precision", "layout", "batch", "latency, median", "95 % interval"),
    *("p90", "images/s", "peak memory", "SQNR", "status"),
)
LEFT = ("network", "execution", "precision", "layout", "status")


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code is 1 where a setting gave no number."""
    asked = _parser().parse_args(arguments)
    shape = tuple(map(int, asked.input.split("x"))) if asked.input else None
    result = edgezoo.bench_reference(
        asked.networks,
        device=asked.device,
        sweep=Sweep(
            executions=tuple(asked.execution),
            precisions=tuple(asked.precision),
            batches=tuple(asked.batch),
            memory_formats=tuple(asked.memory_format),
        ),
        plan=Plan(processes=asked.processes, warmup=asked.warmup, runs=asked.runs),
        weights="random",
        input=shape,
        store=asked.store,
        progress=lambda message: print(message, file=sys.stderr),
    )
    print(markdown(result.measurements))
    return int(any(m.status == "failed" for m in result.measurements))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.gpu_reference")
    parser.add_argument("networks", nargs="*", default=list(FAMILIES), metavar="NETWORK")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--execution", nargs="+", choices=EXECUTIONS[:3], default=[])
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS, default=["fp32", "tf32", "fp16"]
    )
    parser.add_argument(
        "--memory-format", nargs="+", choices=MEMORY_FORMATS, default=["channels-last"]
    )
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--input", help="as in 1x3x64x64; else each network's own")
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--store", help="keep the measurements in this .jsonl file")
    return parser


def markdown(measurements: Sequence[Measurement]) -> str:
    """Return where it was measured, the table, and why rows have no number."""
    lines = [_place(measurements[0]), "", _line(COLUMNS)]
    lines.append(_line("---" if column in LEFT else "---:" for column in COLUMNS))
    lines += [_line(_cells(m)) for m in measurements]
    doubted = [m for m in measurements if m.status != "ok"]
    notes = [
        f"- {m.message}" if m.status == "failed" else f"- {m.title}: {m.message}" for m in doubted
    ]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _place(measurement: Measurement) -> str:
    versions = measurement.versions
    known = [f"{n} {versions[n]}" for n in ("torch", "cuda", "cudnn", "driver") if n in versions]
    plan = measurement.plan
    return (
        f"{measurement.device.name} ({measurement.provenance}; {', '.join(known)}); median of "
        f"{plan.processes} processes x {plan.runs} runs; throughput from runs back to back."
    )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(measurement: Measurement) -> tuple[str, ...]:
    setting, latency = measurement.plan.reference, measurement.latency_ms
    assert setting is not None
    where = (setting.execution, setting.precision, setting.memory_format, str(setting.batch))
    if latency is None:
        status = f"failed ({measurement.failure_class})"
        return (measurement.artifact, *where, *[ABSENT] * 6, status)
    low, high = latency.interval
    throughput, memory_mib = measurement.throughput, measurement.peak_memory_mib
    return (
        measurement.artifact,
        *where,
        milliseconds(latency.median),
        f"{significant(low)}–{significant(high)}",
        ABSENT if latency.p90 is None else milliseconds(latency.p90),
        ABSENT if throughput is None else significant(throughput.images_per_s),
        ABSENT if memory_mib is None else mebibytes(memory_mib),
        decibels(measurement.delegate["sqnr_db"]),
        measurement.status,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

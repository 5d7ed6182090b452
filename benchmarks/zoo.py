"""One network of each family beside litert-torch and onnx2tf: conversion, files, errors, latency.

    python -m benchmarks.zoo --litert-torch PEER/bin/python --onnx2tf PEER2/bin/python --out DIR

PEER has ``benchmarks/requirements-litert-torch.txt``, PEER2 ``benchmarks/requirements-onnx2tf.txt``.
Random weights, the same for all. edgezoo's process also runs its file and compares it with PyTorch; the
peers' processes only write. A peer that fails is named with its last line; a file that is wrong by more
than 1e-4 of the largest output is marked so and is no rival in latency. ``--size 64 --runs 1 --processes 1``
is the quick look whether everything works.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import edgezoo
from benchmarks import litert
from benchmarks.main_job import ours, peer, table
from benchmarks.processes import Command, Cost, Failure, attempts, median
from edgezoo.converters.formats import ENTRIES
from edgezoo.errors import ArtifactError
from edgezoo.measuring import default_plan
from edgezoo.models.registry import get_model
from edgezoo.models.resolve import load_model
from edgezoo.samples import random_inputs
from edgezoo.stages import reference_outputs
from edgezoo.types import Shape, to_json

# The second word is what both command lines call the network.
MODELS = {
    "shufflenet_v1_g3_x1_0": "shufflenet_v1_g3_x1_0",
    "mnasnet_a1_x1_0": "mnasnet_a1_x1_0",
    "efficientnet_b0": "efficientnet_b0",
    "dm_nfnet_f0": "benchmarks.networks:dm_nfnet_f0",
    "residual_attention_56": "benchmarks.networks:residual_attention_56",
}
CONVERTERS = ("edgezoo", "litert-torch", "onnx2tf")
WRONG = 1e-4  # of the largest output; float32 sums in another order stay under 1e-5
INPUTS = 4
CONVERSION_SHARE = 1 / 3  # of litert-torch's CPU seconds: the aim


@dataclass(frozen=True, slots=True)
class File:
    """What one converter made of one network."""

    converter: str
    path: Path
    cost: Mapping[str, float] | None = None
    failure: str | None = None
    size_bytes: int | None = None
    operators: int | None = None
    partitions: int | None = None
    error: float | None = None
    latency_ms: float | None = None
    interval_ms: tuple[float, float] | None = None
    status: str | None = None

    @property
    def right(self) -> bool:
        return self.error is not None and self.error <= WRONG


def main() -> None:
    arguments = parse()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[File]] = {}
    for model in arguments.models:
        shape = input_shape(model, arguments.size)
        made = [looked_into(file, model, shape) for file in converted(model, shape, arguments)]
        results[model] = timed(made, arguments.processes)
        print(markdown({model: results[model]}), flush=True)
    (out / "zoo.json").write_text(json.dumps(to_json(results), indent=2))
    print(markdown(results))
    print(verdict(results))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--litert-torch", required=True, help="python of that environment")
    parser.add_argument("--onnx2tf", required=True, help="python of that environment")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=tuple(MODELS))
    parser.add_argument("--size", type=int, help="of the input, instead of the network's own")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--onnx2tf-runs", type=int, default=1, help="some take it minutes")
    parser.add_argument("--processes", type=int, default=7)
    return parser.parse_args()


def input_shape(model: str, size: int | None) -> Shape:
    shape = get_model(model).input
    return shape if size is None else (*shape[:2], size, size)


def converted(model: str, shape: Shape, arguments: argparse.Namespace) -> list[File]:
    """Run all converters in turn, whole processes, from PyTorch to a TFLite file."""
    out: Path = arguments.out
    words = (*network_words(model), "--input", "x".join(map(str, shape)))
    paths = {name: out / f"{model}_{name}.tflite" for name in CONVERTERS}
    paths["edgezoo"] = out / f"{MODELS[model].replace(':', '.')}_fp32.tflite"
    for path in paths.values():
        path.unlink(missing_ok=True)
    commands: dict[str, Command] = {
        "edgezoo": ours("convert", *words, "--to", "tflite", "--out", str(out), "--force"),
        "litert-torch": peer(
            arguments.litert_torch, "litert_torch_convert", str(paths["litert-torch"]), *words
        ),
        "onnx2tf": peer(arguments.onnx2tf, "onnx2tf_convert", str(paths["onnx2tf"]), *words),
    }
    runs = dict.fromkeys(CONVERTERS, arguments.runs) | {"onnx2tf": arguments.onnx2tf_runs}
    costs = attempts(commands, runs)
    return [File(name, paths[name], *summary(costs[name])) for name in CONVERTERS]


def network_words(model: str) -> tuple[str, ...]:
    """Return the network's name, and its random weights where it does not bring its own."""
    named = MODELS[model]
    return (named,) if ":" in named else (named, "--weights", "random")


def summary(costs: list[Cost] | Failure) -> tuple[dict[str, float] | None, str | None]:
    if isinstance(costs, Failure):
        lines = [line.strip() for line in costs.message.splitlines() if line.strip()]
        return None, f"does not convert: {(lines or ['no output'])[-1][:160]}"
    return {field: median(costs, field) for field in ("cpu_s", "peak_memory_mib", "wall_s")}, None


def looked_into(file: File, model: str, shape: Shape) -> File:
    """Return the file with what LiteRT makes of it, and its error against PyTorch."""
    if file.failure is not None:
        return file
    inputs = random_inputs(shape, INPUTS, seed=1)
    try:
        inspection = ENTRIES["tflite"].load(file.path).inspect()
        outputs = litert.outputs(file.path, inputs)
    except (ArtifactError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0][:160]
        return replace(file, failure=f"does not run in LiteRT: {reason}")
    named, *weights = network_words(model)
    loaded = load_model(named, weights=weights[-1] if weights else None, input=shape)
    (reference,) = reference_outputs(loaded, inputs)
    return replace(
        file,
        size_bytes=file.path.stat().st_size,
        operators=sum(inspection.ops.values()),
        partitions=inspection.partitions,
        error=float(np.abs(outputs - reference).max() / np.abs(reference).max()),
    )


def timed(files: list[File], processes: int) -> list[File]:
    """Time those that run, one thread, interleaved."""
    running = [file for file in files if file.failure is None]
    plan = replace(default_plan(), processes=processes)
    measurements = edgezoo.bench([file.path for file in running], plan=plan).measurements
    times = {}
    for file, measurement in zip(running, measurements, strict=True):
        latency = measurement.latency_ms
        times[file.converter] = {
            "latency_ms": latency and latency.median,
            "interval_ms": latency and latency.interval,
            "status": measurement.status,
        }
    return [replace(file, **times.get(file.converter, {})) for file in files]


def markdown(results: Mapping[str, list[File]]) -> str:
    header = (
        "network", "converter", "CPU s", "peak MiB", "MB", "operators", "partitions",
        "max rel", "ms [95 %]",
    )  # fmt: skip
    return table(header, [row(model, file) for model, files in results.items() for file in files])


def row(model: str, file: File) -> list[str]:
    spent = ["", ""]
    if file.cost is not None:
        spent = [f"{file.cost['cpu_s']:.2f}", f"{file.cost['peak_memory_mib']:.0f}"]
    if file.failure is not None:
        return [model, file.converter, *spent, "", "", "", "", file.failure]
    assert file.size_bytes is not None and file.error is not None
    shown = str(file.status)
    if file.latency_ms and file.interval_ms:
        low, high = file.interval_ms
        shown = f"{file.latency_ms:.2f} [{low:.2f}, {high:.2f}]"
        shown += "" if file.status == "ok" else f" {file.status}"
    return [
        model, file.converter, *spent, f"{file.size_bytes / 1e6:.2f}", str(file.operators),
        str(file.partitions), f"{file.error:.1e}" + ("" if file.right else " WRONG"), shown,
    ]  # fmt: skip


def verdict(results: Mapping[str, list[File]]) -> str:
    """Say for each network whether the aims are reached, by the medians above."""
    lines = []
    for model, files in results.items():
        found = {file.converter: file for file in files}
        mine, rival = found["edgezoo"], found["litert-torch"]
        times = [f.latency_ms for f in files if f is not mine and f.right and f.latency_ms]
        words = [f"{model}:"]
        if mine.cost and rival.cost:
            share = mine.cost["cpu_s"] / rival.cost["cpu_s"]
            words.append(
                f"{share:.2f} of litert-torch's CPU time ({met(share <= CONVERSION_SHARE)})"
            )
        if mine.latency_ms and times:
            share = mine.latency_ms / min(times)
            words.append(f"{share:.3f} of the best right peer's latency ({met(share <= 1)})")
        lines.append(" ".join(words))
    return "\n".join(lines)


def met(reached: bool) -> str:
    return "reached" if reached else "MISSED"


if __name__ == "__main__":
    main()

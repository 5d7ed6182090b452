"""Side by side with litert-torch, ai-edge-quantizer and onnxruntime's quantizer: the main job's targets.

    python -m benchmarks.main_job --peer-python PEER/bin/python --photos PHOTOS --out DIR

PEER is an environment with ``benchmarks/requirements-litert-torch.txt``; PHOTOS has the folders
``calibration`` and ``test`` of ``python -m benchmarks.demo_photos PHOTOS --crops 6 --split 0.5``.
Prints the tables of ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import edgezoo
from benchmarks import litert
from benchmarks.processes import Command, Cost, interleaved, median
from edgezoo.compare import compare
from edgezoo.converters.formats import ENTRIES
from edgezoo.measuring import default_plan
from edgezoo.models.resolve import load_model
from edgezoo.samples import load_photos
from edgezoo.stages import reference_outputs


@dataclass(frozen=True, slots=True)
class Network:
    """What to convert, as both command lines call it."""

    model: str
    weights: tuple[str, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        shape = ("--input", "1x3x224x224") if ":" in self.model else ()
        return (self.model, *(w for name in self.weights for w in ("--weights", name)), *shape)

    @property
    def stem(self) -> str:
        return self.model.replace(":", ".")


NETWORKS = {
    "ShuffleNet v1": Network("shufflenet_v1_g3_x1_0", ("random",)),
    "ShuffleNet v1, ReLU before concat": Network(
        "benchmarks.networks:shufflenet_relu_before_concat", ()
    ),
    "MnasNet-A1": Network("mnasnet_a1_x1_0", ("random",)),
    "EfficientNet-Lite0": Network("efficientnet_lite0", ("default",)),
}
LITE0 = NETWORKS["EfficientNet-Lite0"]
ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    arguments = parse()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    inputs = save_inputs(arguments.photos, out)
    results: dict[str, Any] = {"conversion": conversions(arguments, out)}
    results["quantization"] = quantizations(arguments, out, inputs)
    results["files"] = files(out)
    results["latency"] = latencies(out, arguments.processes)
    results["accuracy"] = accuracies(arguments.photos, out)
    (out / "main_job.json").write_text(json.dumps(results, indent=2))
    print(markdown(results))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--processes", type=int, default=7)
    return parser.parse_args()


def save_inputs(photos: Path, out: Path) -> Path:
    """Prepare the calibration photos once, for the peers that want arrays."""
    loaded = load_model("efficientnet_lite0", weights="default")
    np.save(
        out / "calibration.npy", load_photos(photos / "calibration", loaded.preprocessing).arrays
    )
    return out / "calibration.npy"


def ours(*words: str) -> Command:
    return Command((sys.executable, "-m", "edgezoo.cli", *words), {})


def peer(python: str, module: str, *words: str) -> Command:
    return Command((python, "-m", f"benchmarks.peers.{module}", *words), {"PYTHONPATH": str(ROOT)})


def conversions(arguments: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Whole processes, PyTorch to verified TFLite (ours) and to TFLite (litert-torch)."""
    results = {}
    for label, network in NETWORKS.items():
        target = str(out / f"{network.stem}_litert_torch.tflite")
        commands = {
            "edgezoo": ours(
                "convert", *network.arguments, "--to", "tflite", "--out", str(out), "--force"
            ),
            "litert-torch": peer(
                arguments.peer_python, "litert_torch_convert", target, *network.arguments
            ),
        }  # fmt: skip
        results[label] = summary(interleaved(commands, arguments.runs))
    return results


def quantizations(arguments: argparse.Namespace, out: Path, inputs: Path) -> dict[str, Any]:
    """Whole processes: from PyTorch (ours), from a float file that is there already (the peers)."""
    quantize = (
        "quantize",
        "efficientnet_lite0",
        "--weights",
        "default",
        "--out",
        str(out),
        "--force",
    )
    photos = str(arguments.photos / "calibration")
    interleaved(
        {
            "onnx": ours(
                "convert", "efficientnet_lite0", "--to", "onnx", "--out", str(out), "--force"
            )
        },
        1,
    )
    source = str(out / "efficientnet_lite0_litert_torch.tflite")
    commands = {
        "edgezoo": ours(*quantize, "--samples", photos, "--to", "tflite"),
        "ai-edge-quantizer": peer(
            arguments.peer_python, "ai_edge_quantize", source, str(inputs),
            str(out / "efficientnet_lite0_aeq.tflite"), "default",
        ),
        "ai-edge-quantizer min_max": peer(
            arguments.peer_python, "ai_edge_quantize", source, str(inputs),
            str(out / "efficientnet_lite0_aeq_min_max.tflite"), "min_max",
        ),
        "onnxruntime": peer(
            sys.executable, "onnxruntime_quantize", str(out / "efficientnet_lite0_fp32.onnx"),
            str(inputs), str(out / "efficientnet_lite0_ort.onnx"),
        ),
    }  # fmt: skip
    results = summary(interleaved(commands, max(arguments.runs // 2, 1)))
    for network in NETWORKS.values():
        if network is LITE0:
            continue
        source = str(out / f"{network.stem}_litert_torch.tflite")
        target = str(out / f"{network.stem}_aeq.tflite")
        commands = {
            "edgezoo": ours(
                "quantize", *network.arguments, "--samples", photos, "--out", str(out),
                "--to", "tflite", "--force",
            ),
            "peer": peer(
                arguments.peer_python, "ai_edge_quantize", source, str(inputs), target, "default"
            ),
        }  # fmt: skip
        interleaved(commands, 1)
    return results


def summary(costs: dict[str, list[Cost]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            field: round(median(items, field), 2)
            for field in ("cpu_s", "peak_memory_mib", "wall_s")
        }
        for name, items in costs.items()
    }


def variants(stem: str) -> dict[str, str]:
    return {
        "fp32 edgezoo": f"{stem}_fp32.tflite",
        "fp32 litert-torch": f"{stem}_litert_torch.tflite",
        "w8a8 edgezoo": f"{stem}_w8a8.tflite",
        "w8a8 ai-edge-quantizer": f"{stem}_aeq.tflite",
    }


def files(out: Path) -> dict[str, Any]:
    """Size, XNNPACK partitions, operators; fp32 error from the manifest."""
    results: dict[str, Any] = {}
    for model, network in NETWORKS.items():
        for label, name in variants(network.stem).items():
            inspection = ENTRIES["tflite"].load(out / name).inspect()
            manifest = out / f"{name}.json"
            comparison = json.loads(manifest.read_text())["comparison"] if manifest.exists() else {}
            results.setdefault(model, {})[label] = {
                "bytes": (out / name).stat().st_size,
                "partitions": inspection.partitions,
                "operators": sum(inspection.ops.values()),
                "max_rel": comparison.get("max_rel"),
            }
    return results


def latencies(out: Path, processes: int) -> dict[str, Any]:
    """Latency in LiteRT, one thread, all files of one model interleaved."""
    results: dict[str, Any] = {}
    for model, network in NETWORKS.items():
        plan = replace(default_plan(), processes=processes, warmup=10)
        names = variants(network.stem)
        measured = edgezoo.bench([out / name for name in names.values()], plan=plan).measurements
        for label, measurement in zip(names, measured, strict=True):
            latency = measurement.latency_ms
            results.setdefault(model, {})[label] = {
                "median": latency and latency.median,
                "interval": latency and latency.interval,
                "status": measurement.status,
            }
    return results


def accuracies(photos: Path, out: Path) -> dict[str, Any]:
    """Lite0 against PyTorch, on photos whose sources no calibration saw."""
    loaded = load_model("efficientnet_lite0", weights="default")
    inputs = load_photos(photos / "test", loaded.preprocessing).arrays
    reference = reference_outputs(loaded, inputs)
    candidates = {
        "edgezoo": out / "efficientnet_lite0_w8a8.tflite",
        "ai-edge-quantizer": out / "efficientnet_lite0_aeq.tflite",
        "ai-edge-quantizer min_max": out / "efficientnet_lite0_aeq_min_max.tflite",
        "onnxruntime": out / "efficientnet_lite0_ort.onnx",
    }
    results = {}
    for name, path in candidates.items():
        outputs = _run(path, inputs)
        comparison = compare(reference, outputs)
        results[name] = {
            "sqnr_db": comparison.sqnr_db,
            "top1_agreement": round(comparison.top1_agreement, 3),
            "photos": comparison.samples,
        }
    return results


def _run(path: Path, inputs: np.ndarray) -> list[np.ndarray]:
    if path.suffix == ".onnx":
        return ENTRIES["onnx"].load(path).run(inputs)
    return [litert.outputs(path, inputs)]


def markdown(results: dict[str, Any]) -> str:
    return "\n\n".join(
        (
            table(
                ("PyTorch → TFLite", "edgezoo CPU s / MiB", "litert-torch", "CPU ratio", "memory"),
                [conversion_row(model, row) for model, row in results["conversion"].items()],
            ),
            table(
                ("Lite0 int8", "CPU s", "peak MiB", "SQNR dB", "agreement"),
                [
                    quantization_row(name, row, results["accuracy"][name])
                    for name, row in results["quantization"].items()
                ],
            ),
            table(
                ("file", "MB", "partitions", "operators", "max rel", "ms [95 %]", "ratio"),
                [
                    latency_row(model, label, rows, results["files"][model][label])
                    for model, rows in results["latency"].items()
                    for label in rows
                ],
            ),
        )
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def conversion_row(model: str, row: dict[str, Any]) -> list[str]:
    ours_, peers = row["edgezoo"], row["litert-torch"]
    return [
        model,
        f"{ours_['cpu_s']} / {ours_['peak_memory_mib']:.0f}",
        f"{peers['cpu_s']} / {peers['peak_memory_mib']:.0f}",
        f"{ours_['cpu_s'] / peers['cpu_s']:.2f}",
        f"{ours_['peak_memory_mib'] / peers['peak_memory_mib']:.2f}",
    ]


def quantization_row(name: str, row: dict[str, Any], accuracy: dict[str, Any]) -> list[str]:
    return [
        name,
        str(row["cpu_s"]),
        f"{row['peak_memory_mib']:.0f}",
        f"{accuracy['sqnr_db']:.2f}",
        f"{accuracy['top1_agreement']:.3f}",
    ]


def latency_row(model: str, label: str, rows: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """Ratios are to the peer's file of the same precision."""
    peer_name = "fp32 litert-torch" if label.startswith("fp32") else "w8a8 ai-edge-quantizer"
    row, base = rows[label], rows[peer_name]
    shown, ratio = row["status"], ""
    if row["median"]:
        low, high = row["interval"]
        shown = f"{row['median']:.2f} [{low:.2f}, {high:.2f}]"
        shown += "" if row["status"] == "ok" else f" {row['status']}"
        ratio = f"{row['median'] / base['median']:.2f}"
    return [
        f"{model} {label}",
        f"{facts['bytes'] / 1e6:.2f}",
        str(facts["partitions"]),
        str(facts["operators"]),
        "" if facts["max_rel"] is None else f"{facts['max_rel']:.1e}",
        shown,
        ratio,
    ]


if __name__ == "__main__":
    main()

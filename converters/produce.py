"""From a graph to a verified artifact on disk: write, run, compare, publish, in that order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from edgezoo.artifacts import artifact_of, describe_data, file_sha256, publish
from edgezoo.converters.formats import ENTRIES
from edgezoo.converters.verify import Check, verify_file
from edgezoo.graph.graph import Graph
from edgezoo.graph.ops import OPS
from edgezoo.types import (
    Artifact,
    Format,
    Inspection,
    IoDtype,
    Origin,
    Preprocessing,
    Recipe,
    to_json,
)

RUNTIMES: Mapping[Format, tuple[str, ...]] = {
    "tflite": ("ai-edge-litert", "flatbuffers"),
    "onnx": ("onnx", "onnxruntime"),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One artifact to make, all but its graph. ``float_graph`` makes the graph that PyTorch's outputs
    belong to once more, should it be needed; ``nodes`` and ``macs`` are counted on it.
    """

    path: Path
    format: Format
    recipe: Recipe
    check: Check
    float_graph: Callable[[], Graph] = field(repr=False)
    origin: Origin
    preprocessing: Preprocessing
    key: str
    nodes: int
    macs: int
    params: int
    io_dtype: IoDtype = "float32"
    published: Mapping[str, Any] = field(default_factory=dict)
    quantization: Mapping[str, Any] | None = None
    parent: str | None = None


def write(graph: Graph, format: Format, io_dtype: IoDtype, file: Path) -> None:
    """Write a graph into a staged file, and what belongs to it beside it."""
    ENTRIES[format].write(graph, io_dtype, file)


def produce(job: Job, file: Path) -> Artifact:
    """Verify a written file and publish it as the job's artifact.

    Raises:
        OutputError: the artifact cannot be written.
        VerificationError: it is too far from PyTorch.
        NonFiniteError: it computes NaN or infinity.
    """
    runner = ENTRIES[job.format].load(file)
    comparison = verify_file(
        runner, file, job.format, job.recipe, job.check, job.float_graph, name=job.path
    )
    manifest = _manifest(job, file, to_json(comparison), runner.inspect())
    publish(file, job.path, manifest)
    return artifact_of(job.path, manifest)


def count_macs(graph: Graph) -> int:
    """Return the multiply-accumulates of convolutions and matrix products."""
    return sum(
        OPS[node.op].macs(
            node.attrs, [graph.shape(name) for name in node.inputs], graph.shape(node.output)
        )
        for node in graph.nodes
    )


def versions(format: Format) -> dict[str, str]:
    """Return the versions of everything that shaped the file."""
    names = ("edgezoo", "torch", "numpy", *RUNTIMES[format])
    return {name: metadata.version(name) for name in names}


def _manifest(job: Job, file: Path, comparison: Any, inspection: Inspection) -> dict[str, Any]:
    data = describe_data(file)
    return {
        "schema": 1,
        "path": job.path.name,
        "format": job.format,
        "recipe": job.recipe.name,
        "io_dtype": job.io_dtype,
        "sha256": file_sha256(file),
        "bytes": file.stat().st_size + (0 if data is None else data["bytes"]),
        "data": data,
        "model": job.origin.model,
        "parent": job.parent,
        "comparison": comparison,
        "origin": to_json(job.origin),
        "key": job.key,
        "graph": {
            "nodes": job.nodes,
            "ops": dict(sorted(inspection.ops.items())),
            "params": job.params,
            "macs": job.macs,
        },
        "partitions": inspection.partitions,
        "published": to_json(job.published),
        "quantization": to_json(job.quantization),
        "preprocessing": to_json(job.preprocessing),
        "versions": versions(job.format),
    }

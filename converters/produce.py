"""From a graph to a verified artifact on disk: write, run, compare, publish, in that order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgezoo.artifacts import artifact_of, file_sha256, publish, staged
from edgezoo.converters.formats import ENTRIES
from edgezoo.converters.verify import verify_file
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

Array = np.ndarray[Any, np.dtype[Any]]

RUNTIMES: Mapping[Format, tuple[str, ...]] = {
    "tflite": ("ai-edge-litert", "flatbuffers"),
    "onnx": ("onnx", "onnxruntime"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """Inputs (n, …) to verify with, PyTorch's outputs for them, and what the inputs are."""

    inputs: Array = field(repr=False)
    reference: Sequence[Array] = field(repr=False)
    source: str
    held_out: bool | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One artifact to make. ``float_graph`` is what ``graph`` was quantized from, or ``graph`` itself."""

    path: Path
    format: Format
    recipe: Recipe
    graph: Graph = field(repr=False)
    float_graph: Graph = field(repr=False)
    check: Check
    origin: Origin
    preprocessing: Preprocessing
    key: str
    io_dtype: IoDtype = "float32"
    published: Mapping[str, Any] = field(default_factory=dict)
    quantization: Mapping[str, Any] | None = None
    parent: str | None = None
    params: int = 0


def produce(job: Job) -> Artifact:
    """Write, verify and publish one artifact; nothing stays on disk if any step fails.

    Raises:
        OutputError: the file cannot be written.
        VerificationError: it is too far from PyTorch.
        NonFiniteError: it computes NaN or infinity.
    """
    with staged(job.path) as temporary:
        data = ENTRIES[job.format].write(job.graph, job.io_dtype)
        temporary.write_bytes(data)
        del data
        runner = ENTRIES[job.format].load(temporary)
        comparison = verify_file(
            runner,
            temporary,
            job.format,
            job.recipe,
            job.check.inputs,
            job.check.reference,
            job.float_graph,
            source=job.check.source,
            held_out=job.check.held_out,
            name=job.path,
        )
        manifest = _manifest(job, temporary, to_json(comparison), runner.inspect())
        publish(temporary, job.path, manifest)
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
    return {
        "schema": 1,
        "path": job.path.name,
        "format": job.format,
        "recipe": job.recipe.name,
        "io_dtype": job.io_dtype,
        "sha256": file_sha256(file),
        "bytes": file.stat().st_size,
        "model": job.origin.model,
        "parent": job.parent,
        "comparison": comparison,
        "origin": to_json(job.origin),
        "key": job.key,
        "graph": {
            "nodes": len(job.graph.nodes),
            "ops": dict(sorted(inspection.ops.items())),
            "params": job.params or constants_size(job.float_graph),
            "macs": count_macs(job.float_graph),
        },
        "partitions": inspection.partitions,
        "published": to_json(job.published),
        "quantization": to_json(job.quantization),
        "preprocessing": to_json(job.preprocessing),
        "versions": versions(job.format),
    }


def constants_size(graph: Graph) -> int:
    """Return how many numbers the graph's constants hold."""
    return sum(prod(array.shape) for array in graph.constants.values())

"""From a graph to artifacts in a folder: what is there already, what is missing, in which order."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgezoo import artifacts
from edgezoo.converters.produce import Job, count_macs, produce, write
from edgezoo.converters.verify import Check
from edgezoo.errors import ArtifactError
from edgezoo.graph.graph import Graph
from edgezoo.graph.runtime import return_memory
from edgezoo.quantization.recipes import get_recipe
from edgezoo.types import SUFFIXES, Artifact, Format, IoDtype, LoadedModel, Recipe

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a verb is asked to make: one model in some formats, in one folder."""

    loaded: LoadedModel
    recipe: Recipe
    io_dtype: IoDtype
    folder: Path
    formats: tuple[Format, ...]
    key: str
    force: bool = False
    with_photos: bool = False

    def path(self, format: Format) -> Path:
        """Return where the artifact of ``format`` goes."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "_", self.loaded.name)
        io = "_int8io" if self.io_dtype == "int8" else ""
        return self.folder / f"{stem}_{self.recipe.name}{io}{SUFFIXES[format]}"


@dataclass(frozen=True, slots=True)
class Made:
    """A graph ready to be written, and what to verify it with.

    ``float_graph`` makes the graph it was quantized from (or itself) once more.
    """

    graph: Graph = field(repr=False)
    float_graph: Callable[[], Graph] = field(repr=False)
    check: Check
    quantization: Mapping[str, Any] | None = None


def make(wanted: Wanted, build: Callable[[], Made], progress: Progress) -> tuple[Artifact, ...]:
    """Return the wanted artifacts, making those that no identical earlier run left behind.

    All files are written before the first is run: by then the graph's weights can be let go.
    """
    found = {format: _existing(wanted, format) for format in wanted.formats}
    missing = [format for format, artifact in found.items() if artifact is None]
    with ExitStack() as stack:
        files = {
            format: stack.enter_context(artifacts.staged(wanted.path(format))) for format in missing
        }
        made = build() if missing else None
        for format, file in files.items():
            assert made is not None
            progress(f"writing {wanted.path(format).name}")
            write(made.graph, format, wanted.io_dtype, file)
        jobs = {format: _job(wanted, format, made) for format in missing if made is not None}
        del made
        return_memory()
        for format, job in jobs.items():
            progress(f"verifying {job.path.name}")
            found[format] = produce(job, files[format])
    return tuple(artifact for artifact in found.values() if artifact is not None)


def _existing(wanted: Wanted, format: Format) -> Artifact | None:
    """Return what an earlier run left, unless it was compared on less than is asked for now."""
    if wanted.force:
        return None
    artifact = artifacts.find_existing(wanted.path(format), wanted.key)
    compared_on_less = artifact is not None and artifact.comparison.inputs == "random"
    return None if compared_on_less and wanted.with_photos else artifact


def _job(wanted: Wanted, format: Format, made: Made) -> Job:
    loaded = wanted.loaded
    return Job(
        path=wanted.path(format),
        format=format,
        recipe=wanted.recipe,
        check=made.check,
        float_graph=made.float_graph,
        origin=loaded.origin,
        preprocessing=loaded.preprocessing,
        key=wanted.key,
        nodes=len(made.graph.nodes),
        macs=count_macs(made.graph),
        params=sum(p.numel() for p in loaded.module.parameters()),
        io_dtype=wanted.io_dtype,
        published={} if loaded.spec is None else loaded.spec.published,
        quantization=made.quantization,
        parent=_parent(wanted, format),
    )


def _parent(wanted: Wanted, format: Format) -> str | None:
    """Return the sha256 of the float artifact beside a quantized one, if it is of the same network."""
    if wanted.recipe.weight_bits is None:
        return None
    path = dataclasses.replace(wanted, recipe=get_recipe("fp32"), io_dtype="float32").path(format)
    try:
        manifest = artifacts.read_manifest(path)
    except ArtifactError:
        return None
    same = artifacts.origin_of(manifest) == wanted.loaded.origin
    return str(manifest["sha256"]) if same else None

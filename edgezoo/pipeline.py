"""The verbs, noun to noun; the command line and the Python API are these functions.

Heavy libraries are imported inside, so that ``import edgezoo`` stays quick. Verbs that make files are
resumable: what an identical finished run left in the folder is used again, by hash; what another run
left there is never overwritten without ``force``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

from edgezoo import artifacts
from edgezoo.types import (
    FORMATS,
    SUFFIXES,
    Artifact,
    BenchResult,
    ConversionResult,
    Format,
    IoDtype,
    LoadedModel,
    Measurement,
    ModelInfo,
    ModelSpec,
    Plan,
    ReportFiles,
    RunResult,
    Shape,
    VerificationResult,
)

if TYPE_CHECKING:
    from torch import nn

    Model = Union[str, Path, nn.Module, ModelSpec, LoadedModel]

Progress = Callable[[str], None]

RESULTS = "results.jsonl"
GALLERY = "gallery.json"
GALLERY_PHOTOS = 24


def _silent(message: str) -> None:
    """Report nothing."""


def get_model(name: str) -> ModelSpec:
    """Return a zoo model's specification; ``get_model(name).build()`` gives the module.

    Raises:
        ModelNotFoundError: no such model; the nearest names are listed.
    """
    from edgezoo.models.registry import get_model as find

    return find(name)


def list_models() -> tuple[ModelInfo, ...]:
    """Return what is known of every model in the zoo."""
    from edgezoo.models.registry import list_models as specs
    from edgezoo.models.resolve import model_info

    return tuple(model_info(spec) for spec in specs())


def info(model: Model, *, input: Shape | None = None) -> ModelInfo:
    """Return name, family, exact parameters and MACs, and published numbers of a network.

    Raises:
        ModelNotFoundError: MODEL names nothing.
        UsageError: a user's network without ``input`` (batch, channels, height, width).
    """
    from edgezoo.models.resolve import model_info

    if isinstance(model, (str, Path)) and Path(model).suffix in SUFFIXES.values():
        origin = artifacts.origin_of(artifacts.read_manifest(Path(model)))
        return model_info(origin.model, input or origin.input)
    return model_info(str(model) if isinstance(model, Path) else model, input)


def convert(
    model: Model,
    *,
    to: Format | Sequence[Format] = "tflite",
    out: str | Path = ".",
    weights: str | None = None,
    seed: int = 0,
    input: Shape | None = None,
    samples: str | Path | None = None,
    skip_bad: bool = False,
    force: bool = False,
    progress: Progress = _silent,
) -> ConversionResult:
    """Write a network as float32 model files, each run and compared with PyTorch.

    ``model`` is a zoo name, ``package.module:factory``, an artifact's path, a module or a
    specification; ``input`` its shape (batch, channels, height, width). The comparison is on the
    photos in ``samples``, or on seeded random numbers.

    Raises:
        EdgezooError: one of its subclasses, saying the thing, the value and the next step.
    """
    from edgezoo import stages
    from edgezoo.quantization.recipes import get_recipe

    formats = stages.formats(to)
    artifacts.prepare_folder(Path(out))
    loaded = stages.load(model, weights=weights, seed=seed, input=input)
    photos = None if samples is None else stages.photos_for(loaded, samples, skip_bad)
    recipe = get_recipe("fp32")
    key = artifacts.key_of(
        origin=loaded.origin, recipe=recipe, photos=None if photos is None else photos.sha256
    )
    wanted = stages.Wanted(loaded, recipe, "float32", Path(out), formats, key, force)

    def build() -> stages.Made:
        check = (
            stages.random_check(loaded, seed)
            if photos is None
            else stages.check_on(loaded, photos.arrays[: stages.CHECK_PHOTOS], "photos")
        )
        graph = stages.captured(loaded, progress)
        return stages.Made(graph, graph, check)

    return ConversionResult(stages.make(wanted, build, progress))


def quantize(
    model: Model,
    *,
    samples: str | Path,
    to: Format | Sequence[Format] = "tflite",
    recipe: str = "w8a8",
    out: str | Path = ".",
    weights: str | None = None,
    seed: int = 0,
    input: Shape | None = None,
    io_dtype: IoDtype = "float32",
    skip_bad: bool = False,
    force: bool = False,
    progress: Progress = _silent,
) -> ConversionResult:
    """Write a network as int8 model files, calibrated on the photos in the folder ``samples``.

    The photos are split by content: about 70 % calibrate, 15 % choose the range rule, and the
    comparison is on the remaining 15 %. ``io_dtype`` is the type of a TFLite file's inputs and outputs.

    Raises:
        EdgezooError: one of its subclasses, saying the thing, the value and the next step.
    """
    from edgezoo import stages
    from edgezoo.quantization.recipes import get_quantized_recipe
    from edgezoo.samples import split_photos

    formats = stages.formats(to)
    numbers = get_quantized_recipe(recipe)
    artifacts.prepare_folder(Path(out))
    loaded = stages.load(model, weights=weights, seed=seed, input=input)
    photos = stages.photos_for(loaded, samples, skip_bad)
    key = artifacts.key_of(
        origin=loaded.origin, recipe=numbers, photos=photos.sha256, io_dtype=io_dtype
    )
    wanted = stages.Wanted(loaded, numbers, io_dtype, Path(out), formats, key, force)

    def build() -> stages.Made:
        return stages.quantized(loaded, photos, split_photos(photos), progress)

    return ConversionResult(stages.make(wanted, build, progress))


def verify(
    path: str | Path,
    *,
    samples: str | Path | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> VerificationResult:
    """Run an artifact again and compare it with its PyTorch network, built anew from its manifest.

    Raises:
        ArtifactError: the file was changed since it was written, or its network cannot be rebuilt.
        VerificationError: it is under its recipe's floor; the first bad value is named.
    """
    from edgezoo import stages
    from edgezoo.converters.verify import verify_file
    from edgezoo.quantization.recipes import get_recipe

    file = Path(path)
    manifest = artifacts.read_manifest(file)
    if artifacts.file_sha256(file) != manifest["sha256"]:
        raise artifacts.ArtifactError(
            f"{file} was changed after it was written (its sha256 is not the manifest's); "
            "convert the model again"
        )
    loaded = stages.load(file, weights=None, seed=seed, input=None)
    if samples is None:
        check = stages.random_check(loaded, seed)
    else:
        photos = stages.photos_for(loaded, samples, skip_bad)
        check = stages.check_on(loaded, photos.arrays[: stages.CHECK_PHOTOS], "photos")
    graph = stages.captured(loaded, _silent)
    comparison = verify_file(
        file,
        manifest["format"],
        get_recipe(manifest["recipe"]),
        check.inputs,
        check.reference,
        graph,
        source=check.source,
    )
    stored = artifacts.artifact_of(file, manifest)
    return VerificationResult((dataclasses.replace(stored, comparison=comparison),))


def bench(
    paths: Sequence[str | Path],
    *,
    plan: Plan | None = None,
    store: str | Path | None = None,
    progress: Progress = _silent,
) -> BenchResult:
    """Time artifacts on this machine, interleaved; append the measurements to ``store`` (JSONL).

    Raises:
        UsageError, ArtifactError, BenchmarkError: nothing was measured, and why.
        OutputError: the store cannot be written.
    """
    from edgezoo import results
    from edgezoo.devices.protocol import measure

    measurements = measure(
        [Path(path) for path in paths],
        plan or Plan(),
        on_progress=lambda p: progress(f"timing {p.artifact}: process {p.done + 1} of {p.total}"),
    )
    if store is not None:
        results.append(Path(store), measurements)
    return BenchResult(measurements)


def report(folder: str | Path) -> ReportFiles:
    """Write ``report.html`` and ``report.md`` from the manifests and results in ``folder``.

    Raises:
        ArtifactError: there is nothing to report, or a file is damaged.
        OutputError: the report cannot be written.
    """
    from edgezoo.report import read_report_data, write_report

    return write_report(read_report_data(Path(folder)), Path(folder))


def run(
    model: Model,
    *,
    samples: str | Path,
    out: str | Path,
    to: Sequence[Format] = FORMATS,
    weights: str | None = None,
    seed: int = 0,
    input: Shape | None = None,
    recipe: str = "w8a8",
    plan: Plan | None = None,
    skip_bad: bool = False,
    force: bool = False,
    progress: Progress = _silent,
) -> RunResult:
    """Do everything: convert, quantize, verify, time on this machine, and report, into ``out``.

    Raises:
        EdgezooError: one of its subclasses, saying the thing, the value and the next step.
    """
    from edgezoo import stages

    artifacts.prepare_folder(Path(out))
    loaded = stages.load(model, weights=weights, seed=seed, input=input)
    made = (
        *convert(
            loaded, to=to, out=out, samples=samples, skip_bad=skip_bad, force=force, progress=progress
        ).artifacts,
        *quantize(
            loaded, to=to, out=out, samples=samples, skip_bad=skip_bad, force=force, progress=progress,
            recipe=recipe,
        ).artifacts,
    )  # fmt: skip
    progress("showing every artifact the photos")
    photos = stages.photos_for(loaded, samples, skip_bad)
    gallery = stages.gallery_of(loaded, made, photos, GALLERY_PHOTOS)
    artifacts.write_json(Path(out) / GALLERY, gallery)
    measurements = _measured(made, plan or Plan(), Path(out) / RESULTS, progress)
    progress("writing the report")
    return RunResult(made, measurements, report(out))


def _measured(
    made: Sequence[Artifact], plan: Plan, store: Path, progress: Progress
) -> tuple[Measurement, ...]:
    """Return measurements of all artifacts, timing only those that the store does not hold yet."""
    from edgezoo import results

    known = {
        m.artifact_sha256: m
        for m in (results.read(store).measurements if store.exists() else ())
        if m.plan == plan and m.status == "ok" and m.provenance == "host"
    }
    missing = [a.path for a in made if a.sha256 not in known]
    if missing:
        fresh = bench(missing, plan=plan, store=store, progress=progress).measurements
        known |= {m.artifact_sha256: m for m in fresh}
    return tuple(known[a.sha256] for a in made)

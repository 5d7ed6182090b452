"""The verbs, noun to noun; the command line and the Python API are these functions.

Heavy libraries are imported inside, so that ``import edgezoo`` stays quick. Verbs that make files are
resumable: what an identical finished run left in the folder is used again, by hash; what another run
left there is never overwritten without ``force``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgezoo import artifacts
from edgezoo.errors import UsageError, VerificationError

# The command line and `import edgezoo` find all verbs here.
from edgezoo.looking import get_model as get_model
from edgezoo.looking import info as info
from edgezoo.looking import list_models as list_models
from edgezoo.looking import plot_models as plot_models
from edgezoo.looking import refuse_unknown
from edgezoo.measurement import Measurement
from edgezoo.measuring import bench as bench
from edgezoo.measuring import bench_reference as bench_reference
from edgezoo.measuring import build_runner as build_runner
from edgezoo.measuring import compare_stores as compare_stores
from edgezoo.measuring import default_plan as default_plan
from edgezoo.measuring import devices as devices
from edgezoo.measuring import import_results as import_results
from edgezoo.measuring import read_plan as read_plan
from edgezoo.measuring import save_plan as save_plan
from edgezoo.plan import Plan
from edgezoo.types import (
    FORMATS,
    Artifact,
    ConversionResult,
    Format,
    IoDtype,
    LoadedModel,
    LoadedWeights,
    ModelSpec,
    ReportFiles,
    RunResult,
    Shape,
    VerificationResult,
)

if TYPE_CHECKING:
    from torch import nn

    from edgezoo.samples import PhotoSet

    Named = str | Path | nn.Module | ModelSpec
    Model = Named | LoadedModel
    Samples = str | Path | PhotoSet

Progress = Callable[[str], None]

RESULTS = "results.jsonl"
GALLERY = "gallery.json"
GALLERY_PHOTOS = 24


def _silent(message: str) -> None:
    """Report nothing."""


def load_weights(
    model: nn.Module,
    source: str | Path | Mapping[str, Any],
    flavour: str = "auto",
    *,
    progress: Progress = _silent,
) -> LoadedWeights:
    """Load weights into a module in place, all of them or none, and return what they are.

    ``source`` is a file (.pth, .pt, .safetensors, .npz), the name of a published source of a network
    from ``get_model(name).build()``, or a state dict; whose names its keys are is recognised.
    ``flavour`` says what the weights were trained as where the names do not, such as ``tf`` for timm's
    names, or whose they are, such as ``megvii``; ``native`` loads them without that check.

    Raises:
        WeightsMismatchError: keys that are missing, unexpected or of another shape, all of them.
        WeightsError: a file that cannot be read or downloaded, or weights that were trained for a
            network built with other options.
        UsageError: there is no such flavour.
    """
    from edgezoo.models.load import load_weights as load

    return load(model, source, flavour, progress)


def convert(
    model: Model,
    *,
    to: Format | Sequence[Format] = "tflite",
    out: str | Path = ".",
    weights: str | None = None,
    seed: int = 0,
    input: Shape | None = None,
    options: Mapping[str, Any] | None = None,
    samples: Samples | None = None,
    skip_bad: bool = False,
    force: bool = False,
    progress: Progress = _silent,
) -> ConversionResult:
    """Write a network as float32 model files, each run and compared with PyTorch.

    ``model`` is a zoo name, ``package.module:factory``, an artifact's path, a module or a
    specification; ``input`` its shape (batch, channels, height, width); ``options`` go to a zoo
    network's builder. The comparison is on the photos in ``samples``, or on seeded random numbers.

    Raises:
        EdgezooError: one of its subclasses, saying the thing, the value and the next step.
    """
    refuse_unknown(model)
    from edgezoo import making, stages
    from edgezoo.quantization.recipes import get_recipe

    formats = stages.formats(to)
    with artifacts.output_folder(Path(out)) as folder:
        loaded = stages.load(
            model, weights=weights, seed=seed, input=input, options=options, progress=progress
        )
        photos = None if samples is None else stages.photos_for(loaded, samples, skip_bad, progress)
        recipe = get_recipe("fp32")
        key = artifacts.key_of(origin=loaded.origin, recipe=recipe)
        wanted = making.Wanted(
            loaded, recipe, "float32", folder, formats, key, force, photos is not None
        )
        made = making.make(
            wanted, partial(stages.converted, loaded, photos, seed, formats, progress), progress
        )
    return ConversionResult(made)


def quantize(
    model: Model,
    *,
    samples: Samples,
    to: Format | Sequence[Format] = "tflite",
    recipe: str = "w8a8",
    out: str | Path = ".",
    weights: str | None = None,
    seed: int = 0,
    input: Shape | None = None,
    options: Mapping[str, Any] | None = None,
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
    refuse_unknown(model)
    from edgezoo import making, stages
    from edgezoo.quantization.recipes import get_quantized_recipe

    formats = stages.formats(to)
    numbers = get_quantized_recipe(recipe)
    if io_dtype == "int8" and "onnx" in formats:
        raise UsageError("ONNX files take and give float32; use int8 inputs with --to tflite alone")
    with artifacts.output_folder(Path(out)) as folder:
        loaded = stages.load(
            model, weights=weights, seed=seed, input=input, options=options, progress=progress
        )
        photos = stages.photos_for(loaded, samples, skip_bad, progress)
        key = artifacts.key_of(
            origin=loaded.origin, recipe=numbers, photos=photos.sha256, io_dtype=io_dtype
        )
        wanted = making.Wanted(loaded, numbers, io_dtype, folder, formats, key, force)
        made = making.make(wanted, partial(stages.quantized, loaded, photos, progress), progress)
    return ConversionResult(made)


def verify(
    paths: str | Path | Sequence[str | Path],
    *,
    samples: Samples | None = None,
    seed: int = 0,
    skip_bad: bool = False,
    progress: Progress = _silent,
) -> VerificationResult:
    """Run artifacts again and compare each with its PyTorch network, built anew from its manifest.

    Raises:
        ArtifactError: a file was changed since it was written, or its network cannot be rebuilt.
        VerificationError: some are under their recipe's floor; all are listed, each with the first
            bad value.
    """
    from edgezoo import stages

    files = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    manifests = {file: artifacts.read_intact(file) for file in files}
    networks: dict[str, stages.Rebuilt] = {}  # files of one network share what is slow
    verified: list[Artifact] = []
    failures: list[VerificationError] = []
    for file, manifest in manifests.items():
        key = artifacts.key_of(origin=manifest["origin"])
        if key not in networks:
            networks[key] = stages.rebuilt(file, samples, seed, skip_bad, progress)
        progress(f"verifying {file}")
        try:
            verified.append(stages.verified(file, manifest, networks[key]))
        except VerificationError as error:
            failures.append(error)
    if failures:
        raise VerificationError("; ".join(map(str, failures))) from failures[0]
    return VerificationResult(tuple(verified))


def report(
    places: str | Path | Sequence[str | Path], *, out: str | Path | None = None
) -> ReportFiles:
    """Write ``report.html``, ``.md`` and ``.json`` from folders and results files.

    ``places`` are folders with manifests and results, and results stores (.jsonl), perhaps of files
    that are not here. ``out`` is the first folder among them, else that of the first store.

    Raises:
        ArtifactError: there is nothing to report, or a file is damaged.
        OutputError: the report cannot be written.
    """
    from edgezoo.devices.failures import ADVICE
    from edgezoo.models.registry import MODELS
    from edgezoo.report import read_report_data, write_report

    paths = [Path(p) for p in ([places] if isinstance(places, (str, Path)) else places)]
    data = read_report_data(
        *paths,
        published=lambda model: MODELS[model].published if model in MODELS else {},
        advice={str(name): step for name, step in ADVICE.items()},
    )
    folder = next((path for path in paths if path.is_dir()), paths[0].parent)
    return write_report(data, folder if out is None else Path(out))


def run(
    model: Model,
    *,
    samples: Samples,
    out: str | Path,
    to: Sequence[Format] = FORMATS,
    weights: str | None = None,
    seed: int = 0,
    input: Shape | None = None,
    options: Mapping[str, Any] | None = None,
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
    refuse_unknown(model)
    from edgezoo import stages

    with artifacts.output_folder(Path(out)) as folder:
        loaded = stages.load(
            model, weights=weights, seed=seed, input=input, options=options, progress=progress
        )
        photos = stages.photos_for(loaded, samples, skip_bad, progress)
        floats = convert(loaded, to=to, out=out, samples=photos, force=force, progress=progress)
        integers = quantize(
            loaded, to=to, out=out, samples=photos, force=force, progress=progress, recipe=recipe
        )
        made = (*floats.artifacts, *integers.artifacts)
        progress("showing every artifact the photos")
        gallery = stages.gallery_of(loaded, made, photos, GALLERY_PHOTOS)
        artifacts.write_json(folder / GALLERY, gallery)
        measurements = _measured(made, plan or default_plan(), folder / RESULTS, progress)
        progress("writing the report")
        return RunResult(made, measurements, report(folder))


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

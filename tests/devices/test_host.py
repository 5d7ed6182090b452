"""This machine as a station: cores, XNNPACK and conditions, as real child processes have them."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgezoo.decode import from_json
from edgezoo.devices.processes import run_process
from edgezoo.devices.protocol import measure
from edgezoo.devices.runners.child import Request, bind
from edgezoo.devices.stations.host import HostStation, cores_for
from edgezoo.devices.subjects import read_subjects
from edgezoo.errors import UsageError
from edgezoo.measurement import Cluster
from edgezoo.plan import Plan

QUICK = Plan(warmup=1, processes=1, runs=4)
PLAIN = replace(QUICK, xnnpack=False)
BIG_LITTLE = (Cluster((0, 1), 1000), Cluster((2, 3), 2000))
needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="needs a system that binds processes (Linux)"
)


@pytest.mark.parametrize(
    ("choice", "clusters", "allowed", "cores"),
    [
        ("none", BIG_LITTLE, (0, 1, 2, 3), ()),
        ("none", (), (), ()),
        ("all", (), (0, 1), (0, 1)),
        ("all", (), (2, 5), (2, 5)),
        ("big", BIG_LITTLE, (0, 1, 2, 3), (2, 3)),
        ("fast", BIG_LITTLE, (0, 1, 2, 3), (2, 3)),
        ("6", (), (0, 1, 2), (1, 2)),
        ("0x4", BIG_LITTLE, (2, 3), (2,)),
    ],
)
def test_cores(
    choice: str, clusters: Sequence[Cluster], allowed: Sequence[int], cores: tuple[int, ...]
) -> None:
    assert cores_for(choice, clusters, allowed) == cores


@pytest.mark.parametrize(
    ("choice", "clusters", "allowed", "words"),
    [
        ("big", (), (1, 2), "--cores big is open; give all or a mask such as 2"),
        ("big", BIG_LITTLE, (0, 1, 2), "core 3, which this process may not use; .* is 7"),
        ("3", (), (1, 2), "core 0, which this process may not use; .* is 6"),
        ("f0", (), (0, 1), "names no or more than the 2 cores"),
        ("all", (), (), "binds no process to cores, so leave --cores all out"),
        ("some", (), (0, 1), "neither one of big"),
    ],
)
def test_no_such_cores(
    choice: str, clusters: Sequence[Cluster], allowed: Sequence[int], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        cores_for(choice, clusters, allowed)


@needs_affinity
def test_binding_reaches_every_thread(build_tflite: Any) -> None:
    """The child is asked from outside, while it runs, by the kernel's own account of its threads."""
    import subprocess

    from edgezoo.devices.processes import child_environment, command

    core = max(os.sched_getaffinity(0))
    plan = Plan(threads=2, warmup=0, runs=1, min_seconds=1e6)
    request = Request(build_tflite(channels=64), "tflite", plan, cores=(core,))
    with subprocess.Popen(
        command(request), stdout=subprocess.DEVNULL, env=child_environment()
    ) as child:
        tasks = Path(f"/proc/{child.pid}/task")
        try:
            # numpy's threads are there before the process is bound, the runtime's come after it.
            for _ in range(400):
                time.sleep(0.05)
                assert child.poll() is None
                allowed = [mask for task in tasks.iterdir() for mask in allowed_list(task)]
                if len(allowed) > 1 and set(allowed) == {str(core)}:
                    break
        finally:
            child.kill()
    assert set(allowed) == {str(core)}


def allowed_list(task: Path) -> list[str]:
    lines = (task / "status").read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith("Cpus_allowed_list")]


@needs_affinity
def test_bound_process_gives_samples(build_onnx: Any) -> None:
    core = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    report = run_process(Request(build_onnx(), "onnx", QUICK, cores=(core,)))
    assert report.samples is not None, report.message
    bind(())  # the scheduler's choice stays
    assert os.sched_getaffinity(0) == before


@needs_affinity
def test_the_station_binds(build_tflite: Any) -> None:
    """What the child is told is in its command, which is stored with the number."""
    core = max(os.sched_getaffinity(0))
    plan = replace(QUICK, cores=f"{1 << core:x}")
    (found,) = measure([build_tflite()], plan)
    assert found.latency_ms is not None
    request = from_json(Request, json.loads(found.command[-1]))
    assert (request.cores, request.profile) == ((core,), False)


def test_without_xnnpack(build_tflite: Any) -> None:
    path = build_tflite()
    with_it, without = (measure([path], plan)[0].delegate for plan in (QUICK, PLAIN))
    assert (with_it["requested"], with_it["used"], with_it["delegated_ops"]) == (
        "xnnpack",
        "xnnpack",
        1,
    )
    assert (without["requested"], without["used"], without["delegated_ops"]) == ("none", "none", 0)
    assert without["total_ops"] == 1


def test_xnnpack_is_no_matter_of_onnx(build_model: Any) -> None:
    paths = [build_model("a.tflite"), build_model("b.onnx"), build_model("c.onnx")]
    with pytest.raises(UsageError, match=r"uses no XNNPACK here, so leave b\.onnx, c\.onnx out"):
        measure(paths, PLAIN)


def test_the_profiler_has_xnnpack(build_tflite: Any) -> None:
    with pytest.raises(UsageError, match="take --no-xnnpack without --profile"):
        measure([build_tflite()], replace(PLAIN, profile=True))


@pytest.mark.skipif(not Path("/proc/loadavg").exists(), reason="needs Linux")
def test_conditions_before_and_after(build_tflite: Any) -> None:
    station = HostStation()
    (subject,) = read_subjects([build_tflite()])
    report = station.run(subject, QUICK, "time")
    before, after = report.conditions
    assert before.load_1min is not None and after.load_1min is not None
    assert before.taken_at <= after.taken_at
    assert measure([subject.path], replace(QUICK, processes=2))[0].conditions[0].load_1min

"""What runs inside the fresh process: ``python -P -m edgezoo.devices.gpu.child REQUEST``.

The request is an argument and the report one marked line, as in ``runners/child.py``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from edgezoo.decode import from_json
from edgezoo.devices.gpu import files, networks
from edgezoo.devices.gpu.libraries import load_from_wheels
from edgezoo.devices.gpu.nvidia import read_state
from edgezoo.devices.gpu.stopwatch import CpuStopwatch, CudaStopwatch, Stopwatch
from edgezoo.devices.gpu.timing import Runnable, measure
from edgezoo.devices.outcome import Report, failed
from edgezoo.devices.runners.child import PARENT, die_with_parent, print_report
from edgezoo.devices.runners.session import RunnerError, failed_allocation
from edgezoo.measurement import Conditions
from edgezoo.plan import Plan, ReferenceSetting
from edgezoo.types import Origin

MODULE = "edgezoo.devices.gpu.child"
CPU_DEVICE = "cpu"


@dataclass(frozen=True, slots=True)
class Request:
    """What one process has to do: a network's ``origin`` or a file's ``path``, on ``device``.

    ``device`` is PyTorch's name of it and ``uuid`` NVML's; ``plan.reference`` is the setting.
    """

    path: Path
    origin: Origin | None
    device: str
    uuid: str
    floor_db: float
    plan: Plan


def main(arguments: Sequence[str]) -> int:
    """Carry out the request in ``arguments`` and print the report; returns the exit code."""
    die_with_parent(os.environ.get(PARENT))
    (text,) = arguments
    print_report(carry_out(from_json(Request, json.loads(text))))
    return 0


def carry_out(request: Request) -> Report:
    """Time the requested network or file in this process."""
    setting = request.plan.reference
    if setting is None:
        raise ValueError("a reference run needs plan.reference")
    if setting.execution == "tensorrt" and setting.precision == "fp32":
        os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # TensorRT has no switch of its own here
    import torch

    try:
        with torch.inference_mode():
            return _carry_out(request, setting)
    except RunnerError as error:
        return failed(error.failure_class, str(error))
    except MemoryError:
        return failed("out_of_memory", "Python could not allocate memory")
    except torch.OutOfMemoryError as error:
        return failed("out_of_memory", networks.first_line(error))
    except RuntimeError as error:  # of kernels, and of CUDA itself
        text = networks.first_line(error)
        return failed("out_of_memory" if failed_allocation(str(error)) else "run_error", text)


def _carry_out(request: Request, setting: ReferenceSetting) -> Report:
    make = _prepared(request, setting)
    stopwatch: Stopwatch
    stopwatch = CpuStopwatch() if request.device == CPU_DEVICE else CudaStopwatch(request.device)
    timed = measure(
        partial(make, stopwatch),
        setting.batch,
        request.plan,
        stopwatch,
        partial(conditions, request.uuid),
    )
    return Report(timed.samples, timed.facts, conditions=timed.conditions)


def _prepared(request: Request, setting: ReferenceSetting) -> Callable[[Stopwatch], Runnable]:
    """Compute the reference on the CPU, and return what brings the model to the device."""
    import torch

    plan = request.plan
    if request.origin is None:
        load_from_wheels(tensorrt=setting.execution == "tensorrt")
        inputs, expected = files.reference_run(request.path, setting, plan)

        def file(stopwatch: Stopwatch) -> Runnable:
            return files.make_runnable(
                *(request.path, inputs, expected, setting, plan),
                *(request.device, stopwatch, request.floor_db),
            )

        return file
    images = networks.random_images(request.origin, setting.batch, plan.seed)
    module = networks.load_network(request.origin)
    reference = networks.reference_outputs(module, images[: networks.CHECKED_IMAGES])
    torch.set_num_threads(plan.threads)  # after the reference, which may use all cores

    def network(stopwatch: Stopwatch) -> Runnable:
        return networks.make_runnable(
            module, images, reference, setting, request.device, request.floor_db
        )

    return network


def conditions(uuid: str) -> Conditions:
    """Return the state of the GPU (none for an empty ``uuid``) and the load of the machine."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        load = round(os.getloadavg()[0], 2)
    except OSError:
        load = None
    return Conditions(now, load_1min=load, gpu=read_state(uuid) if uuid else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

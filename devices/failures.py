"""Why a measurement gave no number: every class of failure, and what to do about it.

One table for all runners and transports. A class is stable (scripts match on it in
``failure_class``), its advice is the next step in words; the message beside it names the thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

FailureClass = Literal[
    # the model in the runtime
    "load_error",
    "run_error",
    "non_finite_output",
    "out_of_memory",
    "delegate_error",
    "delegate_fallback",
    # reference runs
    "compile_error",
    "wrong_output",
    "unsupported_setting",
    # the process
    "crash",
    "timeout",
    "exec_denied",
    "wrong_abi",
    "runner_missing",
    "library_missing",
    "flag_refused",
    # what it printed
    "bad_output",
    "incomplete_log",
    "invalid_numbers",
    # the course of the measurement
    "artifact_changed",
]
FAILURE_CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)

ADVICE: Mapping[FailureClass, str] = {
    "load_error": "check the file with edgezoo verify, and that the runtime is as new as its operators",
    "run_error": "run the file on this machine with edgezoo verify",
    "non_finite_output": "run edgezoo verify, which names the first value that is not finite",
    "out_of_memory": "free memory on the device, or measure a smaller network or input",
    "delegate_error": "measure on the CPU, or update the driver of the accelerator",
    "delegate_fallback": "measure on the CPU, or choose an accelerator that takes the network",
    "compile_error": "measure it eager; torch.compile and CUDA graphs take no network with Python in it",
    "wrong_output": "choose a precision with more bits, or another execution",
    "unsupported_setting": "leave that precision, batch or execution out",
    "crash": "run it once more; where it crashes again, try another runner or accelerator",
    "timeout": "raise --timeout, or ask for fewer runs",
    "exec_denied": "put the runner where programs may run (/data/local/tmp) and chmod 755 it",
    "wrong_abi": "use a runner that was built for this device's processor",
    "runner_missing": "push the runner again, and check that its loader exists on the device",
    "library_missing": "put the library beside the runner, built for the same device",
    "flag_refused": "use a runner that has the flag, or leave the option out",
    "bad_output": "run the command by hand and look at what it prints",
    "incomplete_log": "measure again; the link or the process was cut",
    "invalid_numbers": "measure again, with more runs",
    "artifact_changed": "measure again, with nothing else writing the file",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure: its class, and what happened as a clause ("it did not end within 60 s")."""

    failure_class: FailureClass
    message: str

    @property
    def sentence(self) -> str:
        """What happened and what to do."""
        return f"{self.message}; {ADVICE[self.failure_class]}."

"""Why a measurement gave no number: every class of failure, and what to do about it.

One table for all runners and transports. A class is stable (scripts match on it in
``failure_class``), its advice is the next step in words; the message beside it names the thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from edgezoo.errors import BenchmarkError

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
    # the way to the device
    "tool_missing",
    "tool_broken",
    "server_mismatch",
    "no_device",
    "ambiguous_device",
    "device_gone",
    "unauthorized",
    "login_refused",
    "no_permission",
    "offline",
    "not_ready",
    "connection_refused",
    "link_lost",
    "device_rebooted",
    "push_failed",
    "push_denied",
    "disk_full",
    "no_output",
    "root_refused",
    "unsupported",
    # the state of the device
    "cores_unavailable",
    "busy",
    "too_warm",
    "battery_low",
    "low_power_mode",
    "screen_off",
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
    "tool_missing": "install Android's platform-tools (apt install adb, or pip install 'edgezoo[adb]')"
    ", or name the binary with --adb",
    "tool_broken": "run edgezoo doctor, which says why adb or its server does not start",
    "server_mismatch": "use the adb binary that started the server (--adb), or end that server yourself",
    "no_device": "plug one in with USB debugging on, or run adb connect HOST:PORT",
    "ambiguous_device": "name one with --device SERIAL, or measure on all with --device all",
    "device_gone": "plug it in again, and compare the serial with edgezoo devices",
    "unauthorized": "unlock the phone and tap Allow in its dialog about USB debugging",
    "login_refused": "run ssh to it once by hand; it must let you in without asking anything",
    "no_permission": "install udev rules (apt install android-sdk-platform-tools-common), join the "
    "group plugdev and plug the phone in again",
    "offline": "unplug the phone and plug it in again, or run adb reconnect offline",
    "not_ready": "wait a moment; it is still connecting",
    "connection_refused": "check address and port, and that debugging over the network is on",
    "link_lost": "check cable, hub and adb server, then run the same command again",
    "device_rebooted": "run the same command again when the phone is up; what is finished is kept",
    "push_failed": "check the cable and run the same command again",
    "push_denied": "free the folder, or choose another one that the device's shell user may write",
    "disk_full": "delete files on the device until the model and the runner fit",
    "no_output": "look whether the program on the device wrote the file at all",
    "root_refused": "leave root out; nothing here needs it",
    "unsupported": "update the device's system; its debugging service lacks what is needed",
    "cores_unavailable": "wait until they are online, name others by a mask, or leave --cores out",
    "busy": "wait until the other run is done",
    "too_warm": "let it cool, out of its case and off the charger, or raise the limit in the plan's gate",
    "battery_low": "charge it, or lower the limit in the plan's gate",
    "low_power_mode": "turn battery saver off in the device's settings",
    "screen_off": "wake and unlock the screen",
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


class DeviceError(BenchmarkError):
    """A device cannot be reached or used; ``failure`` has the stable class, ``str`` the sentence."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.sentence)
        self.failure = failure

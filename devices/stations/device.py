"""A phone or board as a station: what is pushed, run and read there, over any transport.

One remote command per process: the runner, then the state of the device behind a random word. That
state is the "after" of this process and the "before" of the next, so the gate costs no question of
its own while nothing is wrong.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgezoo.devices.clock import Clock, WallClock
from edgezoo.devices.cores import core_mask
from edgezoo.devices.failures import ADVICE, DeviceError, Failure, FailureClass
from edgezoo.devices.gate import wait_until_ready
from edgezoo.devices.locks import DeviceLock, locked
from edgezoo.devices.outcome import Report
from edgezoo.devices.runners.benchmark_flags import (
    USAGE_ARGUMENTS,
    Flags,
    RunRequest,
    arguments,
    parse_usage,
    request_for,
)
from edgezoo.devices.runners.benchmark_judge import Ended
from edgezoo.devices.runners.program import Program
from edgezoo.devices.runners.reading import read_process
from edgezoo.devices.screen import screen_on
from edgezoo.devices.stations.station import Purpose, RunnerFacts
from edgezoo.devices.subjects import Subject
from edgezoo.devices.survey import STATE, conditions_in, read_conditions
from edgezoo.devices.transports.files import push
from edgezoo.devices.transports.recovery import explain_loss
from edgezoo.devices.transports.transport import Completed, Transport
from edgezoo.errors import BenchmarkError, EdgezooError, UsageError
from edgezoo.measurement import Conditions, DeviceInfo, MeasuredFormat, Plan

# After these the same process is worth another try, once the device answers again.
PASSING: frozenset[FailureClass] = frozenset(
    {
        "link_lost",
        "device_rebooted",
        "device_gone",
        "offline",
        "not_ready",
        "connection_refused",
        "push_failed",
        "no_device",
    }
)
# These are of the device too, but waiting does not mend them.
OF_THE_DEVICE: frozenset[FailureClass] = PASSING | {
    "disk_full",
    "push_denied",
    "unauthorized",
    "no_permission",
    "tool_missing",
    "tool_broken",
    "server_mismatch",
    "busy",
    "too_warm",
    "battery_low",
    "low_power_mode",
    "screen_off",
    "unsupported",
    "root_refused",
    "no_output",
}
FRESH_S = 30.0  # conditions older than this are asked for again
RENEW_S = 600.0
SLACK_S = 15.0  # for the state behind the runner
USAGE_S = 60.0


@dataclass(slots=True)
class DeviceStation:
    """One device, held for the time of a run; see ``held``.

    ``patience_s`` is how long a device that is gone may take to come back.
    """

    transport: Transport
    described: DeviceInfo
    programs: Mapping[MeasuredFormat, Program]
    lock: DeviceLock | None = None
    clock: Clock = field(default_factory=WallClock)
    patience_s: float = 90.0
    progress: Callable[[str], None] = lambda message: None
    _pushed: dict[str, str] = field(default_factory=dict)
    _flags: dict[str, Flags] = field(default_factory=dict)
    _last: tuple[float, Conditions] | None = None
    _renewed_at: float | None = None
    _gone: Failure | None = None

    @property
    def device(self) -> DeviceInfo:
        """What the device told of itself when it was chosen."""
        return self.described

    def check(self, subjects: Sequence[Subject], plan: Plan) -> None:
        """Refuse cores that the device does not have, and accelerators that a runner lacks."""
        core_mask(plan.cores, self.device.clusters, self.device.cores)
        for subject in subjects:
            program = self.programs[subject.format]
            if program.binary.tool == "edgezoo" and (plan.accelerator != "cpu" or not plan.xnnpack):
                asked = plan.accelerator if plan.accelerator != "cpu" else "the CPU without XNNPACK"
                raise UsageError(
                    f"the C runner measures on the CPU with XNNPACK, not on {asked}; give a "
                    "benchmark_model as --runner"
                )

    def runner(self, format_: MeasuredFormat) -> RunnerFacts:
        """Return the program of a format and where it came from."""
        program = self.programs[format_]
        versions = {"origin": program.binary.origin}
        if program.library is not None:
            versions["library"] = program.library.name
        return RunnerFacts(
            program.name, program.binary.origin, versions, sha256=program.binary.sha256
        )

    def command(self, subject: Subject, plan: Plan) -> tuple[str, ...]:
        """Return what runs on the device; the paths there hold the hashes of the files."""
        try:
            return self._arguments(subject, plan, "time")
        except (EdgezooError, KeyError):  # a device that failed before anything was pushed
            return ()

    def wait_until_fit(self, plan: Plan) -> Report | None:
        """Wait for ``plan.gate``; what the last process left behind counts while it is fresh."""
        if self._gone is not None:
            return failure_report(self._gone)
        try:
            self._renew()
            self._last = (
                self.clock.now(),
                wait_until_ready(self._conditions, plan.gate, self.clock, self.progress),
            )
        except DeviceError as error:
            return failure_report(error.failure)
        return None

    def run(self, subject: Subject, plan: Plan, purpose: Purpose) -> Report:
        """Push what is missing, run one process, and read what it printed and how the device is."""
        try:
            words = self._prepared(subject, plan, purpose)
            word = f"EZ_STATE_{secrets.token_hex(8)}"
            script = f"{shlex.join(words)}\nez_rc=$?\necho; echo {word}; {STATE}\nexit $ez_rc"
            started_at = time.time()
            completed = self.transport.run(script, self._limit_s(plan))
        except DeviceError as error:
            return failure_report(error.failure)
        except BenchmarkError as error:  # the runner printed no usage, for instance
            return failure_report(Failure("bad_output", str(error)))
        printed, _, state = completed.stdout.partition(f"\n{word}\n".encode())
        failure = self._loss(completed)
        if failure is not None and failure.failure_class in OF_THE_DEVICE:
            return failure_report(failure)
        report = read_process(
            self.programs[subject.format].binary.tool,
            _ended(completed, printed, self._limit_s(plan)),
            self._request(subject, plan, purpose),
            started_at,
        )
        return replace(report, conditions=self._around(state))

    def recover(self, report: Report) -> bool:
        """Wait for a device that was lost; what was pushed is looked at again."""
        if not report.device_failed or report.failure_class not in PASSING or self._gone:
            return False
        self._last = None
        self._pushed.clear()
        answer = explain_loss(
            self.transport,
            Completed(b"", b"", None, ended=False),
            self.patience_s,
            self.clock,
        )
        if answer.failure_class == "device_gone":
            self._gone = answer
            return False
        if self.lock is not None:
            with contextlib.suppress(
                DeviceError
            ):  # a reboot made it stale, and it is ours to renew
                self.lock.take()
        return True

    def _renew(self) -> None:
        now = self.clock.now()
        if self._renewed_at is None:
            self._renewed_at = now
        elif self.lock is not None and now - self._renewed_at > RENEW_S:
            self.lock.renew()
            self._renewed_at = now

    def _conditions(self) -> Conditions:
        if self._last is not None and self.clock.now() - self._last[0] < FRESH_S:
            conditions = self._last[1]
            self._last = None  # the gate asks again only where these do not fit
            return conditions
        return read_conditions(self.transport)

    def _around(self, state: bytes) -> tuple[Conditions, ...]:
        before = self._last
        after = conditions_in(state.decode(errors="replace"))
        self._last = (self.clock.now(), after)
        return (after,) if before is None else (before[1], after)

    def _prepared(self, subject: Subject, plan: Plan, purpose: Purpose) -> tuple[str, ...]:
        program = self.programs[subject.format]
        self._push(str(program.binary.path), executable=True)
        if program.library is not None:
            self._push(str(program.library))
        self._push(str(subject.path.absolute()))
        if program.binary.sha256 not in self._flags:
            runner = self._pushed[str(program.binary.path)]
            asked = self.transport.run([runner, *USAGE_ARGUMENTS], USAGE_S)
            if not asked.ended:
                raise asked.lost()
            self._flags[program.binary.sha256] = parse_usage(asked.stdout + asked.stderr)
        return self._arguments(subject, plan, purpose)

    def _push(self, path: str, *, executable: bool = False) -> None:
        if path not in self._pushed:
            self._pushed[path] = push(self.transport, Path(path), executable=executable)

    def _arguments(self, subject: Subject, plan: Plan, purpose: Purpose) -> tuple[str, ...]:
        program = self.programs[subject.format]
        flags = self._flags[program.binary.sha256]
        given = arguments(self._request(subject, plan, purpose), flags)
        mask = core_mask(plan.cores, self.device.clusters, self.device.cores)
        runner = self._pushed[str(program.binary.path)]
        affinity = () if mask is None else ("taskset", f"{mask:x}")
        return (*affinity, runner, *given)

    def _request(self, subject: Subject, plan: Plan, purpose: Purpose) -> RunRequest:
        program = self.programs[subject.format]
        extra = {}
        if program.library is not None:
            extra = {"library": self._pushed[str(program.library)], "seed": str(plan.seed)}
        graph = self._pushed[str(subject.path.absolute())]
        native = program.binary.tool == "edgezoo"
        return replace(
            request_for(plan, graph),
            profile=purpose == "profile" and not native,
            memory=purpose == "memory" and not native,
            extra=extra,
        )

    def _limit_s(self, plan: Plan) -> float:
        return plan.timeout_s + SLACK_S

    def _loss(self, completed: Completed) -> Failure | None:
        """Return what happened to the device while a command ran, where something did."""
        if completed.ended:
            return None
        failure = completed.failure or Failure("link_lost", "the link was lost")
        if failure.failure_class == "timeout":
            # A frozen link looks like a program that hangs; only the first does not answer now.
            alive = self.transport.run(":", SLACK_S)
            if alive.ended and alive.boot_id == completed.boot_id:
                return failure
            failure = Failure("link_lost", f"{self.transport.serial} stopped answering")
            completed = replace(completed, failure=failure)
        return explain_loss(self.transport, completed, self.patience_s, self.clock)


@contextlib.contextmanager
def held(station: DeviceStation) -> Iterator[DeviceStation]:
    """Hold the device's locks and keep its screen on while a run lasts.

    Raises ``DeviceError`` of class ``busy`` where another run holds it, or of what befell the link.
    """
    with locked(station.transport) as lock, screen_on(station.transport):
        station.lock = lock
        yield station


def _ended(completed: Completed, printed: bytes, limit_s: float) -> Ended:
    late = completed.failure is not None and completed.failure.failure_class == "timeout"
    return Ended(
        completed.returncode, printed, completed.stderr, stopped_after_s=limit_s if late else None
    )


def failure_report(failure: Failure) -> Report:
    """Return the report of a process that a device or a runner failed."""
    message = f"{failure.message}; {ADVICE[failure.failure_class]}"
    return Report(
        None,
        {},
        failure.failure_class,
        message,
        device_failed=failure.failure_class in OF_THE_DEVICE,
    )

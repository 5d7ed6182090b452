"""A phone or board as a station: what is pushed, run and read there, over any transport.

One remote command per process: the runner, then the state of the device behind a random word. That
state is the "after" of this process and the "before" of the next, so the gate costs no question of
its own while nothing is wrong.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgezoo.devices.clock import Clock, WallClock
from edgezoo.devices.cores import affinity, core_mask, refuse_hidden, telling, unbound
from edgezoo.devices.energy.gauge import Reading
from edgezoo.devices.energy.power import GaugeProblem
from edgezoo.devices.energy.run import with_readings
from edgezoo.devices.energy.take import idle_readings, sampled_script
from edgezoo.devices.failures import ADVICE, DeviceError, Failure, FailureClass
from edgezoo.devices.locks import VALID_S, DeviceLock, locked
from edgezoo.devices.outcome import Report
from edgezoo.devices.runners.benchmark_flags import (
    USAGE_ARGUMENTS,
    Flags,
    RunRequest,
    arguments,
    request_for,
)
from edgezoo.devices.runners.benchmark_judge import Ended
from edgezoo.devices.runners.program import Program
from edgezoo.devices.runners.reading import read_process, read_usage
from edgezoo.devices.screen import keep_on, screen_on
from edgezoo.devices.stations.cargo import Cargo
from edgezoo.devices.stations.readiness import Readiness
from edgezoo.devices.stations.station import Purpose, RunnerFacts
from edgezoo.devices.subjects import Subject
from edgezoo.devices.survey import STATE, conditions_in
from edgezoo.devices.transports.files import FOREIGN
from edgezoo.devices.transports.recovery import explain_loss
from edgezoo.devices.transports.transport import Completed, Transport
from edgezoo.errors import UsageError
from edgezoo.measurement import DeviceInfo, MeasuredFormat
from edgezoo.plan import Plan

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
    "login_refused",
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
    "cores_unavailable",
}
# A daemon that is just starting refuses for a moment; recovering tells whether it stays so.
MAYBE_PASSING: frozenset[FailureClass] = PASSING | {"unauthorized", "unsupported"}
OLDEST_API = 23  # before, Android's shell has no wc, stat, tr and sha256sum
USAGE_S = 60.0
# Between two renewals of the lock nothing may take longer than what it is renewed for.
LEEWAY_S = 300.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a device may take to answer a short question, and to come back when it is gone."""

    answer_s: float = 15.0
    return_s: float = 90.0


PATIENCE = Patience()


@dataclass(slots=True)
class DeviceStation:
    """One device, held for the time of a run; see ``held``."""

    transport: Transport
    described: DeviceInfo
    programs: Mapping[MeasuredFormat, Program]
    clock: Clock = field(default_factory=WallClock)
    patience: Patience = field(default_factory=lambda: PATIENCE)
    progress: Callable[[str], None] = lambda message: None
    _lock: DeviceLock | None = None
    _valid_until: float | None = None  # of the lock; None where it has to be taken anew
    _cargo: Cargo = field(init=False)
    _readiness: Readiness = field(init=False)
    _flags: dict[str, Flags] = field(default_factory=dict)
    _gone: Failure | None = None

    def __post_init__(self) -> None:
        self._cargo = Cargo(self.transport)
        self._readiness = Readiness(self.transport, self.progress)

    @property
    def device(self) -> DeviceInfo:
        """What the device told of itself when it was chosen."""
        return self.described

    def check(self, subjects: Sequence[Subject], plan: Plan) -> None:
        """Refuse what this device or its runner cannot do; the message names the device."""
        try:
            self._check_device(plan)
        except DeviceError as error:
            message = f"{self.device.serial}: {error.failure.message}"
            raise DeviceError(replace(error.failure, message=message)) from error
        except UsageError as error:
            raise UsageError(f"{self.device.serial}: {error}") from error
        for subject in subjects:
            if subject.data_sha256 and FOREIGN.search(subject.path.name):
                raise UsageError(
                    f"{subject.path} keeps its weights in a second file, whose name cannot be kept on "
                    "a device; export it again under a name of letters, digits and . _ + - alone"
                )
            program = self.programs[subject.format]
            if program.binary.tool == "edgezoo" and (plan.accelerator != "cpu" or not plan.xnnpack):
                asked = plan.accelerator if plan.accelerator != "cpu" else "the CPU without XNNPACK"
                raise UsageError(
                    f"{self.device.serial}: the C runner measures on the CPU with XNNPACK, not on "
                    f"{asked}; give a benchmark_model as --runner"
                )

    def _check_device(self, plan: Plan) -> None:
        device = self.device
        level = re.search(r"\(API (\d+)\)", device.os)
        if level and int(level[1]) < OLDEST_API:
            message = f"{device.os} lacks commands that measuring needs (API {OLDEST_API} has them)"
            raise DeviceError(Failure("unsupported", message))
        self._mask(plan)
        refuse_hidden(plan.cores, device.clusters, device.cores)

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
        """Return what runs on the device; the paths there hold the hashes of the files.

        Empty where the device failed before everything was there.
        """
        program = self.programs[subject.format]
        needed = (program.binary.path, subject.path.absolute())
        if program.binary.sha256 not in self._flags or None in map(self._cargo.place, needed):
            return ()
        try:
            return self._arguments(subject, plan, "time")
        except UsageError:  # nothing ran: the runner lacks a flag
            return ()

    def wait_until_fit(self, plan: Plan) -> Report | None:
        """Wait for ``plan.gate``; what the last process left behind counts while it is fresh."""
        if self._gone is not None:
            return failure_report(self._gone)
        try:
            idle_s = 2 * plan.min_seconds  # before an energy run the gauge is read for as long
            self._hold_on(plan.gate.cooldown_s + idle_s + self._limit_s(plan) + LEEWAY_S)
            self._readiness.wait(plan.gate, self.clock)
        except DeviceError as error:
            return failure_report(self._of_the_link(error.failure))
        return None

    def run(self, subject: Subject, plan: Plan, purpose: Purpose) -> Report:
        """Push what is missing, run one process, and read what it printed and how the device is."""
        try:
            refused = self._bring(subject, plan)
            return refused or self._run_there(subject, plan, purpose)
        except DeviceError as error:
            return failure_report(self._of_the_link(error.failure))
        except UsageError as error:  # a flag that the plan needs and this runner lacks
            return failure_report(Failure("flag_refused", str(error)))

    def recover(self, report: Report) -> bool:
        """Wait for a device that was lost; what was pushed and who holds it is looked at again."""
        if report.failure_class not in MAYBE_PASSING or self._gone is not None:
            return False
        self._readiness.take()
        self._valid_until = None
        self._cargo.look_again()
        lost = Completed(b"", b"", None, ended=False)
        try:
            failure = explain_loss(self.transport, lost, self.patience.return_s, self.clock)
        except DeviceError as error:  # adb itself is gone
            failure = error.failure
        if failure.failure_class != "link_lost":
            self._gone = failure
        return self._gone is None

    def _hold_on(self, needed_s: float) -> None:
        """Make the lock valid for all that comes until the next call; take it where it was lost."""
        if self._lock is None:
            return
        now = self.clock.now()
        if self._valid_until is None:
            self._lock.take()
            keep_on(self.transport, self.progress)  # a reboot turned the screen off
            self._valid_until = now + VALID_S
        if self._valid_until < now + needed_s:
            self._lock.renew(needed_s + VALID_S)
            self._valid_until = now + needed_s + VALID_S

    def _bring(self, subject: Subject, plan: Plan) -> Report | None:
        """Bring all that a process needs; a report where the runner does not even tell its flags."""
        program = self.programs[subject.format]
        runner = self._cargo.bring(program.binary.path, executable=True)
        if program.library is not None:
            self._cargo.bring(program.library)
        self._bring_subject(subject)
        if program.binary.sha256 in self._flags:
            return None
        limit_s = min(USAGE_S, plan.timeout_s)
        completed = self._completed(shlex.join((runner, *USAGE_ARGUMENTS)), limit_s)
        flags = read_usage(_ended(completed, completed.stdout, limit_s))
        if isinstance(flags, Failure):
            return failure_report(flags)
        self._flags[program.binary.sha256] = flags
        return None

    def _bring_subject(self, subject: Subject) -> str:
        path, *beside = subject.files
        return self._cargo.bring(path, beside=beside)

    def _run_there(self, subject: Subject, plan: Plan, purpose: Purpose) -> Report:
        command = self._script(subject, plan, purpose)
        idle: tuple[Reading, ...] = ()
        if purpose == "energy":
            self.progress(f"reading the fuel gauge of the idle phone for {plan.min_seconds:g} s")
            found = idle_readings(self.transport, plan.min_seconds)
            if isinstance(found, GaugeProblem):
                return Report(None, {}, message=found.message)
            idle = found
            command = sampled_script(
                command, plan.min_seconds, f"{self.transport.folder}/gauge-{secrets.token_hex(4)}"
            )
        word = f"EZ_STATE_{secrets.token_hex(8)}"
        # What the state's commands complain of is not the runner's: some thermal zones are denied.
        script = f"{command}\nez_rc=$?\nexec 2>/dev/null\necho; echo {word}; {STATE}\nexit $ez_rc"
        started_at, limit_s = time.time(), self._limit_s(plan)
        taken = self._readiness.take()
        completed = self._completed(script, limit_s)
        # The terminal of old phones ends lines with CR LF.
        printed, *state = re.split(rb"\r?\n%s\r?\n" % word.encode(), completed.stdout, maxsplit=1)
        report = self._read(subject, plan, purpose, completed, printed, started_at)
        if purpose == "energy":
            report = with_readings(report, idle, printed, plan.seed)
        if completed.ended and state:
            after = conditions_in(state[0].decode(errors="replace"))
            self._readiness.keep(after, self.clock)
            taken = (*taken, after)
        return replace(report, conditions=taken)

    def _read(
        self,
        subject: Subject,
        plan: Plan,
        purpose: Purpose,
        completed: Completed,
        printed: bytes,
        started_at: float,
    ) -> Report:
        """Return what a process found out; it counts only on the cores that were asked for."""
        mask = self._mask(plan)
        if mask is not None:
            printed, refused = unbound(printed, completed.stderr, mask)
            if refused is not None:
                return failure_report(refused)
        return read_process(
            self.programs[subject.format].binary.tool,
            _ended(completed, printed, self._limit_s(plan)),
            self._request(subject, plan, purpose),
            started_at,
        )

    def _completed(self, script: str, limit_s: float) -> Completed:
        """Run a program to its end or its deadline; raise ``DeviceError`` for anything else."""
        completed = lost = self.transport.run(script, limit_s)
        if completed.ended:
            return completed
        if completed.failure and completed.failure.failure_class in ("timeout", "bad_output"):
            # A frozen link looks like a program that hangs; only the second answers now.
            alive = self.transport.run(":", self.patience.answer_s)
            if alive.ended and alive.boot_id == completed.boot_id:
                if completed.failure.failure_class == "timeout":
                    return completed
                raise completed.lost()
            message = f"{self.transport.serial} stopped answering"
            lost = replace(completed, failure=Failure("link_lost", message))
        failure = explain_loss(self.transport, lost, self.patience.return_s, self.clock)
        if failure.failure_class == "device_gone":
            self._gone = failure
        raise DeviceError(failure)

    def _of_the_link(self, failure: Failure) -> Failure:
        """Return the failure of a question; one that was not answered in time is the link's."""
        if failure.failure_class != "timeout":
            return failure
        message = f"{self.transport.serial} stopped answering ({failure.message})"
        return Failure("link_lost", message)

    def _arguments(self, subject: Subject, plan: Plan, purpose: Purpose) -> tuple[str, ...]:
        program = self.programs[subject.format]
        flags = self._flags[program.binary.sha256]
        given = arguments(self._request(subject, plan, purpose), flags)
        bound = affinity(self._mask(plan))
        return (*bound, self._cargo.bring(program.binary.path), *given)

    def _script(self, subject: Subject, plan: Plan, purpose: Purpose) -> str:
        words = self._arguments(subject, plan, purpose)
        return shlex.join(words if self._mask(plan) is None else telling(words))

    def _mask(self, plan: Plan) -> int | None:
        return core_mask(plan.cores, self.device.clusters, self.device.cores)

    def _request(self, subject: Subject, plan: Plan, purpose: Purpose) -> RunRequest:
        program = self.programs[subject.format]
        extra = {}
        if program.library is not None:
            extra = {"library": self._cargo.bring(program.library), "seed": str(plan.seed)}
        native = program.binary.tool == "edgezoo"
        return replace(
            request_for(plan, self._bring_subject(subject)),
            profile=purpose == "profile" and not native,
            memory=purpose == "memory" and not native,
            extra=extra,
        )

    def _limit_s(self, plan: Plan) -> float:
        return plan.timeout_s + self.patience.answer_s  # the state is asked behind the runner


@contextlib.contextmanager
def held(station: DeviceStation) -> Iterator[DeviceStation]:
    """Hold the device's locks and keep its screen on while a run lasts.

    Raises ``DeviceError`` of class ``busy`` where another run holds it, or of what befell the link.
    """
    transport = station.transport
    with (
        locked(transport, station.device.serial) as lock,
        screen_on(transport, station.progress),
    ):
        station._lock, station._valid_until = lock, station.clock.now() + VALID_S
        yield station


def _ended(completed: Completed, printed: bytes, limit_s: float) -> Ended:
    late = None if completed.ended else limit_s
    return Ended(completed.returncode, printed, completed.stderr, stopped_after_s=late)


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

"""One job on a device at a time: a lock on this machine and one on the device itself.

The first keeps processes of this machine apart, and is gone with its process. The second is for
other machines that share the phone (a tunnelled adb server): a folder ``lock`` on the device. It
outlives a process that was killed, so it is broken where its owner can be shown to be gone: the
device has booted since, the process no longer runs, or its time is over.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shlex
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgezoo.devices.failures import DeviceError, Failure
from edgezoo.devices.stopping import pause, unstoppable
from edgezoo.devices.transports.recovery import stop_leftovers
from edgezoo.devices.transports.transport import Completed, Transport
from edgezoo.devices.transports.wrap import OWNER

ANSWER_S = 15.0
VALID_S = 1800.0  # until it must be renewed
UNOWNED_S = 5.0  # making the folder and writing its owner takes milliseconds
LONGEST_BREAK_S = 10.0  # a Java program is started to put a setting back
PAUSE_S = 0.5

# The owners of the locks that this process holds or is about to take. One phone can be reached by
# two names (a cable and the network), which the lock of this machine does not know to be one.
_live: set[str] = set()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock on a device. ``machine`` tells whether ``pid`` means anything here.

    ``left_s`` is how long it is still valid by the device's own clock, ``boot_id`` the boot in which
    it was taken and ``boot_id_now`` the present one. ``owner`` is empty while it is being taken.
    """

    owner: str
    machine: str
    pid: int
    boot_id: str
    boot_id_now: str
    left_s: float

    @property
    def stale(self) -> bool:
        """Whether the owner is certainly gone."""
        if not self.owner:
            return self.left_s < VALID_S - UNOWNED_S
        if self.boot_id != self.boot_id_now or self.left_s < 0:
            return True
        if self.machine != _machine():
            return False
        # What this very process has left over, or one of the same number before it.
        return self.owner not in _live if self.pid == os.getpid() else not _runs(self.pid)


@contextlib.contextmanager
def locked(transport: Transport, name: str = "") -> Iterator[DeviceLock]:
    """Hold both locks of a device; ``name`` is another than its serial for the one of this machine.

    Raises ``DeviceError`` of class ``busy`` where another does.
    """
    with host_lock(name or transport.serial or "this machine"):
        lock = DeviceLock(transport)
        try:
            lock.take()
            yield lock
        finally:  # of a lock that was just being taken when the run was stopped, too
            with unstoppable():
                lock.release()


@contextlib.contextmanager
def host_lock(name: str) -> Iterator[None]:
    """Hold the lock of this machine for a device; its file is removed afterwards."""
    folder = Path(tempfile.gettempdir(), f"edgezoo-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
    descriptor = _flock(path, name)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        path.unlink(missing_ok=True)  # before it is let go, so nobody locks a file without a name
        os.close(descriptor)


def _flock(path: Path, name: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(descriptor, 20).decode(errors="replace") or "?"
            os.close(descriptor)
            message = f"{name} is being measured by process {pid} of this machine"
            raise DeviceError(Failure("busy", message)) from error
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)  # its owner has removed it meanwhile


# owner: one line "owner machine pid boot_id"; until: seconds since 1970 by the device's clock.
_TAKE = """\
cd {folder} 2>/dev/null || mkdir -p {folder} && cd {folder} || exit
boot=; read -r boot 2>/dev/null < /proc/sys/kernel/random/boot_id
now=$(date +%s)
if said=$(mkdir lock 2>&1); then
  echo $((now + {valid})) > lock/until && echo "{owner} {machine} {pid} $boot" > lock/owner && echo taken
  rm -f [0-9a-f]*/*.part gauge-*
  for mark in run/*; do
    group=; there=; read -r group there 2>/dev/null < "$mark"
    [ "$there" = "$boot" ] && kill -s 0 -- "-$group" 2>/dev/null || rm -f "$mark"
  done
  for old in breaking-*; do [ "$old" = "breaking-$boot" ] || rm -rf "$old"; done
elif [ -d lock ]; then
  until=$(( $(stat -c %Y lock) + {valid} )); read -r until 2>/dev/null < lock/until
  holder=; read -r holder 2>/dev/null < lock/owner
  echo "held $((until - now)) ${{boot:--}} $holder"
else
  echo "$said" >&2
fi
"""

# With the screen's settings, where the link was lost before it could be put back (see screen).
_REMOVE = """\
owner=; read -r owner rest 2>/dev/null < lock/owner
if [ "$owner" = {owner} ]; then
  if [ -f lock/stay_on ]; then
    read -r value < lock/stay_on; settings put global stay_on_while_plugged_in $value
  fi
  if [ -f lock/screen_off_timeout ]; then
    read -r value < lock/screen_off_timeout; settings put system screen_off_timeout $value
  fi
  rm -rf lock
fi
"""
_RELEASE = f"cd {{folder}} || exit\n{_REMOVE}"

# Breakers keep each other out by a second folder, so none removes the lock that another just took.
# One that was cut off leaves its folder behind, which bars nobody for long, and none after a reboot.
_BREAK = f"""\
cd {{folder}} || exit
boot=; read -r boot 2>/dev/null < /proc/sys/kernel/random/boot_id
mine=breaking-$boot
began=$(stat -c %Y $mine 2>/dev/null)
[ $(( $(date +%s) - ${{{{began:-$(date +%s)}}}} )) -le {LONGEST_BREAK_S:.0f} ] || rmdir $mine
mkdir $mine 2>/dev/null || {{{{ sleep 0.5; exit 0; }}}}
{_REMOVE}
rmdir $mine
"""


@dataclass(frozen=True, slots=True)
class DeviceLock:
    """The lock on the device; take it while the one on this machine is held.

    ``owner`` tells it from the other locks of this process, whose ``OWNER`` it begins with.
    """

    transport: Transport
    owner: str = field(default_factory=lambda: OWNER + secrets.token_hex(4))

    def take(self) -> None:
        """Take it, breaking a stale one; what lost links left of files and marks is removed.

        Raises ``DeviceError``.
        """
        _live.add(self.owner)
        deadline = time.monotonic() + LONGEST_BREAK_S + UNOWNED_S
        while (holder := self._try()) is not None:
            stale = holder.stale or holder.owner == self.owner  # a link that was lost left it there
            if (holder.owner and not stale) or time.monotonic() > deadline:
                raise DeviceError(Failure("busy", self._held_by(holder)))
            if stale:
                self._break(holder)
            else:  # it is being taken, or who took it was cut off
                pause(PAUSE_S)

    def _held_by(self, holder: Holder) -> str:
        name, minutes = self.transport.serial or "this machine", max(holder.left_s, 0) / 60
        if holder.owner in _live:
            return f"{name} is being measured by this very run, under another name"
        return f"{name} is being measured from elsewhere, for at most {minutes:.0f} min more"

    def renew(self, valid_s: float = VALID_S) -> None:
        """Make it valid for ``valid_s`` from now; longer than whatever comes next takes."""
        until = f"{self._folder}/lock/until"
        write = f"echo $(($(date +%s) + {valid_s:.0f})) > {until}.new && mv -f {until}.new {until}"
        done = self.transport.run(f"{self._is_ours} && {write}", ANSWER_S)
        if not done.ended:
            raise done.lost()
        if done.returncode != 0:
            message = f"the lock on {self.transport.serial} was taken by somebody else"
            raise DeviceError(Failure("busy", message))

    def release(self) -> None:
        """Give it back; where the device is gone, it is left for the next one to break."""
        with contextlib.suppress(DeviceError):  # adb itself is gone
            self.transport.run(_RELEASE.format(folder=self._folder, owner=self.owner), ANSWER_S)
        _live.discard(self.owner)

    @property
    def _folder(self) -> str:
        return shlex.quote(self.transport.folder)

    @property
    def _is_ours(self) -> str:
        owner = f"{{ read -r owner rest < {self._folder}/lock/owner; }} 2>/dev/null"
        return f'owner=; {owner}; [ "$owner" = {self.owner} ]'

    def _try(self) -> Holder | None:
        """Return ``None`` where it is ours now, else who has it."""
        script = _TAKE.format(
            folder=self._folder,
            valid=int(VALID_S),
            owner=self.owner,
            machine=_machine(),
            pid=os.getpid(),
        )
        done = self.transport.run(script, ANSWER_S)
        if not done.ended:
            raise done.lost()
        if done.text.strip() == "taken":
            return None
        holder = parse_holder(done.text)
        if holder is None:
            raise DeviceError(_not_made(self.transport, done))
        return holder

    def _break(self, holder: Holder) -> None:
        """End what the dead owner left running, put the screen's setting back, remove its lock."""
        if holder.owner:
            # The marks of a process's commands begin with what is common to its locks.
            stop_leftovers(self.transport, holder.owner[: len(OWNER)])
        owner = shlex.quote(holder.owner)
        self.transport.run(_BREAK.format(folder=self._folder, owner=owner), ANSWER_S)


def parse_holder(text: str) -> Holder | None:
    """Return the holder of which a device that is locked tells; ``None`` for anything else."""
    found = re.search(
        r"(?m)^held (-?\d+) (\S+) ?(?:([0-9a-f]+) ([0-9a-f]+) (\d+) ?(\S*))?\s*$", text
    )
    if found is None:
        return None
    left_s, now, owner, machine, pid, boot_id = found.groups()
    return Holder(
        owner or "", machine or "", int(pid or 0), boot_id or "", now.strip("-"), float(left_s)
    )


def _not_made(transport: Transport, done: Completed) -> Failure:
    message = f"no lock can be made in {transport.folder} ({done.complaint})"
    full = "No space left" in done.complaint
    return Failure("disk_full" if full else "push_denied", message)


def _machine() -> str:
    """Return a name for where a process number means the same: this boot, this PID namespace."""
    parts = [os.uname().nodename]
    for path in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"):
        with contextlib.suppress(OSError):
            parts.append(Path(path).read_text())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

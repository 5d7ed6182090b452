"""Files on a device: put there once, under their hash, whole or not at all.

``<folder>/<first 12 digits of the sha256>/<name>``; files that belong together lie in one folder,
named by the hash of their hashes. A file is sent as ``.part``, hashed by the device
itself and then renamed; a dropped link otherwise leaves a truncated file behind that looks complete.
Each question costs tens of milliseconds and a hash of a large file much more, so what is there is
listed once (``cached``), and a file that had been hashed before it got its name is not hashed again.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgezoo.artifacts import file_sha256
from edgezoo.devices.failures import DeviceError, Failure
from edgezoo.devices.transports.transport import Completed, Transport

SHORT_S = 30.0
# The slowest link worth waiting for: USB 1.1 and poor wireless carry about 1 MB/s.
SLOWEST_BYTES_PER_S = 250_000
RESERVE_BYTES = 4 << 20  # a full /data partition makes Android itself fail

FOREIGN = re.compile(r"[^A-Za-z0-9_.+-]")  # what a name on a device does not have
DAMAGED = 41  # exit code of the script that looks at what arrived

# Old devices have no sha256sum; the size then has to do.
_DIGEST = "{{ sha256sum {0} 2>/dev/null || echo size; wc -c < {0}; }}"


@dataclass(frozen=True, slots=True)
class Cached:
    """A file that is on the device under its final name."""

    size: int
    executable: bool


def push(
    transport: Transport,
    local: Path,
    executable: bool = False,
    known: Mapping[str, Cached] | None = None,
    beside: Sequence[Path] = (),
) -> str:
    """Bring ``local`` to the device, unless it is there already; return its path on the device.

    Files ``beside`` it get into the same folder before it. ``known`` is what ``cached`` told; without
    it the device is asked, and hashes what it has.

    Raises ``DeviceError`` of class ``artifact_changed`` where a file cannot be read here, ``disk_full``,
    ``push_denied``, ``push_failed``, or whatever befell the link.
    """
    paths = (*beside, local)
    digests = [_digest(path) for path in paths]
    together = hashlib.sha256("".join(digests).encode()).hexdigest()
    folder = f"{transport.folder}/{(together if beside else digests[-1])[:12]}"
    for path, digest in zip(paths, digests, strict=True):
        remote = f"{folder}/{FOREIGN.sub('_', path.name)}"
        _bring(transport, path, digest, remote, executable, known)
    return remote


def _digest(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise DeviceError(Failure("artifact_changed", message)) from error


def _bring(
    transport: Transport,
    local: Path,
    digest: str,
    remote: str,
    executable: bool,
    known: Mapping[str, Cached] | None,
) -> None:
    size = local.stat().st_size
    if known is None:
        there = _is_there(transport, remote, digest, size, executable)
    else:
        found = known.get(remote, Cached(-1, executable=False))
        there = found.size == size and (found.executable or not executable)
    if not there:
        _check_space(transport, remote.rpartition("/")[0], size)
        _send(transport, local, f"{remote}.part", size)
        _put_in_place(transport, remote, digest, size, executable)


def _send(transport: Transport, local: Path, part: str, size: int) -> None:
    try:
        transport.send(local, part, SHORT_S + size / SLOWEST_BYTES_PER_S)
    except DeviceError as error:
        # On a full disk the piece that fitted is in everybody's way; without a link it stays
        # until the next run (see locks).
        if error.failure.failure_class != "timeout":
            transport.run(f"rm -f {shlex.quote(part)}", SHORT_S)
        raise


def cached(transport: Transport) -> Mapping[str, Cached]:
    """Return the files that ``push`` has put on the device; empty where it cannot list them."""
    pattern = f"{shlex.quote(transport.folder)}/[0-9a-f]*/*"
    listed = _ended(transport.run(f"stat -c '%s %a %n' {pattern} 2>/dev/null", SHORT_S))
    rows = re.findall(r"(?m)^(\d+) ([0-7]+) (.+?)\r?$", listed.text)
    return {path: Cached(int(size), bool(int(mode, 8) & 0o100)) for size, mode, path in rows}


def pull(transport: Transport, remote: str, local: Path) -> None:
    """Bring a file from the device, whole or not at all. Raises ``DeviceError``."""
    found = transport.run(f"wc -c < {shlex.quote(remote)}", SHORT_S)
    if not found.ended:
        raise found.lost()
    if found.returncode != 0:
        raise DeviceError(Failure("no_output", f"{remote} is not on the device"))
    size = int(found.stdout)
    part = local.with_name(local.name + ".part")
    try:
        transport.receive(remote, part, SHORT_S + size / SLOWEST_BYTES_PER_S)
        if part.stat().st_size != size:
            message = f"{remote} has {size} bytes but {part.stat().st_size} arrived"
            raise DeviceError(Failure("no_output", message))
        part.replace(local)
    finally:
        part.unlink(missing_ok=True)


def remove(transport: Transport, remotes: Iterable[str]) -> None:
    """Remove files and folders below edgezoo's own folder; what is absent is no error."""
    paths = list(remotes)
    foreign = [path for path in paths if not path.startswith(f"{transport.folder}/")]
    if foreign or any(".." in path.split("/") for path in paths):
        raise ValueError(f"only what lies in {transport.folder} is removed, not {paths}")
    if paths:
        _ended(transport.run(f"rm -rf {shlex.join(paths)}", SHORT_S))


def clear_cache(transport: Transport, keep: Iterable[str] = ()) -> None:
    """Remove every pushed file from the device but those in ``keep``, paths that ``push`` gave."""
    listed = _ended(transport.run(f"ls {shlex.quote(transport.folder)} 2>/dev/null", SHORT_S))
    kept = {path.rpartition("/")[0].rpartition("/")[2] for path in keep}
    cached = [name for name in listed.text.split() if re.fullmatch("[0-9a-f]{12}", name)]
    remove(transport, [f"{transport.folder}/{name}" for name in cached if name not in kept])


def _is_there(transport: Transport, remote: str, digest: str, size: int, executable: bool) -> bool:
    quoted = shlex.quote(remote)
    test = f"[ -f {quoted} ]" + (f" && [ -x {quoted} ]" if executable else "")
    asked = _ended(transport.run(f"{test} && {_DIGEST.format(quoted)}", SHORT_S))
    return _fits(asked.text, digest, size)


def _fits(printed: str, digest: str, size: int) -> bool:
    words = printed.split()
    if not words:
        return False
    if words[0] == "size":
        return words[-1] == str(size)
    return words[0] == digest


def _check_space(transport: Transport, folder: str, size: int) -> None:
    """Make the folder, and refuse at once where the file would not fit."""
    quoted = shlex.quote(folder)
    made = _ended(transport.run(f"mkdir -p {quoted} && df -k {quoted}", SHORT_S))
    if made.returncode != 0 and not made.stdout:
        raise DeviceError(_refused(folder, made))
    free = free_bytes(made.text)
    if free is not None and free < size + RESERVE_BYTES:
        message = f"{size / 1e6:.1f} MB are to be pushed and {free / 1e6:.1f} MB are free"
        raise DeviceError(Failure("disk_full", message))


def free_bytes(df: str) -> int | None:
    """Return the free bytes that ``df -k`` tells, or ``None`` for a form that is not known."""
    lines = df.strip().splitlines()
    if len(lines) < 2 or "Available" not in lines[0].split():
        return None
    # A long device name may stand on a line of its own, so count from the right.
    words = " ".join(lines[1:]).split()
    return int(words[3]) * 1024 if len(words) > 3 and words[3].isdigit() else None


def _put_in_place(
    transport: Transport, remote: str, digest: str, size: int, executable: bool
) -> None:
    """Let the device hash what arrived, and give it its name where it is right."""
    part, target = shlex.quote(f"{remote}.part"), shlex.quote(remote)
    # Some phones lose the bit that adb sends along; a file that was pushed from Windows never had it.
    mode = "755" if executable else "644"
    place = f"chmod {mode} {part} && mv -f {part} {target}"
    script = f"""\
set -- $({_DIGEST.format(part)}); echo "$*"
case "$*" in {digest}*|"size {size}") {place};; *) rm -f {part}; exit {DAMAGED};; esac
"""
    timeout_s = SHORT_S + size / SLOWEST_BYTES_PER_S
    placed = _ended(transport.run(script, timeout_s))
    if placed.returncode == DAMAGED:
        message = f"{remote} arrived damaged ({' '.join(placed.text.split()) or placed.complaint})"
        raise DeviceError(Failure("push_failed", message))
    if placed.returncode != 0:
        raise DeviceError(_refused(remote, placed))


def _refused(remote: str, completed: Completed) -> Failure:
    if "No space left" in completed.complaint:
        return Failure("disk_full", f"{remote} cannot be made: {completed.complaint}")
    return Failure("push_denied", f"{remote} cannot be made: {completed.complaint}")


def _ended(completed: Completed) -> Completed:
    if not completed.ended:
        raise completed.lost()
    return completed

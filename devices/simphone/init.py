"""The first process of a simulated phone: it holds the namespaces and starts the commands.

Run by path, alone, by the daemon: ``python -I -S init.py FD SETTINGS``; nothing of edgezoo is
imported. FD is a socket of messages, one JSON object each, three file descriptors beside a
request to start a command. The phone lives as long as the socket is open: when it closes, every
process of the phone is killed, so a daemon that is gone leaves nothing running.

With ``namespaces`` commands see the phone's tree as their root, only the phone's processes, and the
user ``shell`` (2000). A command is never process 1: the kernel would ignore its signals.
Without, they are ordinary processes of this machine.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import time
from typing import Any, NoReturn

Settings = dict[str, Any]  # Any: JSON
SHELL_UID = 2000
LONGEST_MESSAGE = 1 << 20
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000
BIND, RECURSIVE, PRIVATE, REMOUNT = 4096, 16384, 1 << 18, 32
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC = 1, 2, 4, 8
DETACH = 2
SUBREAPER, DEATH_SIGNAL, SET_NAME, TIMER_SLACK = 36, 1, 15, 29
GONE_ROUNDS, GONE_ROUND_S = 500, 0.01
PERIOD_S = 0.002  # of running and stopping, short beside an inference
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise ``OSError`` for a C call that failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(
    source: str | None,
    target: str,
    kind: str | None = None,
    flags: int = 0,
    data: str | None = None,
) -> None:
    """Mount something; the arguments are those of the system call."""
    names = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    check(libc.mount(*names[:3], ctypes.c_ulong(flags), names[3]), f"mount {target}")


def bind(source: str, target: str, *extra: int) -> None:
    """Show ``source`` at ``target``; a user namespace must keep the flags that are locked."""
    mount(source, target, None, BIND | RECURSIVE)
    if extra:
        flags = os.statvfs(source).f_flag & (READ_ONLY | NO_SUID | NO_DEVICES | NO_EXEC)
        mount(None, target, None, BIND | REMOUNT | flags | sum(extra))


def new_namespaces(flags: int, user: int) -> None:
    """Leave this machine's namespaces; the user and the group become ``user``."""
    uid, gid = os.getuid(), os.getgid()
    check(libc.unshare(NEWUSER | NEWNS | flags), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {uid} 1"),
        ("gid_map", f"{user} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    mount(None, "/", None, RECURSIVE | PRIVATE)


def add_program_rules(rules: list[str]) -> None:
    """Tell the kernel what starts programs of other kinds, in this user namespace and those below.

    The rules are root's, so they get a namespace around the phone's. They last as long as their
    file system is mounted, which is over /sys, because nobody looks there any more.
    """
    new_namespaces(0, 0)
    try:
        mount("binfmt_misc", "/sys", "binfmt_misc")
    except OSError as error:
        reason = f"binfmt_misc in a user namespace, from Linux 6.7 on: {error.strerror}"
        raise OSError(error.errno, reason) from error
    for rule in rules:
        with open("/sys/register", "w") as file:
            file.write(rule)


def mount_tree(root: str, host: list[str]) -> None:
    """Turn the phone's folder into a file system: host libraries, devices, faked kernel files."""
    mount(root, root, None, BIND | RECURSIVE)
    for folder in host:
        bind(folder, root + folder, READ_ONLY)
    faked = root + "/dev/.proc"
    mount("tmpfs", root + "/dev", "tmpfs", NO_SUID, "mode=755,size=64m")
    for name in DEVICES:
        open(f"{root}/dev/{name}", "w").close()
        mount(f"/dev/{name}", f"{root}/dev/{name}", None, BIND)
    for name in ("shm", ".proc"):
        os.mkdir(f"{root}/dev/{name}")
    mount(root + "/proc", faked, None, BIND)
    mount("proc", root + "/proc", "proc", NO_SUID | NO_DEVICES | NO_EXEC)
    for folder, _, names in os.walk(faked):
        for name in names:
            source = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError):  # a kernel without that file
                mount(source, root + "/proc" + source[len(faked) :], None, BIND)
    libc.umount2(os.fsencode(faked), DETACH)
    os.rmdir(faked)
    bind(root + "/system", root + "/system", READ_ONLY)
    bind(root + "/storage/emulated/0", root + "/storage/emulated/0", NO_EXEC)


def enter(settings: Settings, channel: socket.socket) -> None:
    """Return in process 1 of the phone; the one that was started stays outside and waits."""
    if settings["program_rules"]:
        add_program_rules(settings["program_rules"])
    new_namespaces(NEWPID | NEWUTS | NEWIPC, SHELL_UID)
    daemon = os.getppid()
    child = os.fork()
    if child == 0:
        libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        mount_tree(settings["root"], settings["host"])
        libc.sethostname(b"localhost", 9)
        libc.prctl(SET_NAME, b"init", 0, 0, 0)
        return
    channel.close()
    _, status = os.waitpid(child, 0)
    leave(settings, daemon, orderly=os.waitstatus_to_exitcode(status) == 0)


def leave(settings: Settings, daemon: int, orderly: bool) -> NoReturn:
    """End; where the daemon was killed, nobody else removes the phone's folder."""
    rounds = 0 if orderly else GONE_ROUNDS
    while rounds and os.getppid() == daemon:  # its sockets close before it is gone
        time.sleep(GONE_ROUND_S)
        rounds -= 1
    if os.getppid() != daemon and unmounted(settings):
        shutil.rmtree(os.path.dirname(settings["root"]), ignore_errors=True)
    os._exit(0)


def unmounted(settings: Settings) -> bool:
    """Take the tree's mounts away, and the host's folders with them; tell whether they are gone."""
    return not settings["namespaces"] or libc.umount2(os.fsencode(settings["root"]), DETACH) == 0


class Init:
    """Starts commands, says how they ended, and slows them down."""

    def __init__(self, channel: socket.socket, settings: Settings) -> None:
        self.channel, self.settings = channel, settings
        self.running: dict[int, int] = {}  # process id: the request's id
        self.pacer: int | None = None
        self.orderly = False  # the daemon said that it shuts the phone down
        self.wake, self.waker = os.pipe()
        os.set_blocking(self.waker, False)
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(self.waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGPWR, lambda *_: self.tell(event="reboot"))

    def tell(self, **message: Any) -> None:  # Any: JSON
        """Send one message to the daemon, which may be gone."""
        with contextlib.suppress(OSError):
            self.channel.send(json.dumps(message).encode())

    def serve(self) -> None:
        """Work until the daemon closes the socket."""
        self.tell(event="ready", pid=os.getpid())
        while True:
            ready, _, _ = select.select([self.channel.fileno(), self.wake], [], [])
            if self.wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
                self.reap()
            if self.channel.fileno() in ready and not self.obey():
                return

    def obey(self) -> bool:
        """Carry out one request; false at the end of the socket."""
        data, fds, _, _ = socket.recv_fds(self.channel, LONGEST_MESSAGE, 3)
        if not data:
            return False
        request = json.loads(data)
        if "command" in request:
            pid = self.start(request, fds)
            self.running[pid] = request["id"]
        elif "signal" in request:
            for pid, known in self.running.items():
                if known == request["id"]:
                    os.kill(pid, request["signal"])
        elif "speed" in request:
            self.pace(request["speed"])
        elif "shutdown" in request:
            self.orderly = True
        for fd in fds:
            os.close(fd)
        return True

    def reap(self) -> None:
        """Take leave of every process that has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            known = self.running.pop(pid, None)
            if known is not None:
                self.tell(event="ended", id=known, code=code if code >= 0 else 128 - code)

    def start(self, request: Settings, fds: list[int]) -> int:
        """Start the phone's shell with a command and return its process id."""
        pid = os.fork()
        if pid:
            return pid
        try:
            self.become(request, fds)
        finally:  # whatever happened, never return into the parent's loop
            os._exit(127)

    def become(self, request: Settings, fds: list[int]) -> NoReturn:
        """Turn this process into the shell; does not return."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGPWR):
            signal.signal(number, signal.SIG_DFL)
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
        if request.get("terminal"):
            import fcntl
            import termios

            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.closerange(3, 4096)
        if self.settings["namespaces"]:
            os.chroot(self.settings["root"])
        os.chdir(self.settings["home"])
        shell = self.settings["shell"]
        environment = {**self.settings["environment"], **request.get("environment", {})}
        os.execve(shell, [shell, *request["command"]], environment)

    def pace(self, speed: float) -> None:
        """Stop all commands for a share of the time; 1 lets them run."""
        if self.pacer is not None:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pacer, signal.SIGKILL)
                os.waitpid(self.pacer, 0)  # it may be about to stop something
            self.pacer = None
            self.send_all(signal.SIGCONT)
        if speed >= 1.0:
            return
        mine = os.getpid()
        self.pacer = os.fork()
        if self.pacer == 0:
            try:
                self.channel.close()
                libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
                self.keep_pace(speed, mine)
            finally:
                os._exit(0)

    def keep_pace(self, speed: float, init: int) -> None:
        """Stop and continue in turns; a stop that took too long is paid back by the next run."""
        libc.prctl(TIMER_SLACK, 1, 0, 0, 0)  # ns; sleeps are as short as the period
        owed_s, last = 0.0, time.perf_counter()
        while os.getppid() == init:
            stop_s = max(PERIOD_S * (1.0 - speed) - owed_s, 0.0)
            if stop_s > 0:
                self.send_all(signal.SIGSTOP, init)
                time.sleep(stop_s)
                self.send_all(signal.SIGCONT, init)
            stopped = time.perf_counter()
            time.sleep(PERIOD_S * speed)
            now = time.perf_counter()
            # of the whole round the phone may be stopped for the share 1 - speed
            owed_s += (stopped - last) - (now - last) * (1.0 - speed)
            last = now

    def send_all(self, number: int, init: int | None = None) -> None:
        """Send a signal to every process of the phone but this one and its first."""
        spared = {os.getpid(), init, self.pacer}
        for pid in self.processes(init or os.getpid()):
            if pid not in spared:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)

    def processes(self, init: int) -> list[int]:
        """Return the process ids of the phone, as they are known here."""
        if self.settings["namespaces"]:
            return [
                int(name) for name in os.listdir(self.settings["root"] + "/proc") if name.isdigit()
            ]
        return descendants(init)

    def kill_all(self) -> None:
        """Kill what is left; needed only where no namespace does it."""
        while True:
            left = descendants(os.getpid())
            if not left:
                return
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, 0)


def descendants(ancestor: int) -> list[int]:
    """Return all processes below one, by the parents that /proc tells."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    waiting = [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def main() -> NoReturn:
    """Be the phone's first process until the daemon lets go."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    settings = json.loads(sys.argv[2])
    daemon = os.getppid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        if settings["namespaces"]:
            enter(settings, channel)
        else:
            libc.prctl(SUBREAPER, 1, 0, 0, 0)
    except OSError as error:
        reason = str(error.strerror or error)
        channel.send(json.dumps({"event": "failed", "reason": reason}).encode())
        os._exit(1)
    init = Init(channel, settings)
    init.serve()
    if not settings["namespaces"]:
        init.kill_all()
        leave(settings, daemon, init.orderly)
    os._exit(
        0 if init.orderly else 1
    )  # process 1 of the namespace: the kernel kills all the others


if __name__ == "__main__":
    main()

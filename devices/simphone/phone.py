"""One simulated phone: switched on, changed while it runs, switched off without a trace."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from edgezoo.devices.adb.server import Server, version
from edgezoo.devices.simphone import arm64, auth, cable, root, services, trees
from edgezoo.devices.simphone.conditions import PROFILES, Conditions, Profile
from edgezoo.devices.simphone.faults import Faults, ProgramFault, script_settings
from edgezoo.devices.simphone.link import Link
from edgezoo.devices.simphone.machine import Machine
from edgezoo.devices.simphone.wire import Connection
from edgezoo.errors import BenchmarkError, UsageError

FEATURES = "shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir,fixed_push_symlink_timestamp,apex"
LOOPBACK = "127.0.0.1"
TICK_S = 0.5
AMPLE_BYTES = 1 << 60
FOLDER_PREFIX = "edgezoo-simphone-"
LINK_FIELDS = {"drop_after_bytes", "drop_after_sent_bytes", "freeze_after_bytes"}


class SimulatedPhone:
    """A phone that listens for an adb server on a port of 127.0.0.1; use it with ``with``.

    ``features`` are those that it tells the server; without ``shell_v2`` it is an old phone, whose
    commands have no exit code. ``asks_for_keys`` makes it check the server's RSA key, which it
    accepts when first offered. ``isolated`` says whether commands get namespaces of their own:
    ``None`` takes them where this machine allows it, and ``tier`` tells what became of it. A phone
    whose profile has the ABI ``arm64-v8a`` executes such programs, by emulation where it must.
    """

    def __init__(
        self,
        profile: Profile = PROFILES[0],
        *,
        port: int = 0,
        number: int = 1,
        server: Server | None = None,
        features: str = FEATURES,
        asks_for_keys: bool = True,
        isolated: bool | None = None,
    ) -> None:
        """``port`` 0 takes a free one; with a ``server`` the phone plugs itself in when it starts.

        Raises what ``arm64.emulator_for`` does.
        """
        self.profile, self.features = profile, features
        self.asks_for_keys, self.server = asks_for_keys, server
        self.name = f"SIM{number:04d}"
        self.faults, self.conditions = Faults(), Conditions()
        self.machine: Machine | None = None
        self.folder: Path | None = None
        self.userland = root.find_userland()
        self.boots = 0
        self.port, self._isolated = port, isolated
        self._emulator = arm64.emulator_for(profile.abi, isolated)
        self._program_rules: tuple[str, ...] = ()
        self._keys: set[tuple[int, int]] = set()
        self._connections: dict[Connection, threading.Thread] = {}
        self._lock = threading.RLock()
        self._changing = threading.RLock()  # one boot, reboot or unplugging at a time
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._off = threading.Event()
        self._watching: socket.socket | None = None  # the server, for as long as it runs
        self._disk_limit: int | None = None

    # ------------------------------------------------------------------ on and off

    def start(self) -> SimulatedPhone:
        """Build the tree, boot, listen and plug in; raises ``BenchmarkError`` where that fails."""
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        try:
            self._first_boot(self.folder)
            self._listen(self.port)
            self._run(self._tick)
            self._plug()
            self._run(self._stay_plugged)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Unplug and switch off: processes, mounts and files are gone when this returns."""
        with self._lock:
            self._off.set()
            if self._watching is not None:
                with contextlib.suppress(OSError):  # it may have ended by itself
                    self._watching.shutdown(socket.SHUT_RDWR)
        with self._changing:
            if self.server is not None and self._listener is not None:
                cable.unplug(self.server, self.serial)
            self._unlisten()
            self._cut()
            if self.machine is not None:
                self.machine.close()
                self.machine = None
        for thread in (*self._threads, *self._connections.values()):
            thread.join()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> SimulatedPhone:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def serial(self) -> str:
        """Return what ``adb -s`` wants."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def tier(self) -> str:
        """Return how near to a phone this is, in words."""
        isolation = "namespaces" if self.tree.isolated else "no namespaces, rewritten paths"
        commands = (
            "mksh and toybox" if self.userland.android else "this machine's shell and commands"
        )
        commands += "" if self._emulator is None else f"; {arm64.ABI} by emulation"
        complete = self.tree.isolated and self.userland.android
        return f"{'full' if complete else 'reduced'} ({isolation}; {commands})"

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="simphone", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _first_boot(self, folder: Path) -> None:
        if self._isolated is None and self._emulator is None:
            try:
                return self._build(folder, True)
            except BenchmarkError:
                shutil.rmtree(folder / "root")
                return self._build(folder, False)
        return self._build(folder, self._isolated is not False)

    def _build(self, folder: Path, isolated: bool) -> None:
        self.tree = root.build(folder, self.userland, isolated)
        libc = "glibc" if self._emulator is None else "bionic (emulated)"
        trees.write_profile(self.tree.root, self.profile, self.name, libc)
        if self._emulator is not None:
            self._program_rules = (arm64.install(self._emulator, self.tree.root),)
        self._write_state()
        self._boot()

    def _boot(self) -> None:
        trees.write_boot(self.tree.root)
        self._booted = time.monotonic()
        self.machine = Machine(self.tree, lambda: self.reboot(wait=False), self._program_rules)
        self.boots += 1
        self.machine.pace(self.conditions.speed)

    def _tick(self) -> None:
        while not self._off.wait(TICK_S):
            with contextlib.suppress(FileNotFoundError):
                trees.write_uptime(self.tree.root, time.monotonic() - self._booted)

    # ------------------------------------------------------------- changes while it runs

    def set(self, **fields: Any) -> None:  # Any: the fields of Faults and Conditions
        """Change faults and conditions by their names, at once; a new ``state`` replugs the phone.

        Raises ``UsageError`` for names and values that do not exist.
        """
        faults = {field.name for field in dataclasses.fields(Faults)}
        conditions = {field.name for field in dataclasses.fields(Conditions)}
        unknown = sorted(set(fields) - faults - conditions)
        if unknown:
            known = ", ".join(sorted(faults | conditions))
            raise UsageError(f"a simulated phone has no {unknown[0]!r}; choose one of {known}")
        try:
            if isinstance(fields.get("program"), dict):
                fields["program"] = ProgramFault(**fields["program"])
            with self._lock:
                before = self.faults
                self.faults = dataclasses.replace(
                    self.faults, **{key: fields[key] for key in fields if key in faults}
                )
                self.conditions = dataclasses.replace(
                    self.conditions, **{key: fields[key] for key in fields if key in conditions}
                )
        except (TypeError, ValueError) as error:
            raise UsageError(f"a simulated phone cannot take this: {error}") from error
        self._apply(fields, before)

    def _apply(self, fields: dict[str, Any], before: Faults) -> None:  # Any: as in set
        self._write_state()
        if "free_bytes" in fields:
            free = self.faults.free_bytes
            self._disk_limit = None if free is None else self.tree.used_bytes() + free
            limit = root.DISK_KIB << 10 if self._disk_limit is None else self._disk_limit
            trees.write(self.tree.root / "data/system/disk_kib", f"{limit >> 10}\n")
        if "speed" in fields and self.machine is not None:
            self.machine.pace(self.conditions.speed)
        if LINK_FIELDS & fields.keys():
            for connection in self._connected():
                connection.link.faults_changed()
        if self.faults.state != before.state:
            with self._changing:
                self._cut()
                if self._listener is not None:  # else whoever plugs it in again does it
                    self._plug(again=True)

    def heal(self) -> None:
        """Take every fault and every condition back."""
        healthy = {**_fields(Faults()), **_fields(Conditions())}
        self.set(**healthy)

    def _write_state(self) -> None:
        with self._lock:
            trees.write_conditions(self.tree.root, self.profile, self.conditions)
            text = script_settings(self.faults.program)
            trees.write(self.tree.root / "data/system/fault", text)

    def disk_bytes(self) -> int:
        """Return how many bytes still fit on /data."""
        return (
            AMPLE_BYTES if self._disk_limit is None else self._disk_limit - self.tree.used_bytes()
        )

    # ------------------------------------------------------------------- the cable

    def drop(self) -> None:
        """Break the link; the server comes back by itself, as after a loose contact."""
        self._cut()

    def unplug(self) -> None:
        """Take the phone away from its server; it goes on running."""
        with self._changing:
            if self.server is not None:
                cable.unplug(self.server, self.serial)
            self._unlisten()
            self._cut()

    def replug(self) -> None:
        """Give the phone back to its server, under the same serial."""
        with self._changing:
            if self._listener is None:
                self._listen(self.port)
            self._plug(again=True)

    def reboot(self, wait: bool = True) -> None:
        """Kill everything on the phone, be away for ``faults.boot_s``, and come back."""
        if wait:
            return self._reboot()
        self._run(self._reboot)

    def _reboot(self) -> None:
        with self._changing:
            if self._off.is_set() or self.machine is None:
                return
            self._unlisten()
            machine, self.machine = self.machine, None
            self._cut()
            machine.close()
            if self._off.wait(self.faults.boot_s):
                return
            self._boot()
            self._listen(self.port)
            with contextlib.suppress(BenchmarkError):  # a server that is gone: see _stay_plugged
                self._plug(again=True)

    def forget_keys(self) -> None:
        """Trust no adb server any more; each has to offer its key again."""
        self._keys.clear()

    def _plug(self, again: bool = False) -> None:
        """Make the server connect; one that holds a dead link would only say that it is connected."""
        if self.server is None:
            return
        if again:
            cable.unplug(self.server, self.serial)
        frozen = self.faults.freeze_after_bytes == 0  # nobody answers the server
        cable.plug(self.server, self.serial, "offline" if frozen else self.faults.state)

    def _stay_plugged(self) -> None:
        """Connect to a server that was killed and started again, as a phone on a cable does."""
        while self.server is not None and not self._off.is_set():
            with self._lock:
                self._watching = None if self._off.is_set() else cable.watch(self.server)
            if self._watching is None:
                self._off.wait(TICK_S)
                continue
            with self._watching, contextlib.suppress(OSError):
                while self._watching.recv(1 << 12):
                    pass
            while not self._off.wait(TICK_S) and version(self.server) is None:
                pass
            with self._changing, contextlib.suppress(BenchmarkError):
                if self._listener is not None and not self._off.is_set():
                    self._plug()

    def _listen(self, port: int) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError as error:
            listener.close()
            raise BenchmarkError(
                f"port {port} of {LOOPBACK} is taken ({error.strerror}); choose another --port"
            ) from error
        listener.listen(8)
        self._listener, self.port = listener, listener.getsockname()[1]
        self._run(self._accept, listener)

    def _unlisten(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            link = Link(connected, lambda: self.faults, self._happened)
            connection = Connection(self, link)
            thread = threading.Thread(
                target=self._serve, args=(connection,), name="simphone-link", daemon=True
            )
            with self._lock:
                self._connections[connection] = thread
            thread.start()

    def _serve(self, connection: Connection) -> None:
        connection.run()
        with self._lock:
            self._connections.pop(connection, None)

    def _connected(self) -> list[Connection]:
        with self._lock:
            return list(self._connections)

    def _cut(self) -> None:
        for connection in self._connected():
            connection.link.cut()

    def _happened(self, name: str) -> None:
        gone: dict[str, Any] = {name: None}  # Any: as in set
        with self._lock:
            self.faults = dataclasses.replace(self.faults, **gone)

    # ---------------------------------------------------------- what connections ask for

    def banner(self) -> str:
        """Return how the phone introduces itself to the server."""
        name = self.profile.model.lower().replace(" ", "_")
        return (
            f"device::ro.product.name={name};ro.product.model={self.profile.model};"
            f"ro.product.device={name};features={self.features}"
        )

    def service(self, name: bytes) -> services.Service | None:
        """Return what the host asks to open, or ``None`` where there is no such thing."""
        return services.find(self, name)

    def trusts(self, token: bytes, signature: bytes) -> bool:
        """Tell whether a trusted key signed ``token``."""
        return any(auth.signed(token, signature, key) for key in tuple(self._keys))

    def trust(self, offered: bytes) -> bool:
        """Trust a public key from now on; false for what is none."""
        key = auth.public_key(offered)
        if key is None:
            return False
        self._keys.add(key)
        return True


def _fields(noun: Faults | Conditions) -> dict[str, Any]:  # Any: of each field's own type
    return {field.name: getattr(noun, field.name) for field in dataclasses.fields(noun)}

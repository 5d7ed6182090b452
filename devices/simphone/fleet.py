"""Several simulated phones on one adb server."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from edgezoo.devices.adb.find import find_adb
from edgezoo.devices.adb.server import Server, default_server, ensure_running, version
from edgezoo.devices.simphone.conditions import PROFILES, Profile
from edgezoo.devices.simphone.faults import SITUATIONS
from edgezoo.devices.simphone.phone import SimulatedPhone
from edgezoo.errors import UsageError

STARTED_AT_ONCE = 8


class Fleet:
    """``count`` phones, plugged into the adb server that the environment names; use with ``with``.

    The phones take the profiles in turn, so a fleet of three is not three times the same.
    """

    def __init__(
        self,
        count: int = 1,
        *,
        server: Server | None = None,
        port: int = 0,
        abi: str | None = None,
        situations: tuple[str, ...] = (),
        **options: Any,  # Any: options of SimulatedPhone
    ) -> None:
        """``port`` is the first phone's, the others follow; ``situations`` are there from the start.

        Raises ``UsageError`` for a situation that does not exist.
        """
        if count < 1:
            raise UsageError(f"--count is {count}; a fleet has at least one phone")
        self.server = server or default_server()
        self._fields = merged(situations)
        self.phones = tuple(
            SimulatedPhone(
                _with_abi(PROFILES[number % len(PROFILES)], abi),
                port=port + number if port else 0,
                number=number + 1,
                server=self.server,
                **options,
            )
            for number in range(count)
        )

    def start(self) -> Fleet:
        """Start the server where it does not run, and all phones.

        Raises ``BenchmarkError``, where a server must be started and there is no adb too.
        """
        if version(self.server) is None:  # one that runs needs no adb here
            ensure_running(self.server, find_adb())
        started: list[SimulatedPhone] = []
        try:
            with ThreadPoolExecutor(STARTED_AT_ONCE) as pool:
                for phone in pool.map(SimulatedPhone.start, self.phones):
                    started.append(phone)
            for phone in self.phones:
                if self._fields:
                    phone.set(**self._fields)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop every phone; the server stays."""
        for phone in self.phones:
            phone.stop()

    def __enter__(self) -> Fleet:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __getitem__(self, name: str | int) -> SimulatedPhone:
        """Return a phone by number from 0, name (SIM0001) or serial; raises ``UsageError``."""
        for number, phone in enumerate(self.phones):
            if name in (number, phone.name, phone.serial):
                return phone
        names = ", ".join(phone.name for phone in self.phones)
        raise UsageError(f"there is no simulated phone {name!r}; choose one of {names}")


def merged(situations: tuple[str, ...]) -> Mapping[str, Any]:  # Any: fields of Faults, Conditions
    """Return the fields of all named situations together; raises ``UsageError`` for unknown names."""
    fields: dict[str, Any] = {}
    for name in situations:
        if name not in SITUATIONS:
            raise UsageError(f"there is no fault {name!r}; choose one of {', '.join(SITUATIONS)}")
        fields |= SITUATIONS[name][1]
    return fields


def _with_abi(profile: Profile, abi: str | None) -> Profile:
    return profile if abi is None else dataclasses.replace(profile, abi=abi)

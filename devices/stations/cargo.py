"""The files of a run on one device: brought when they are first needed, found again afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgezoo.devices.failures import DeviceError
from edgezoo.devices.transports.files import Cached, cached, clear_cache, push
from edgezoo.devices.transports.transport import Transport


@dataclass(slots=True)
class Cargo:
    """What a run has brought to ``transport``; the lock of the device must be held."""

    transport: Transport
    _brought: dict[Path, str] = field(default_factory=dict)
    _cached: Mapping[str, Cached] | None = None

    def bring(self, path: Path, *, executable: bool = False, beside: Sequence[Path] = ()) -> str:
        """Return where a file lies on the device, after bringing it where it is not there yet.

        Files ``beside`` it lie in the same folder. A device that is full loses what earlier runs left.
        Raises ``DeviceError``.
        """
        if path in self._brought:
            return self._brought[path]
        if self._cached is None:
            self._cached = cached(self.transport)
        try:
            self._brought[path] = push(self.transport, path, executable, self._cached, beside)
        except DeviceError as error:
            if error.failure.failure_class != "disk_full" or not self._cached:
                raise
            clear_cache(self.transport, keep=self._brought.values())
            self._cached = {}
            self._brought[path] = push(self.transport, path, executable, self._cached, beside)
        return self._brought[path]

    def place(self, path: Path) -> str | None:
        """Return where a file lies that was brought, ``None`` for another one."""
        return self._brought.get(path)

    def look_again(self) -> None:
        """Trust nothing that was brought: the device was away."""
        self._brought.clear()
        self._cached = None

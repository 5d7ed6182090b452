"""The control socket of a fleet: faults and conditions from another program.

One JSON object per line in, one per line out, over a Unix socket::

    {"phone": "SIM0001", "set": {"thermal_status": 3, "clock": 0.6}}
    {"phone": 0, "do": "reboot"}
    {"situation": "segfault"}
    {"phones": true}

``phone`` is a number from 0, a name or a serial; without it all phones are meant. ``set`` takes the
fields of ``Faults`` and ``Conditions``; ``situation`` one of ``SITUATIONS``; ``do`` one of
``ACTIONS``. The answer is ``{"ok": true}``, the phones' state, or ``{"error": "a sentence"}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from edgezoo.devices.simphone.fleet import Fleet, merged
from edgezoo.devices.simphone.listening import listening
from edgezoo.devices.simphone.phone import SimulatedPhone
from edgezoo.errors import EdgezooError, OutputError, UsageError
from edgezoo.types import to_json

Message = Mapping[str, Any]  # Any: JSON
ACTIONS: Mapping[str, Callable[[SimulatedPhone], None]] = {
    "drop": SimulatedPhone.drop,
    "forget_keys": SimulatedPhone.forget_keys,
    "heal": SimulatedPhone.heal,
    "reboot": SimulatedPhone.reboot,
    "replug": SimulatedPhone.replug,
    "unplug": SimulatedPhone.unplug,
}
KNOWN = {"phone", "set", "do", "situation", "phones"}
TIMEOUT_S = 60.0


def obey(fleet: Fleet, message: object) -> Message:
    """Carry out one message and return the answer."""
    try:
        return _obey(fleet, message)
    except EdgezooError as error:
        return {"error": str(error)}


def _obey(fleet: Fleet, message: object) -> Message:
    if not isinstance(message, dict) or not message.keys() <= KNOWN:
        raise UsageError(f"a message is an object with some of {', '.join(sorted(KNOWN))}")
    phones = (fleet[message["phone"]],) if "phone" in message else fleet.phones
    action = message.get("do")
    if action is not None and action not in ACTIONS:
        raise UsageError(f"there is no action {action!r}; choose one of {', '.join(ACTIONS)}")
    fields = dict(merged((message["situation"],))) if "situation" in message else {}
    fields.update(message.get("set", {}))
    for phone in phones:
        if fields:
            phone.set(**fields)
        if action is not None:
            ACTIONS[action](phone)
    if "phones" in message:
        return {"phones": [described(phone) for phone in phones]}
    return {"ok": True}


def described(phone: SimulatedPhone) -> Message:
    """Return a phone with its faults and conditions as JSON data."""
    return {
        "serial": phone.serial,
        "name": phone.name,
        "model": phone.profile.model,
        "abi": phone.profile.abi,
        "tier": phone.tier,
        "boots": phone.boots,
        "faults": to_json(phone.faults),
        "conditions": to_json(phone.conditions),
    }


@contextlib.contextmanager
def controlled(fleet: Fleet, path: Path) -> Iterator[None]:
    """Take messages to a fleet from a Unix socket at ``path`` until the end of the ``with``.

    Raises ``OutputError`` where the socket cannot be made.
    """

    def answer(connected: socket.socket) -> None:
        with connected.makefile("rwb") as lines:
            for line in lines:
                lines.write(json.dumps(_answered(fleet, line)).encode() + b"\n")
                lines.flush()

    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise OutputError(
            f"no control socket can be made at {path} ({error.strerror or error});"
            " remove what is there or choose another path"
        ) from error
    os.chmod(path, 0o600)
    try:
        with listening(listener, answer, TIMEOUT_S):
            yield
    finally:
        path.unlink(missing_ok=True)


def _answered(fleet: Fleet, line: bytes) -> Message:
    try:
        return obey(fleet, json.loads(line))
    except ValueError as error:
        return {"error": f"a message is one JSON object on one line ({error})"}


def tell(path: Path, message: object) -> Message:
    """Send one message to the fleet that listens at ``path`` and return its answer.

    Raises ``UsageError`` where nobody listens.
    """
    with socket.socket(socket.AF_UNIX) as connected:
        connected.settimeout(TIMEOUT_S)
        try:
            connected.connect(str(path))
        except OSError as error:
            raise UsageError(
                f"no simulated phones listen at {path} ({error.strerror or error});"
                f" start them with edgezoo simphone --control {path}"
            ) from error
        with connected.makefile("rwb") as lines:
            lines.write(json.dumps(message).encode() + b"\n")
            lines.flush()
            answer: Message = json.loads(lines.readline() or b"{}")
            return answer

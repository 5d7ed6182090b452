"""The screen stays on while a phone is measured: with it off, the system slows everything down."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator

from edgezoo.devices.failures import DeviceError
from edgezoo.devices.stopping import unstoppable
from edgezoo.devices.transports.transport import Transport

ANSWER_S = 20.0

# Beside the lock the old value survives this program; who breaks the lock puts it back.
_ON = """\
command -v svc > /dev/null || exit 1
value=$(settings get global stay_on_while_plugged_in)
case $value in ''|*[!0-9]*) value=0;; esac
[ ! -d {folder}/lock ] || echo $value > {folder}/lock/stay_on
svc power stayon true && input keyevent KEYCODE_WAKEUP
echo $value
"""

_BACK = """\
settings put global stay_on_while_plugged_in {value}
rm -f {folder}/lock/stay_on
"""


@contextlib.contextmanager
def screen_on(transport: Transport) -> Iterator[None]:
    """Wake the screen and keep it on while plugged in; then restore the setting as it was.

    A device without Android's ``svc`` is left alone. The lock of the device should be held.
    """
    value = keep_on(transport)
    try:
        yield
    finally:
        if value is not None:
            back = _BACK.format(folder=shlex.quote(transport.folder), value=value)
            with unstoppable(), contextlib.suppress(DeviceError):
                transport.run(back, ANSWER_S)


def keep_on(transport: Transport) -> int | None:
    """Wake the screen and keep it on, also after a reboot; return the setting as it was.

    ``None`` where the device has none. Raises ``DeviceError``.
    """
    done = transport.run(_ON.format(folder=shlex.quote(transport.folder)), ANSWER_S)
    if not done.ended:
        raise done.lost()
    return int(done.text) if done.text.strip().isdigit() else None

"""The screen stays on while a phone is measured: with it off, the system slows everything down."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator

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
    folder = shlex.quote(transport.folder)
    done = transport.run(_ON.format(folder=folder), ANSWER_S)
    if not done.ended:
        raise done.lost()
    value = done.text.strip()
    try:
        yield
    finally:
        if value.isdigit():
            transport.run(_BACK.format(folder=folder, value=value), ANSWER_S)

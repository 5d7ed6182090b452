"""The screen stays on while a phone is measured: with it off, the system slows everything down."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Iterator

from edgezoo.devices.failures import DeviceError
from edgezoo.devices.stopping import unstoppable
from edgezoo.devices.transports.transport import Transport

ANSWER_S = 20.0
LONGEST_MS = 24 * 3_600_000  # until the screen goes off, while no cable keeps it on

# Beside the lock the old values survive this program; who breaks the lock puts them back. They are
# kept once: a second call finds those that the first has set.
_ON = """\
command -v svc > /dev/null || exit 1
cd {folder} 2>/dev/null
keep() {{ [ ! -d lock ] || [ -f lock/$1 ] || echo $2 > lock/$1; }}
value=$(settings get global stay_on_while_plugged_in)
case $value in ''|*[!0-9]*) value=0;; esac
keep stay_on $value
svc power stayon true
off=
case $(dumpsys battery) in
*'powered: true'*) ;;
*) off=$(settings get system screen_off_timeout)
  case $off in ''|*[!0-9]*) off=;; esac
  if [ ${{off:-{longest}}} -lt {longest} ]; then
    keep screen_off_timeout $off; settings put system screen_off_timeout {longest}
  else
    off=
  fi;;
esac
input keyevent KEYCODE_WAKEUP
echo "EZ_SCREEN $value $off"
"""

_BACK = """\
cd {folder} 2>/dev/null
value={value} off={off}
[ ! -f lock/screen_off_timeout ] || read -r off < lock/screen_off_timeout
settings put global stay_on_while_plugged_in $value
[ -z "$off" ] || settings put system screen_off_timeout $off
rm -f lock/stay_on lock/screen_off_timeout
"""

GUARDED = (
    "the phone lets nobody wake its screen or change its settings; turn on USB debugging (Security "
    "settings) in its developer options, or keep the screen on by hand"
)


@contextlib.contextmanager
def screen_on(
    transport: Transport, progress: Callable[[str], None] = lambda message: None
) -> Iterator[None]:
    """Wake the screen and keep it on; then restore the settings as they were.

    A device without Android's ``svc`` is left alone. The lock of the device should be held.
    """
    values = keep_on(transport, progress)
    try:
        yield
    finally:
        if values is not None:
            value, off = values
            back = _BACK.format(folder=shlex.quote(transport.folder), value=value, off=off)
            with unstoppable(), contextlib.suppress(DeviceError):
                transport.run(back, ANSWER_S)


def keep_on(
    transport: Transport, progress: Callable[[str], None] = lambda message: None
) -> tuple[str, str] | None:
    """Wake the screen and keep it on, also after a reboot; return both settings as they were.

    They are those for a phone on its cable and for one on its battery, the second empty where it
    did not have to change; ``None`` where the device has none. ``progress`` is told where the phone
    refuses, as those of Xiaomi do. Raises ``DeviceError``.
    """
    script = _ON.format(folder=shlex.quote(transport.folder), longest=LONGEST_MS)
    done = transport.run(script, ANSWER_S)
    if not done.ended:
        raise done.lost()
    if b"SecurityException" in done.stdout + done.stderr:
        progress(GUARDED)
    found = re.search(r"(?m)^EZ_SCREEN (\d+) ?(\d*)\r?$", done.text)
    return (found[1], found[2]) if found else None

"""After a link was lost: is the device back, did it reboot, and what still runs there?"""

from __future__ import annotations

import re
import shlex

from edgezoo.devices.clock import Clock
from edgezoo.devices.failures import Failure
from edgezoo.devices.transports.transport import Completed, Transport
from edgezoo.devices.transports.wrap import OWNER, stop_script

QUESTION_S = 10.0
PAUSE_S = 1.0
REFUSED = ("unauthorized", "no_permission", "unsupported", "tool_broken", "server_mismatch")


def explain_loss(transport: Transport, lost: Completed, patience_s: float, clock: Clock) -> Failure:
    """Wait at most ``patience_s`` until the device answers again; say what had happened.

    What of this process still runs there is ended.
    ``device_rebooted`` where it comes back in another boot than the one in which ``lost`` started,
    what ``lost`` itself says where it is the same one (a daemon that was only starting refuses for a
    moment, which is a lost link), ``device_gone`` where it does not come back and ``unauthorized``
    where it is back but does not let us in.
    """
    given = lost.failure or Failure("link_lost", "the link was lost before the command ended")
    deadline = clock.now() + patience_s
    while True:
        answer = transport.run(":", QUESTION_S)
        if answer.ended:
            break
        if clock.now() >= deadline:
            if answer.failure is not None and answer.failure.failure_class in REFUSED:
                return answer.failure
            message = f"{transport.serial} did not come back within {patience_s:g} s"
            return Failure("device_gone", message)
        transport.reconnect()
        clock.sleep(PAUSE_S)
    stop_leftovers(transport, OWNER)
    if lost.boot_id and answer.boot_id and lost.boot_id != answer.boot_id:
        return Failure("device_rebooted", f"{transport.serial} rebooted while a command ran")
    return Failure("link_lost", given.message) if given.failure_class in REFUSED else given


def stop_leftovers(transport: Transport, owner: str) -> None:
    """End every command on the device that a process of edgezoo began and did not see the end of.

    A link that breaks ends nothing there: what goes on would disturb the next measurement.
    """
    listed = transport.run(f"ls {shlex.quote(transport.folder)}/run 2>/dev/null", QUESTION_S)
    for word in listed.text.split():
        if re.fullmatch(rf"{owner}[0-9a-f]+", word):  # that of `ls` too: it has ended
            transport.run(stop_script(word, transport.folder), QUESTION_S)

"""After a link was lost: is the device back, and did it reboot meanwhile?"""

from __future__ import annotations

from edgezoo.devices.clock import Clock
from edgezoo.devices.failures import Failure
from edgezoo.devices.transports.transport import Completed, Transport

QUESTION_S = 10.0
PAUSE_S = 1.0


def explain_loss(transport: Transport, lost: Completed, patience_s: float, clock: Clock) -> Failure:
    """Wait at most ``patience_s`` until the device answers again; say what had happened.

    ``device_rebooted`` where it comes back in another boot than the one in which ``lost`` started,
    what ``lost`` itself says where it is the same one, ``device_gone`` where it does not come back.
    """
    given = lost.failure or Failure("link_lost", "the link was lost before the command ended")
    deadline = clock.now() + patience_s
    while True:
        answer = transport.run(":", QUESTION_S)
        if answer.ended:
            break
        if clock.now() >= deadline:
            message = f"{transport.serial} did not come back within {patience_s:g} s"
            return Failure("device_gone", message)
        transport.reconnect()
        clock.sleep(PAUSE_S)
    if lost.boot_id and answer.boot_id and lost.boot_id != answer.boot_id:
        return Failure("device_rebooted", f"{transport.serial} rebooted while a command ran")
    return given

"""The two phases at a device: the gauge of the idle device, and the gauge beside a long run."""

from __future__ import annotations

import math
import shlex

from edgezoo.devices.energy.gauge import FOLDER, Reading, parse_readings, sampler_script
from edgezoo.devices.energy.power import NO_GAUGE, GaugeProblem, charging
from edgezoo.devices.transports.transport import Transport

INTERVAL_S = 0.25
UNREADABLE = 3  # the script's exit code
MARGIN_S = 30.0


def idle_readings(
    transport: Transport, seconds: float, *, interval_s: float = INTERVAL_S, folder: str = FOLDER
) -> tuple[Reading, ...] | GaugeProblem:
    """Return what the gauge says for ``seconds`` of an idle device, or why it says nothing.

    A battery that is being charged is found at once, without waiting.
    """
    first = _read(transport, 0.0, interval_s, folder)
    if isinstance(first, GaugeProblem):
        return first
    return charging((first,)) or _read(transport, seconds, interval_s, folder)


def _read(
    transport: Transport, seconds: float, interval_s: float, folder: str
) -> tuple[Reading, ...] | GaugeProblem:
    script = sampler_script(max(1, math.ceil(seconds / interval_s)), interval_s, folder)
    done = transport.run(script, 2 * seconds + MARGIN_S)
    if done.ok:
        return parse_readings(done.stdout)
    if done.ended and done.returncode == UNREADABLE:
        return NO_GAUGE
    message = done.failure.message if done.failure else done.complaint
    return GaugeProblem("absent", f"the gauge could not be read ({message})")


def sampled_script(
    command: str,
    seconds: float,
    file: str,
    *,
    interval_s: float = INTERVAL_S,
    folder: str = FOLDER,
) -> str:
    """Return a script that runs ``command`` while the gauge is read into ``file`` on the device.

    It prints the command's own output, then the readings (``parse_readings`` finds them), and ends
    with the command's exit code. The sampler ends with it, and by itself after twice ``seconds``.
    """
    sampler = sampler_script(math.ceil(2 * seconds / interval_s), interval_s, folder)
    kept = shlex.quote(file)
    return (
        f"( {sampler} ) >{kept} 2>/dev/null </dev/null & sampler=$!\n"
        f"( {command}\n)\nended=$?\n"
        "kill $sampler 2>/dev/null; wait $sampler 2>/dev/null\n"
        f"echo; cat {kept}; rm -f {kept}\n"
        "( exit $ended )"
    )

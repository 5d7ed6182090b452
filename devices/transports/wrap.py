"""The shell script around every remote command: who it is, where it runs, and that it ended.

It prints a line with the device's boot id, runs the command in a subshell, and prints its exit code
in a line with a random word. Meanwhile a file ``run/<word>`` on the device holds its process group,
by which it can be stopped after the link or this program has died. Plain POSIX shell, for mksh of
any Android version, toybox, busybox and dash; nothing is spawned before the command.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from edgezoo.devices.failures import Failure
from edgezoo.devices.transports.process import LARGEST_OUTPUT, Ended
from edgezoo.devices.transports.transport import Completed

START, END = "EZ_START", "EZ_END"
# The words of one process of edgezoo begin alike, so what it left on a device can be told apart.
OWNER = secrets.token_hex(4)

# adbd and sshd make each command the leader of a session, so its group is all that it started.
_SCRIPT = """\
read -r ez_boot 2>/dev/null < /proc/sys/kernel/random/boot_id
read -r ez_stat 2>/dev/null < /proc/$$/stat; set -- ${{ez_stat##*) }}; ez_group=$3; set --
[ -d {folder}/run ] || mkdir -p {folder}/run 2>/dev/null
echo "$ez_group $ez_boot" 2>/dev/null > {folder}/run/{word}
echo "{start} {word} $ez_boot"
(
{command}
)
ez_code=$?; rm -f {folder}/run/{word}
echo; echo "{end} {word} rc=$ez_code"
"""

# A group is ended if its leader is ours or gone; its number cannot be used anew while it has members.
_STOP = """\
ez_group= ; ez_boot= ; ez_now=
read -r ez_group ez_boot 2>/dev/null < {folder}/run/{word}
read -r ez_now 2>/dev/null < /proc/sys/kernel/random/boot_id
if [ -n "$ez_group" ] && [ "$ez_boot" = "$ez_now" ]; then
  if [ ! -d /proc/$ez_group ] || tr '\\000' ' ' < /proc/$ez_group/cmdline | grep -q {word}; then
    kill -s KILL -- -$ez_group 2>/dev/null
    ez_turn=0
    while kill -s 0 -- -$ez_group 2>/dev/null; do
      ez_turn=$((ez_turn + 1)); [ $ez_turn -lt 30 ] || {{ echo "running $ez_group"; exit; }}
      sleep 0.1
    done
  fi
fi
rm -f {folder}/run/{word}; echo stopped
"""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A remote command ready to be sent, and the word by which its output is recognised."""

    script: str
    word: str


def wrap(command: str | Sequence[str], folder: str) -> Wrapped:
    """Wrap a script, or an argument list, for a device whose folder of edgezoo's is ``folder``."""
    text = command if isinstance(command, str) else shlex.join(command)
    word = OWNER + secrets.token_hex(6)
    script = _SCRIPT.format(
        command=text, folder=shlex.quote(folder), word=word, start=START, end=END
    )
    return Wrapped(script, word)


def stop_script(word: str, folder: str) -> str:
    """Return the script that ends the command ``word``; it prints ``stopped`` where none is left."""
    return _STOP.format(folder=shlex.quote(folder), word=word)


def unwrap(ended: Ended, word: str, timeout_s: float) -> Completed:
    """Return what the command itself printed and gave.

    It ended only if the marker arrived and the carrier (adb, ssh) ended with 0 too. ``failure`` of
    one that did not is ``timeout``, ``bad_output`` or the general ``link_lost``; the transport
    knows better where the carrier complained.
    """
    begin = re.match(rb"%s %s ?([\w-]*)\r?\n" % (START.encode(), word.encode()), ended.stdout)
    body = ended.stdout[begin.end() if begin else 0 :]
    boot_id = begin[1].decode() if begin else ""
    marks = list(re.finditer(rb"\r?\n%s %s rc=(\d+)\r?\n" % (END.encode(), word.encode()), body))
    if marks and ended.returncode == 0:
        output = body[: marks[-1].start()]
        return Completed(output, ended.stderr, int(marks[-1][1]), ended=True, boot_id=boot_id)
    failure = {
        "timeout": Failure("timeout", f"it did not end within {timeout_s:g} s and was stopped"),
        "output": Failure("bad_output", f"it printed more than {LARGEST_OUTPUT >> 20} MiB"),
        "exit": Failure("link_lost", "the link was lost before the command ended"),
    }[ended.by]
    return Completed(body, ended.stderr, None, ended=False, failure=failure, boot_id=boot_id)

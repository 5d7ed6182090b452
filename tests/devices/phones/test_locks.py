"""One job on a phone at a time, also from other machines, and after a job that was killed."""

import os
import subprocess
import time

import pytest

from edgezoo.devices.adb.find import Adb
from edgezoo.devices.adb.server import Server
from edgezoo.devices.failures import DeviceError
from edgezoo.devices.locks import DeviceLock, Holder, host_lock, locked, parse_holder
from edgezoo.devices.screen import GUARDED, LONGEST_MS, keep_on, screen_on
from edgezoo.devices.simphone import SimulatedPhone, cable
from edgezoo.devices.survey import read_conditions
from edgezoo.devices.transports.adb import AdbTransport
from edgezoo.devices.transports.wrap import OWNER

ANSWER_S = 60.0
STAY_ON = "settings get global stay_on_while_plugged_in"
ELSEWHERE = ("ab12cd34", "0123456789ab", 4242)  # owner, machine, process


def ask(transport: AdbTransport, script: str) -> str:
    done = transport.run(script, ANSWER_S)
    assert done.ended, done.failure
    return done.text.strip()


def lock_by(
    transport: AdbTransport, holder: tuple[str, str, int], valid_s: int = 600, boot: str = "$b"
) -> None:
    """Leave a lock behind, as another program would have."""
    words = " ".join(map(str, holder))
    ask(
        transport,
        f"mkdir -p {transport.folder}/lock && cd {transport.folder}/lock\n"
        "read -r b < /proc/sys/kernel/random/boot_id\n"
        f"echo {words} {boot} > owner; echo $(($(date +%s) + {valid_s})) > until; echo 3 > stay_on",
    )


def own_machine(transport: AdbTransport) -> str:
    """Return how a lock of this machine names it."""
    with locked(transport):
        return ask(transport, f"cat {transport.folder}/lock/owner").split()[1]


def dead_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_nothing_is_left(transport: AdbTransport) -> None:
    with locked(transport):
        owner = ask(transport, f"cat {transport.folder}/lock/owner")
        assert owner.split()[0].startswith(OWNER)
        assert owner.split()[2] == str(os.getpid())
    assert ask(transport, f"ls {transport.folder}") == "run"
    assert ask(transport, f"ls {transport.folder}/run | wc -l") == "1"  # this command itself


def test_another_process_of_this_machine(transport: AdbTransport) -> None:
    with (
        host_lock(transport.serial),
        pytest.raises(DeviceError, match=f"by process {os.getpid()} of this machine") as caught,
        locked(transport),
    ):
        pass
    assert caught.value.failure.failure_class == "busy"
    with host_lock(transport.serial), host_lock("another phone"):
        pass


def test_a_job_elsewhere_is_left_alone(transport: AdbTransport) -> None:
    lock_by(transport, ELSEWHERE)
    with (
        pytest.raises(DeviceError, match="from elsewhere, for at most 10 min more"),
        locked(transport),
    ):
        pass
    assert ask(transport, f"cat {transport.folder}/lock/owner").startswith("ab12cd34")


def test_its_time_is_over(transport: AdbTransport) -> None:
    lock_by(transport, ELSEWHERE, valid_s=-1)
    with locked(transport):
        pass


def test_the_phone_has_booted_since(transport: AdbTransport) -> None:
    lock_by(transport, ELSEWHERE, boot="11111111-2222")
    with locked(transport):
        pass


def test_a_killed_job_of_this_machine(transport: AdbTransport) -> None:
    """What it left running is ended, what it switched on is switched back."""
    owner = "deadbeef"
    machine = own_machine(transport)
    word = f"{owner}001122"
    ask(transport, "settings put global stay_on_while_plugged_in 7")
    ask(
        transport,
        f"echo 'sleep 1000; : {word}' > {transport.folder}/left; cd {transport.folder}\n"
        "setsid sh -c 'read -r b < /proc/sys/kernel/random/boot_id\n"
        f'echo "$$ $b" > run/{word}; exec sh ./left {word}\' > /dev/null 2>&1 &\n'
        f"while [ ! -s {transport.folder}/run/{word} ]; do sleep 0.02; done",
    )
    assert ask(transport, f"pgrep -f '[l]eft {word}' | wc -l") == "1"
    lock_by(transport, (owner, machine, dead_process()))
    with locked(transport):
        assert ask(transport, f"pgrep -f '[l]eft {word}' | wc -l") == "0"
        assert ask(transport, "pgrep -f '[s]leep 1000' | wc -l") == "0"
        assert ask(transport, STAY_ON) == "3"
        assert ask(transport, f"ls {transport.folder}/run/{word} 2>/dev/null") == ""


def test_a_running_job_of_this_machine(transport: AdbTransport) -> None:
    lock_by(transport, ("ab12cd34", own_machine(transport), os.getppid()))
    with pytest.raises(DeviceError, match="from elsewhere"), locked(transport):
        pass


def test_a_lock_that_was_never_finished(transport: AdbTransport) -> None:
    """It is being taken for a moment; after that, who took it was cut off."""
    ask(transport, f"mkdir -p {transport.folder}/lock")
    holder = DeviceLock(transport)._try()
    assert holder is not None
    assert not holder.stale
    with locked(transport):
        pass
    ask(transport, f"mkdir -p {transport.folder}/lock")
    ask(transport, f"touch -d @{int(time.time()) - 90} {transport.folder}/lock")
    with locked(transport):
        pass


def test_a_breaker_that_was_cut_off(transport: AdbTransport) -> None:
    """What it left bars nobody after a while, and nobody at all after a reboot."""
    read = "read -r b < /proc/sys/kernel/random/boot_id"
    ask(
        transport,
        f"cd {transport.folder}; {read}; mkdir breaking-$b breaking-1; touch -d @0 breaking-$b",
    )
    lock_by(transport, ELSEWHERE, valid_s=-1)
    with locked(transport):
        assert ask(transport, f"ls {transport.folder} | grep -c breaking") == "0"


def test_renewing(transport: AdbTransport) -> None:
    with locked(transport) as lock:
        lock.renew(7200)
        left = ask(transport, f"echo $(($(cat {transport.folder}/lock/until) - $(date +%s)))")
        assert int(left) > 7000
        ask(transport, f"rm -rf {transport.folder}/lock")
        lock_by(transport, ELSEWHERE)
        with pytest.raises(DeviceError, match="was taken by somebody else"):
            lock.renew()
    assert ask(transport, f"cat {transport.folder}/lock/owner").startswith("ab12cd34")


def test_a_phone_that_left_while_locked(transport: AdbTransport, phone: SimulatedPhone) -> None:
    """Its own next run takes the lock that it could not give back."""
    with locked(transport):
        phone.unplug()
    phone.replug()
    assert ask(transport, f"ls {transport.folder}/lock")
    with locked(transport):
        pass


def test_one_phone_under_two_names(
    adb: Adb, server: Server, transport: AdbTransport, phone: SimulatedPhone
) -> None:
    """This process's own live lock is nobody's to break, and what runs under it goes on."""
    alias = f"localhost:{phone.port}"
    cable.plug(server, alias)
    try:
        with locked(transport) as lock:
            with (
                pytest.raises(DeviceError, match="by this very run, under another name") as caught,
                locked(AdbTransport(adb, alias, server)),
            ):
                pass
            assert caught.value.failure.failure_class == "busy"
            lock.renew()
        with locked(AdbTransport(adb, alias, server)):
            pass
    finally:
        cable.unplug(server, alias)


def test_what_an_energy_run_left(transport: AdbTransport) -> None:
    ask(transport, f"mkdir -p {transport.folder}; touch {transport.folder}/gauge-0a1b")
    with locked(transport):
        assert ask(transport, f"ls {transport.folder}").split() == ["lock", "run"]


def test_why_no_lock_can_be_made(transport: AdbTransport) -> None:
    ask(transport, f"mkdir -p {transport.folder}; touch {transport.folder}/lock")
    with pytest.raises(DeviceError, match=r"no lock can be made .*File exists"):
        DeviceLock(transport).take()


def test_a_full_phone(transport: AdbTransport, phone: SimulatedPhone) -> None:
    ask(transport, f"rm -rf {transport.folder}; touch {transport.folder}")
    with pytest.raises(DeviceError, match="no lock can be made") as caught:
        DeviceLock(transport).take()
    assert caught.value.failure.failure_class == "push_denied"
    (phone.tree.root / transport.folder.lstrip("/")).unlink()


def test_screen(transport: AdbTransport, phone: SimulatedPhone) -> None:
    phone.set(screen_on=False)
    ask(transport, "settings put global stay_on_while_plugged_in 2")
    assert read_conditions(transport).screen_on is False
    with locked(transport), screen_on(transport):
        assert read_conditions(transport).screen_on is True
        assert ask(transport, STAY_ON) == "7"
        assert ask(transport, f"cat {transport.folder}/lock/stay_on") == "2"
    assert ask(transport, STAY_ON) == "2"


TIMEOUT = "settings get system screen_off_timeout"


def test_a_screen_without_a_cable(transport: AdbTransport, phone: SimulatedPhone) -> None:
    """The setting for phones that are plugged in does nothing there."""
    phone.set(screen_on=False, charging=False)
    ask(transport, "settings put global stay_on_while_plugged_in 0")
    with locked(transport), screen_on(transport):
        assert read_conditions(transport).screen_on is True
        assert ask(transport, TIMEOUT) == str(LONGEST_MS)
        assert ask(transport, f"cat {transport.folder}/lock/screen_off_timeout") == "60000"
        keep_on(transport)  # woken once more: the values that count are the first
        assert ask(transport, f"cat {transport.folder}/lock/screen_off_timeout") == "60000"
        assert ask(transport, f"cat {transport.folder}/lock/stay_on") == "0"
    assert ask(transport, TIMEOUT) == "60000"
    assert ask(transport, STAY_ON) == "0"


def test_who_breaks_a_lock_puts_the_screen_back(transport: AdbTransport) -> None:
    lock_by(transport, ELSEWHERE, valid_s=-1)
    ask(transport, f"echo 30000 > {transport.folder}/lock/screen_off_timeout")
    with locked(transport):
        assert ask(transport, TIMEOUT) == "30000"
    ask(transport, "settings put system screen_off_timeout 60000")
    ask(transport, "settings put global stay_on_while_plugged_in 0")


def test_a_phone_that_lets_nobody_wake_it(transport: AdbTransport, phone: SimulatedPhone) -> None:
    phone.set(screen_on=False, guarded=True)
    said: list[str] = []
    with locked(transport), screen_on(transport, said.append):
        assert read_conditions(transport).screen_on is False
    assert said == [GUARDED]
    phone.set(guarded=False)
    ask(transport, "settings put global stay_on_while_plugged_in 0")


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({}, False),
        ({"left_s": -1.0}, True),
        ({"boot_id": "b1"}, True),
        ({"owner": "", "left_s": 1798.0}, False),
        ({"owner": "", "left_s": 1700.0}, True),
    ],
)
def test_stale(change: dict[str, str | float], stale: bool) -> None:
    fields = {
        "owner": "ab12", "machine": "cd34", "pid": 1, "boot_id": "b0", "boot_id_now": "b0",
        "left_s": 60.0, **change,
    }  # fmt: skip
    assert Holder(**fields).stale is stale  # type: ignore[arg-type]  # of many types


@pytest.mark.parametrize("text", ["", "taken", "held", "held x y", "held 5"])
def test_no_holder(text: str) -> None:
    assert parse_holder(text) is None

"""What real adb binaries do with the phone when nothing is wrong."""

import contextlib
import filecmp
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgezoo.devices.simphone import SIMULATED, SimulatedPhone, cable
from edgezoo.devices.simphone.control import described
from edgezoo.devices.simphone.init import descendants
from tests.devices.simphone.conftest import Adb, Done, wait_until

FOLDER = "/data/local/tmp"
Shell = Callable[[str], Done]


@pytest.fixture
def shell(adb: Adb, phone: SimulatedPhone) -> Shell:
    return lambda command: adb("-s", phone.serial, "shell", command)


def test_devices(adb: Adb, phone: SimulatedPhone) -> None:
    listed = [line for line in adb("devices", "-l").out.splitlines() if phone.serial in line]
    assert len(listed) == 1
    assert "device product:sim_flagship model:Sim_Flagship device:sim_flagship" in listed[0]


def test_push_and_pull(adb: Adb, phone: SimulatedPhone, shell: Shell, tmp_path: Path) -> None:
    sent, back = tmp_path / "sent", tmp_path / "back"
    sent.write_bytes(os.urandom(3_000_001))
    sent.chmod(0o755)
    assert adb("-s", phone.serial, "push", sent, f"{FOLDER}/new/file").code == 0
    assert shell(f"cat {FOLDER}/new/file | wc -c").out.split() == ["3000001"]
    assert shell(f"test -x {FOLDER}/new/file; echo $?").out == "0\n"
    assert adb("-s", phone.serial, "pull", f"{FOLDER}/new/file", back).code == 0
    assert filecmp.cmp(sent, back, shallow=False)


def test_folders(adb: Adb, phone: SimulatedPhone, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_text("x")
    assert adb("-s", phone.serial, "push", tmp_path / "a", FOLDER).code == 0
    assert adb("-s", phone.serial, "pull", f"{FOLDER}/a", tmp_path / "back").code == 0
    assert (tmp_path / "back/b/c").read_text() == "x"
    assert " b\n" in adb("-s", phone.serial, "ls", f"{FOLDER}/a").out


def test_exit_code_and_both_streams(shell: Shell) -> None:
    assert shell("echo out; echo err >&2; exit 37") == Done(37, "out\n", "err\n")


@pytest.mark.parametrize(
    ("name", "code"), [("SEGV", 139), ("ILL", 132), ("ABRT", 134), ("BUS", 135), ("KILL", 137)]
)
def test_signals_come_as_exit_codes(shell: Shell, name: str, code: int) -> None:
    assert shell(f"kill -s {name} $$").code == code


def test_input(adb: Adb, phone: SimulatedPhone) -> None:
    done = subprocess.run(
        adb.argv("-s", phone.serial, "shell", "cat; echo end"),
        input=b"\x00\xff given",
        env=adb.environment,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"\x00\xff givenend\n"


def test_bytes_pass_unchanged(adb: Adb, phone: SimulatedPhone) -> None:
    command = adb.argv("-s", phone.serial, "exec-out", r"printf 'a\r\n\377\376'")
    assert subprocess.check_output(command, env=adb.environment, timeout=60) == b"a\r\n\xff\xfe"


def test_it_says_that_it_is_no_phone(shell: Shell) -> None:
    assert shell(f"getprop {SIMULATED}").out == "1\n"
    assert f"[{SIMULATED}]: [1]\n" in shell("getprop").out


def test_properties(shell: Shell) -> None:
    assert shell("getprop ro.soc.model; getprop no.such fallback").out == "SIM8900\nfallback\n"
    refused = shell("setprop ro.soc.model other")
    assert refused.code == 1 and "Failed to set property" in refused.err
    assert shell("setprop debug.mine 'a b'; getprop debug.mine").out == "a b\n"


def test_cores_and_clusters(shell: Shell) -> None:
    cpu = "/sys/devices/system/cpu"
    assert shell(f"cat {cpu}/present; nproc").out == "0-7\n8\n"
    highest = shell(f"cat {cpu}/cpu[0-7]/cpufreq/cpuinfo_max_freq").out.split()
    assert highest == ["1800000"] * 4 + ["2400000"] * 3 + ["2850000"]
    assert shell(f"cat {cpu}/cpufreq/policy4/related_cpus").out == "4 5 6\n"
    assert shell("grep -c ^processor /proc/cpuinfo").out == "8\n"


def test_conditions_change_while_it_runs(phone: SimulatedPhone, shell: Shell) -> None:
    phone.set(
        thermal_status=3, clock=0.5, battery_level=41, battery_celsius=38.5, skin_celsius=45.2
    )
    assert "Thermal Status: 3\n" in shell("dumpsys thermalservice").out
    assert (
        "Temperature{mValue=45.2, mType=3, mName=SKIN, mStatus=3}"
        in shell("dumpsys thermalservice").out
    )
    battery = shell("dumpsys battery").out
    assert "  level: 41\n" in battery and "  temperature: 385\n" in battery
    assert shell("cat /sys/devices/system/cpu/cpu7/cpufreq/scaling_cur_freq").out == "1425000\n"
    zones = shell(
        "cat /sys/class/thermal/thermal_zone*/type /sys/class/thermal/thermal_zone*/temp"
    ).out
    assert zones.split() == ["cpu-0-0", "battery", "skin-therm", "38200", "38500", "45200"]
    phone.set(screen_on=False, low_power_mode=True, governor="powersave", charging=False)
    assert "mWakefulness=Asleep" in shell("dumpsys power").out
    assert shell("settings get global low_power").out == "1\n"
    assert shell("cat /sys/class/power_supply/battery/status").out == "Discharging\n"
    assert shell("cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").out == "powersave\n"


def test_services(shell: Shell) -> None:
    assert shell("service check thermalservice").out == "Service thermalservice: found\n"
    assert shell("dumpsys nothing").out == "Can't find service: nothing\n"
    assert shell("cmd nothing; echo $?").out == "20\n"
    assert (
        "Thermal Status: 4\n"
        in shell("cmd thermalservice override-status 4; dumpsys thermalservice").out
    )


def test_the_screen_wakes(phone: SimulatedPhone, shell: Shell) -> None:
    phone.set(screen_on=False)
    assert "mWakefulness=Awake" in shell("svc power stayon true; dumpsys power").out
    assert shell("settings get global stay_on_while_plugged_in").out == "7\n"
    assert "mScreenState=ON" in shell("dumpsys display").out


@pytest.mark.parametrize(
    ("command", "code", "out"),
    [
        ("taskset f0 echo on big cores", 0, "on big cores\n"),
        ("taskset 100 echo no", 1, ""),
        ("taskset zz echo no", 1, ""),
        ("taskset -p 1", 0, "pid 1's current affinity mask: ff\n"),
    ],
)
def test_affinity(shell: Shell, command: str, code: int, out: str) -> None:
    done = shell(command)
    assert (done.code, done.out) == (code, out)


def test_disk(phone: SimulatedPhone, shell: Shell) -> None:
    phone.set(free_bytes=5 << 20)
    size, used, free = map(int, shell("df /data/local/tmp").out.splitlines()[1].split()[1:4])
    # du counts blocks and folders, the quota counts bytes of files
    assert size == used + free and 4 << 10 < free <= 5 << 10


def test_processes(full: SimulatedPhone, shell: Shell) -> None:
    pid = shell("sleep 1000 > /dev/null 2>&1 & echo $!").out.strip()
    assert shell("pidof sleep").out.strip() == pid
    assert shell("cat /proc/1/comm; id -u").out == "init\n2000\n"
    assert (
        shell(f"kill {pid}; while kill -0 {pid} 2> /dev/null; do :; done; pidof sleep; echo $?").out
        == "1\n"
    )


def test_it_is_a_phone_of_its_own(full: SimulatedPhone, shell: Shell) -> None:
    assert shell("ls -d /home /root /etc/shadow").code != 0
    assert shell("touch /system/x 2>&1").code != 0
    assert shell("touch /usr/x 2>&1").code != 0
    assert f"{os.getpid()}" not in shell("ls /proc").out.split()


def test_a_pushed_program_finds_its_library(
    adb: Adb, phone: SimulatedPhone, shell: Shell, tmp_path: Path
) -> None:
    program = shutil.which("cat")
    assert program is not None
    adb("-s", phone.serial, "push", os.path.realpath(program), f"{FOLDER}/own_cat")
    assert (
        shell(f"cd {FOLDER} && LD_LIBRARY_PATH=. ./own_cat /proc/loadavg").out
        == "0.42 0.42 0.42 1/612 4242\n"
    )


def test_forward(adb: Adb, phone: SimulatedPhone) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:

        def answer() -> None:
            connected, _ = service.accept()
            with connected:
                connected.sendall(connected.recv(100).upper())

        thread = threading.Thread(target=answer)
        thread.start()
        target = f"tcp:{service.getsockname()[1]}"
        port = int(adb("-s", phone.serial, "forward", "tcp:0", target).out)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connected:
            connected.sendall(b"hello")
            assert connected.recv(100) == b"HELLO"
        thread.join()
    adb("-s", phone.serial, "forward", "--remove-all")


def test_reboot(adb: Adb, phone: SimulatedPhone, shell: Shell) -> None:
    shell(f"touch {FOLDER}/stays")
    before = shell("cat /proc/sys/kernel/random/boot_id").out
    boots = phone.boots
    assert adb("-s", phone.serial, "reboot").code == 0
    wait_until(lambda: phone.boots > boots)
    wait_until(lambda: cable.state_of(adb.server, phone.serial) == "device")
    after = shell("cat /proc/sys/kernel/random/boot_id").out
    assert len(after) == len(before) == 37 and after != before
    assert shell(f"ls {FOLDER}").out == "stays\n"


def test_track_devices(adb: Adb, phone: SimulatedPhone) -> None:
    with adb.start("track-devices") as watching:
        assert watching.stdout is not None

        def state() -> str:
            assert watching.stdout is not None
            listed = watching.stdout.read(int(watching.stdout.read(4), 16)).decode()
            return dict(line.split("\t") for line in listed.splitlines()).get(phone.serial, "")

        assert state() == "device"
        phone.unplug()
        while state() != "":
            pass
        phone.replug()
        while state() != "device":
            pass
        watching.kill()
        watching.communicate()


def test_an_old_phone_has_no_exit_code(adb: Adb) -> None:
    with SimulatedPhone(server=adb.server, features="cmd", isolated=False) as old:
        assert adb("-s", old.serial, "shell", "echo out; exit 3") == Done(0, "out\n", "")
        assert adb("-s", old.serial, "shell", "echo x4$?").out == "x40\n"


@pytest.mark.parametrize("isolated", [True, False])
def test_a_slow_phone_stops_again_and_again(
    adb: Adb, phone: SimulatedPhone, isolated: bool
) -> None:
    if isolated and not phone.tree.isolated:
        pytest.skip(f"this machine has only the tier {phone.tier}")
    with SimulatedPhone(server=adb.server, isolated=isolated) as slow:
        busy = adb.start("-s", slow.serial, "shell", "while :; do :; done")
        assert slow.machine is not None
        slow.set(speed=0.3)
        pid = slow.machine.outer_pid
        wait_until(lambda: "T" in states_below(pid))
        wait_until(lambda: "R" in states_below(pid))
        slow.set(speed=1.0)
        wait_until(lambda: not any("T" in states_below(pid) for _ in range(100)))
        busy.kill()
        busy.communicate()


def states_below(ancestor: int) -> set[str]:
    """Return the states of a process's descendants: R runs, T is stopped."""
    states = set()
    for pid in descendants(ancestor):
        with contextlib.suppress(OSError):
            states.add(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])
    return states


def test_described_as_json(phone: SimulatedPhone) -> None:
    assert json.loads(json.dumps(described(phone)))["serial"] == phone.serial

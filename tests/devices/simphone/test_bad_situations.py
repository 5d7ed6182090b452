"""What real adb says about each fault: the messages were captured once, from both dialects.

Numbers in comments are those of ``faults.SITUATIONS``. Version 29 says ``error:`` where 36 says ``adb:``,
and ends a shell whose link broke with 0 where 36 ends it with 255.
"""

import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgezoo.devices.simphone import SITUATIONS, SimulatedPhone, cable
from edgezoo.devices.simphone.fixtures import kill_server
from tests.devices.simphone.conftest import Adb, Done, wait_until

FOLDER = "/data/local/tmp"
UNAUTHORIZED = (
    "device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\n"
    "Try 'adb kill-server' if that seems wrong.\n"
    "Otherwise check for a confirmation dialog on your device.\n"
)


@pytest.fixture
def old(adb: Adb) -> bool:
    """Version 29 or thereabouts; the dialect changed with 30."""
    line = next(line for line in adb("version").out.splitlines() if line.startswith("Version "))
    return int(line.split()[1].split(".")[0]) < 30


@pytest.fixture
def prefix(old: bool) -> str:
    return "error: " if old else "adb: "


@pytest.fixture
def lost(old: bool) -> int:
    return 0 if old else 255


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(bytes(2_000_000))
    return path


@pytest.fixture
def program(adb: Adb, phone: SimulatedPhone, tmp_path: Path) -> str:
    """A pushed program that prints ten numbers, then its arguments."""
    script = tmp_path / "program"
    script.write_text(
        "#!/system/bin/sh\nfor n in 1 2 3 4 5 6 7 8 9 10; do echo $n; done\necho $*\n"
    )
    if not phone.tree.isolated:
        script.write_text(script.read_text().replace("/system", f"{phone.tree.root}/system"))
    script.chmod(0o755)
    assert adb("-s", phone.serial, "push", script, f"{FOLDER}/program").code == 0
    return f"{FOLDER}/program"


def is_plugged(adb: Adb, phone: SimulatedPhone) -> bool:
    return cable.state_of(adb.server, phone.serial) == "device"


def put(phone: SimulatedPhone, name: str) -> None:
    phone.set(**SITUATIONS[name][1])


def test_unknown_serial(adb: Adb, phone: SimulatedPhone, prefix: str) -> None:  # 4
    assert adb("-s", "NOPE", "shell", "true") == Done(1, "", f"{prefix}device 'NOPE' not found\n")


def test_several_and_no_serial(adb: Adb, phone: SimulatedPhone, prefix: str) -> None:  # 3
    with SimulatedPhone(server=adb.server, isolated=False):
        assert adb("shell", "true") == Done(1, "", f"{prefix}more than one device/emulator\n")


@pytest.mark.parametrize(  # 5, 7, 8
    ("name", "message"),
    [
        ("unauthorized", UNAUTHORIZED),
        ("offline", "device offline\n"),
        ("authorizing", "device still authorizing\n"),
    ],
)
def test_states(
    adb: Adb, phone: SimulatedPhone, prefix: str, blob: Path, name: str, message: str
) -> None:
    put(phone, name)
    assert f"{phone.serial}\t{name}\n" in adb("devices").out
    assert adb("-s", phone.serial, "shell", "true") == Done(1, "", prefix + message)
    pushed = adb("-s", phone.serial, "push", blob, FOLDER)
    assert pushed.code == 1 and message in pushed.all
    phone.heal()
    assert adb("-s", phone.serial, "shell", "echo back").out == "back\n"


def test_nobody_listens(adb: Adb, phone: SimulatedPhone) -> None:  # 9
    phone.unplug()
    assert phone.serial not in adb("devices").out
    done = adb("connect", phone.serial)
    assert (done.code, done.all) == (
        0,
        f"failed to connect to '{phone.serial}': Connection refused\n",
    )


def test_the_server_dies(phone: SimulatedPhone, adb: Adb, lost: int) -> None:  # 13
    with adb.start("-s", phone.serial, "shell", "echo start; sleep 1000; echo end") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"start\n"
        kill_server(adb.path, adb.server)
        out, err = running.communicate(timeout=60)
    assert adb.serve() == 0
    assert (running.returncode, out, err) == (lost, b"", b"")
    wait_until(lambda: is_plugged(adb, phone))  # as a phone on a cable comes back


def test_reboot_while_it_runs(adb: Adb, phone: SimulatedPhone, lost: int) -> None:  # 14
    with adb.start("-s", phone.serial, "shell", "echo start; sleep 1000; echo end") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"start\n"
        phone.reboot()
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (lost, b"", b"")
    assert adb("-s", phone.serial, "shell", "pidof sleep").out == ""
    assert f"{phone.serial}\tdevice\n" in adb("devices").out


def test_link_lost_in_push(adb: Adb, phone: SimulatedPhone, old: bool, blob: Path) -> None:  # 15
    put(phone, "link_lost_in_push")
    done = adb("-s", phone.serial, "push", blob, FOLDER)
    message = "couldn't read from device" if old else "failed to read copy response: EOF"
    assert done.code == 1 and message in done.all
    arrived = phone.tree.root / "data/local/tmp/blob"
    wait_until(lambda: arrived.stat().st_size > 0)  # the phone may still be writing
    assert arrived.stat().st_size < 2_000_000
    wait_until(lambda: is_plugged(adb, phone))  # it comes back by itself
    assert adb("-s", phone.serial, "push", blob, FOLDER).code == 0


def test_link_frozen(adb: Adb, phone: SimulatedPhone) -> None:  # 16
    put(phone, "link_frozen")
    with adb.start("-s", phone.serial, "shell", "echo out") as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.communicate(timeout=0.5)
        assert f"{phone.serial}\tdevice\n" in adb("devices").out  # nobody notices
        phone.heal()
        assert waiting.communicate(timeout=60)[0] == b"out\n"


@pytest.mark.parametrize(  # 17, 18
    ("name", "folder", "message"),
    [
        ("disk_full", FOLDER, "remote write failed: No space left on device"),
        ("read_only", FOLDER, "remote couldn't create file: Read-only file system"),
        (None, "/system/bin", "remote couldn't create file: Permission denied"),
    ],
)
def test_refused_push(
    adb: Adb, phone: SimulatedPhone, blob: Path, name: str | None, folder: str, message: str
) -> None:
    if name:
        put(phone, name)
    done = adb("-s", phone.serial, "push", blob, f"{folder}/blob")
    assert done.code == 1
    assert f"adb: error: failed to copy '{blob}' to '{folder}/blob': {message}\n" in done.all
    assert not (phone.tree.root / folder[1:] / "blob").exists()


def test_pull_of_nothing(adb: Adb, phone: SimulatedPhone, tmp_path: Path) -> None:  # 19
    done = adb("-s", phone.serial, "pull", f"{FOLDER}/zzz", tmp_path / "zzz")
    message = (
        f"adb: error: failed to stat remote object '{FOLDER}/zzz': No such file or directory\n"
    )
    assert (done.code, done.all) == (1, message)


Break = Callable[[Path], None]


def _no_exec_bit(path: Path) -> None:
    path.chmod(path.stat().st_mode & ~(stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH))


def _other_machine(path: Path) -> None:
    """Turn it into the head of a program for another processor (EM_S390)."""
    head = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\0\x02\0\x16" + b"\0\0\0\x01"
    path.write_bytes(head + bytes(100))


@pytest.mark.parametrize(  # 20, 21, 22, as they really come about
    ("spoil", "code", "message"),
    [
        (_no_exec_bit, 126, "can't execute: Permission denied"),
        (_other_machine, 1, "not executable: 64-bit ELF file"),
        (Path.unlink, 127, "inaccessible or not found"),
    ],
)
def test_programs_that_do_not_start(
    adb: Adb, full: SimulatedPhone, program: str, spoil: Break, code: int, message: str
) -> None:
    spoil(full.tree.root / program[1:])
    done = adb("-s", full.serial, "shell", program)
    assert done.code == code
    assert done.err.endswith(f"/system/bin/sh: {program}: {message}\n")


def test_shared_storage_is_no_exec(adb: Adb, full: SimulatedPhone) -> None:  # 20
    copied = "cp /system/bin/toybox /sdcard/true; chmod 755 /sdcard/true; /sdcard/true"
    done = adb("-s", full.serial, "shell", copied)
    assert done.code == 126 and "can't execute: Permission denied" in done.err


@pytest.mark.parametrize(
    ("name", "code", "lines", "message"),
    [
        ("exec_denied", 126, 0, "can't execute: Permission denied"),  # 20
        ("wrong_abi", 1, 0, "not executable: 64-bit ELF file"),  # 21
        ("not_found", 127, 0, "inaccessible or not found"),  # 22
        ("link_error", 134, 0, 'library "libMNN.so" not found: needed by main executable'),  # 23
        ("segfault", 139, 3, ""),  # 24
        ("illegal_instruction", 132, 3, ""),
        ("abort", 134, 3, ""),
        ("bus_error", 135, 3, ""),
        ("out_of_memory", 137, 3, ""),  # 25
        ("fallback", 0, 11, "Hexagon Delegate is not supported."),  # 28
        ("gpu_in_part", 0, 11, "34 operations will run on the GPU"),
        ("truncated_log", 0, 5, ""),  # 31
    ],
)
def test_program_faults(
    adb: Adb, phone: SimulatedPhone, program: str, name: str, code: int, lines: int, message: str
) -> None:
    put(phone, name)
    done = adb("-s", phone.serial, "shell", f"cd {FOLDER} && A=1 ./program given; echo end $?")
    printed = done.out.splitlines()
    assert printed[-1] == f"end {code}"
    assert printed[:-1] == [*map(str, range(1, 11)), "given"][:lines]
    assert message in done.err
    phone.heal()
    assert adb("-s", phone.serial, "shell", f"{program} x").out.endswith("10\nx\n")


def test_out_of_memory_is_in_the_log(adb: Adb, phone: SimulatedPhone, program: str) -> None:  # 25
    put(phone, "out_of_memory")
    log = adb("-s", phone.serial, "shell", f"{program}; logcat -d").out
    assert f"lowmemorykiller: Kill '{program}'" in log


def test_unknown_flag(adb: Adb, phone: SimulatedPhone, program: str) -> None:  # 29
    put(phone, "unknown_flag")
    assert adb("-s", phone.serial, "shell", f"{program} a").out.endswith(
        "10\na --edgezoo_unknown=1\n"
    )


def test_not_utf8(adb: Adb, phone: SimulatedPhone, program: str) -> None:  # 30
    put(phone, "not_utf8")
    assert adb("-s", phone.serial, "shell", program).out.startswith(
        "1\n\\xff\\xfe \\xc3( noise\n2\n"
    )


def test_hang(adb: Adb, phone: SimulatedPhone, program: str) -> None:  # 26
    put(phone, "hang")
    with adb.start("-s", phone.serial, "shell", f"echo $$; exec {program}") as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        assert [running.stdout.readline() for _ in range(3)] == [b"1\n", b"2\n", b"3\n"]
        running.send_signal(signal.SIGKILL)
        running.communicate()
    # adb's death ends it here, since the program is the shell itself
    wait_until(lambda: adb("-s", phone.serial, "shell", f"kill -0 {pid}").code != 0)


def test_throttled(adb: Adb, phone: SimulatedPhone) -> None:  # 27
    put(phone, "throttled")
    done = adb(
        "-s",
        phone.serial,
        "shell",
        "dumpsys thermalservice; cat /sys/devices/system/cpu/cpu7/cpufreq/*cur_freq",
    )
    assert "Thermal Status: 3\n" in done.out and done.out.endswith("1710000\n")


def test_no_root(adb: Adb, phone: SimulatedPhone) -> None:  # 33
    done = adb("-s", phone.serial, "root")
    assert (done.code, done.all) == (0, "adbd cannot run as root in production builds\n")
    done = adb("-s", phone.serial, "remount")
    assert done.code == 1 and "closed" in done.all


def test_no_shell(adb: Adb, phone: SimulatedPhone) -> None:  # 34
    put(phone, "no_shell")
    assert adb("-s", phone.serial, "shell", "true") == Done(1, "", "error: closed\n")


def test_busy(adb: Adb, phone: SimulatedPhone) -> None:  # 35
    lock = f"mkdir {FOLDER}/edgezoo.lock"
    assert adb("-s", phone.serial, "shell", lock).code == 0
    done = adb("-s", phone.serial, "shell", lock)
    assert done.code == 1 and "File exists" in done.err


def test_slow_link(adb: Adb, phone: SimulatedPhone, blob: Path) -> None:
    put(phone, "slow_link")
    assert adb("-s", phone.serial, "shell", "echo slow").out == "slow\n"
    assert adb("-s", phone.serial, "push", blob, FOLDER).code == 0

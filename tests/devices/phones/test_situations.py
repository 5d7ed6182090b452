"""The bad situations between edgezoo and a phone, each with every adb binary that is found.

Numbers are those of the list of situations; 21 to 32 are the runners' (what befalls a program on a
phone that answers). Each must end as its class, never as success. 1, 10, 11 and 12 need no phone or
a USB cable: see test_adb_find, test_adb_failures and test_server.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgezoo.devices.adb.failures import classify
from edgezoo.devices.adb.find import Adb
from edgezoo.devices.adb.server import Server, ensure_running
from edgezoo.devices.clock import WallClock
from edgezoo.devices.failures import DeviceError, FailureClass
from edgezoo.devices.locks import locked
from edgezoo.devices.phones import list_phones, select
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.fixtures import free_port, kill_server
from edgezoo.devices.transports.adb import AdbTransport
from edgezoo.devices.transports.files import pull, push
from edgezoo.devices.transports.process import run_process
from edgezoo.devices.transports.recovery import explain_loss
from edgezoo.devices.transports.transport import Completed

LONG_S = 60.0
SHORT_S = 1.0


def failed(done: Completed, kind: FailureClass) -> str:
    """Assert that nobody can take it for success; return the sentence."""
    assert not done.ok
    assert not done.ended
    assert done.returncode is None
    assert done.failure is not None
    assert done.failure.failure_class == kind
    return done.failure.sentence


def refused(action: Callable[[], object], kind: FailureClass) -> str:
    with pytest.raises(DeviceError) as caught:
        action()
    assert caught.value.failure.failure_class == kind
    return str(caught.value)


def meanwhile(
    transport: AdbTransport, event: Callable[[], object], script: str = "echo begun; sleep 60"
) -> Completed:
    """Run ``script`` and let ``event`` happen once it has begun to print."""
    begun = f"{transport.folder}/begun"
    results: list[Completed] = []
    runner = threading.Thread(
        target=lambda: results.append(transport.run(f"echo > {begun}; {script}", LONG_S))
    )
    runner.start()
    while not transport.run(f"[ -f {begun} ]", LONG_S).ok:
        time.sleep(0.02)
    event()
    runner.join()
    return results[0]


def blob(folder: Path, size: int = 3_000_000) -> Path:
    path = folder / "network.tflite"
    path.write_bytes(b"TFL3" * (size // 4))
    return path


# ------------------------------------------------------------------------ which phone


def test_2_no_device(adb: Adb, server: Server, phone: SimulatedPhone) -> None:
    phone.unplug()
    sentence = refused(lambda: select(list_phones(adb, [server]), "adb"), "no_device")
    assert "USB debugging" in sentence


def test_3_several_and_no_serial(adb: Adb, server: Server, phone: SimulatedPhone) -> None:
    with SimulatedPhone(server=server, number=2) as other:
        phones = list_phones(adb, [server])
        sentence = refused(lambda: select(phones, "adb"), "ambiguous_device")
        assert f"{phone.serial} Sim Flagship" in sentence
        assert other.serial in sentence
        assert [p.serial for p in select(phones, other.serial)] == [other.serial]
        assert len(select(phones, "all")) == 2


def test_4_unknown_serial(adb: Adb, server: Server, phone: SimulatedPhone) -> None:
    sentence = refused(lambda: select(list_phones(adb, [server]), "NOPE"), "device_gone")
    assert f"connected: {phone.serial}" in sentence
    done = AdbTransport(adb, "NOPE", server).run("true", LONG_S)
    assert "NOPE is not connected" in failed(done, "device_gone")


# ------------------------------------------------------------------- whether it lets us in


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("unauthorized", "unauthorized", "tap Allow"),
        ("offline", "offline", "plug it in again"),
        ("authorizing", "not_ready", "wait a moment"),
    ],
    ids=["5-unauthorized", "7-offline", "8-authorizing"],
)
def test_not_let_in(
    adb: Adb,
    server: Server,
    phone: SimulatedPhone,
    transport: AdbTransport,
    tmp_path: Path,
    state: str,
    kind: FailureClass,
    words: str,
) -> None:
    phone.set(state=state)
    (listed,) = list_phones(adb, [server])
    assert listed.state == state
    assert listed.advice
    chosen = "unauthorized" if state == "authorizing" else kind
    assert listed.serial in refused(lambda: select([listed], "adb"), chosen)
    assert words in failed(transport.run("true", LONG_S), kind)
    refused(lambda: push(transport, blob(tmp_path)), kind)
    refused(lambda: transport.send(blob(tmp_path), "/data/local/tmp/x", LONG_S), kind)


def test_6_first_time(adb: Adb, server: Server, phone: SimulatedPhone) -> None:
    """A phone that is just trusted is ready, whatever `adb connect` printed."""
    phone.forget_keys()
    phone.replug()
    assert [p.serial for p in select(list_phones(adb, [server]), "adb")] == [phone.serial]


def test_9_port_closed(adb: Adb, server: Server) -> None:
    command = [str(adb.path), "-H", server.host, "-P", str(server.port), "connect"]
    ended = run_process([*command, f"127.0.0.1:{free_port()}"], LONG_S)
    failure = classify(ended.stdout + ended.stderr)
    assert failure is not None
    assert failure.failure_class == "connection_refused"


# ---------------------------------------------------------------------- links that break


def test_13_server_killed(adb: Adb, server: Server, phone: SimulatedPhone) -> None:
    """Its exit code is 255 with adb 36 and 0 with adb 29; only the marker tells."""
    with pytest.MonkeyPatch.context() as patch:
        other = Server(port=free_port())
        patch.setenv("ANDROID_ADB_SERVER_PORT", str(other.port))
        ensure_running(other, adb)
        try:
            transport = AdbTransport(adb, phone.serial, other)
            phone.unplug()
            phone.replug()
            transport.reconnect()
            _wait_for(transport)
            address = Server(port=other.port)
            done = meanwhile(transport, lambda: kill_server(adb.path, address))
            assert "cable, hub and adb server" in failed(done, "link_lost")
            assert done.stdout == b"begun\n"
            assert failed(transport.run("true", LONG_S), "link_lost")  # no server was started
            assert explain_loss(transport, done, LONG_S, WallClock()) == done.failure
        finally:
            kill_server(adb.path, Server(port=other.port))


def _wait_for(transport: AdbTransport) -> None:
    while not transport.run("true", LONG_S).ok:
        time.sleep(0.05)


def test_14_reboot(transport: AdbTransport, phone: SimulatedPhone) -> None:
    done = meanwhile(transport, lambda: phone.reboot(wait=False))
    failed(done, "link_lost")
    assert done.stdout == b"begun\n"
    failure = explain_loss(transport, done, LONG_S, WallClock())
    assert failure.failure_class == "device_rebooted"
    assert failure.message.startswith(phone.serial)


def test_a_link_that_only_broke(transport: AdbTransport, phone: SimulatedPhone) -> None:
    """What was running goes on there without us, until it is seen to."""
    done = meanwhile(transport, phone.drop, "sh -c 'echo begun; sleep 987; :'")
    failed(done, "link_lost")
    assert explain_loss(transport, done, LONG_S, WallClock()) == done.failure
    assert transport.run("pgrep -f '[s]leep 987'", LONG_S).returncode == 1


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"refused_services": ("shell", "exec")}, "unsupported"),
        ({"state": "unauthorized"}, "unauthorized"),
    ],
)
def test_a_daemon_that_was_only_starting(
    transport: AdbTransport, phone: SimulatedPhone, fields: dict[str, object], kind: FailureClass
) -> None:
    """It refuses for a moment; the phone that answers again in the same boot is worth another try."""
    phone.set(**fields)
    done = transport.run("true", LONG_S)
    failed(done, kind)
    refused_still = explain_loss(transport, done, 0.0, WallClock())
    assert refused_still.failure_class == kind
    phone.heal()
    assert explain_loss(transport, done, LONG_S, WallClock()).failure_class == "link_lost"


def test_a_phone_that_does_not_come_back(transport: AdbTransport, phone: SimulatedPhone) -> None:
    done = meanwhile(transport, phone.unplug)
    failed(done, "link_lost")
    failure = explain_loss(transport, done, SHORT_S, WallClock())
    assert failure.failure_class == "device_gone"


def test_15_cable_pulled_in_push(
    transport: AdbTransport, phone: SimulatedPhone, tmp_path: Path
) -> None:
    """adb 36 prints "1 file pushed" and leaves a truncated file; it must not count as pushed."""
    network = blob(tmp_path)
    assert transport.run("true", LONG_S).ok
    phone.set(drop_after_bytes=1_000_000)
    refused(lambda: push(transport, network), "push_failed")
    _wait_for(transport)
    remote = push(transport, network)
    assert transport.run(f"wc -c < {remote}", LONG_S).text.strip() == "3000000"
    assert transport.run(f"ls {remote.rpartition('/')[0]}", LONG_S).text == "network.tflite\n"


def test_16_link_frozen(transport: AdbTransport, phone: SimulatedPhone) -> None:
    """`adb devices` still says device; only a deadline tells."""
    assert transport.run("true", LONG_S).ok
    phone.set(freeze_after_bytes=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgezoo.devices.transports.adb.STOP_S", SHORT_S)
        done = transport.run("true", SHORT_S)
    sentence = failed(done, "timeout")
    assert "whether it goes on there is not known" in sentence
    phone.set(freeze_after_bytes=None)
    failure = explain_loss(transport, done, LONG_S, WallClock())
    assert failure == done.failure


# ------------------------------------------------------------------------------ files


def test_17_disk_full(transport: AdbTransport, phone: SimulatedPhone, tmp_path: Path) -> None:
    """Told before anything is sent, and by adb itself where the phone fills up meanwhile."""
    phone.set(free_bytes=2_000_000)
    sentence = refused(lambda: push(transport, blob(tmp_path)), "disk_full")
    assert "3.0 MB are to be pushed" in sentence
    target = f"{transport.folder}/direct"
    refused(lambda: transport.send(blob(tmp_path), target, LONG_S), "disk_full")


def test_18_target_not_writable(
    transport: AdbTransport, phone: SimulatedPhone, tmp_path: Path
) -> None:
    sentence = refused(
        lambda: transport.send(blob(tmp_path), "/system/bin/x", LONG_S), "push_denied"
    )
    assert "/system/bin/x" in sentence
    phone.set(read_only=True)
    refused(lambda: push(transport, blob(tmp_path)), "push_denied")


def test_19_pull_missing(transport: AdbTransport, tmp_path: Path) -> None:
    local = tmp_path / "out.json"
    refused(lambda: pull(transport, "/data/local/tmp/zzz", local), "no_output")
    refused(lambda: transport.receive("/data/local/tmp/zzz", local, LONG_S), "no_output")
    assert list(tmp_path.iterdir()) == []


def test_20_exec_denied(transport: AdbTransport, tmp_path: Path) -> None:
    """A command that ended: its code and words are the runner's to judge."""
    program = tmp_path / "program"
    program.write_text("#!/system/bin/sh\necho ran\n")
    remote = push(transport, program)
    done = transport.run([remote], LONG_S)
    assert (done.ended, done.ok, done.returncode) == (True, False, 126)
    assert done.complaint.endswith("can't execute: Permission denied")
    assert push(transport, program, executable=True) == remote
    assert transport.run([remote], LONG_S).text == "ran\n"


# ------------------------------------------------------------------------- and the rest


def test_33_root_refused(adb: Adb, server: Server, phone: SimulatedPhone) -> None:
    command = [str(adb.path), "-H", server.host, "-P", str(server.port), "-s", phone.serial]
    ended = run_process([*command, "root"], LONG_S)
    failure = classify(ended.stdout + ended.stderr)
    assert ended.returncode == 0
    assert failure is not None
    assert failure.failure_class == "root_refused"


def test_34_no_shell(transport: AdbTransport, phone: SimulatedPhone) -> None:
    phone.set(refused_services=("shell", "exec"))
    failed(transport.run("true", LONG_S), "unsupported")


def test_35_two_runs(transport: AdbTransport) -> None:
    with locked(transport):
        refused(lambda: locked(transport).__enter__(), "busy")
    with locked(transport):
        pass

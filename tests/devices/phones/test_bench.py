"""The situations between edgezoo and a phone, end to end: what a user of ``bench`` gets to see.

Each with every adb binary that is found, because their words and exit codes differ. Numbers are
those of ``fleet/test_table``.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from edgezoo.artifacts import data_path
from edgezoo.cli import main
from edgezoo.devices.adb.find import Adb
from edgezoo.devices.adb.server import Server
from edgezoo.devices.failures import DeviceError, FailureClass
from edgezoo.devices.locks import locked
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.broken_server import broken_server
from edgezoo.devices.simphone.fixtures import kill_server
from edgezoo.devices.transports.adb import AdbTransport
from edgezoo.errors import UsageError
from tests.devices.benching import Bench, InTheMiddle, left_on, measured, only, refused

SHORT_S, LONG_S = 1.0, 60.0
Stop = Callable[..., str]


@pytest.fixture
def stopped(bench: Bench, net: Path, capfd: pytest.CaptureFixture[str]) -> Stop:
    """Give the command line that measures; it must end with one sentence and leave nothing."""

    def run(*arguments: object, device: str = "adb") -> str:
        words = ("bench", net, "--device", device, "--runner", bench.runner, "--json", *arguments)
        capfd.readouterr()
        code = main([str(word) for word in words])
        captured = capfd.readouterr()
        assert (code, captured.out) == (2, "")
        errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
        assert captured.err.splitlines()[-1:] == errors
        assert "Traceback" not in captured.err
        return errors[0]

    return run


# ------------------------------------------------- nothing is measured, and one sentence says why


def test_1_no_adb(stopped: Stop, tmp_path: Path) -> None:
    sentence = stopped("--adb", tmp_path / "adb")
    assert "does not exist; install Android's platform-tools" in sentence


def test_2_no_device(stopped: Stop, phone: SimulatedPhone) -> None:
    phone.unplug()
    assert "adb sees no phone; plug one in with USB debugging on" in stopped()


def test_3_several_and_no_serial(stopped: Stop, phone: SimulatedPhone, server: Server) -> None:
    with SimulatedPhone(server=server, number=2) as other:
        sentence = stopped()
    assert phone.serial in sentence
    assert other.serial in sentence
    assert "--device SERIAL" in sentence


def test_4_unknown_serial(stopped: Stop, phone: SimulatedPhone) -> None:
    assert f"NOPE is not connected (connected: {phone.serial}); plug" in stopped(device="NOPE")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("unauthorized", "does not trust this computer yet; unlock the phone and tap Allow"),
        ("offline", "does not answer; unplug the phone and plug it in again"),
        ("authorizing", "is asked whether it trusts this computer; unlock the phone and tap Allow"),
    ],
    ids=["5-unauthorized", "7-offline", "8-authorizing"],
)
def test_not_let_in(stopped: Stop, phone: SimulatedPhone, state: str, words: str) -> None:
    phone.set(state=state)
    assert f"{phone.serial} {words}" in stopped()


def test_6_first_time(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    """`adb connect` prints that it failed, and yet the phone is ready a moment later."""
    phone.forget_keys()
    phone.replug()
    measured(*bench(net))


def test_9_port_closed(stopped: Stop, phone: SimulatedPhone) -> None:
    """adb forgets an address at which nobody listens; what it said of it is test_situations's."""
    phone.unplug()
    with SimulatedPhone(server=phone.server, number=2):
        sentence = stopped(device=phone.serial)
    assert f"{phone.serial} is not connected" in sentence


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no_permissions", "this user may not open it (missing udev rules? user is in the plugdev"),
        ("other_version", "speaks version 32, "),
        ("silent", "does not start"),
    ],
    ids=["10-no-permission", "11-other-version", "12-silent"],
)
def test_wrong_servers(
    stopped: Stop, monkeypatch: pytest.MonkeyPatch, kind: Any, words: str
) -> None:
    with broken_server(kind) as port:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
        assert words in stopped()


def test_34_no_shell(stopped: Stop, phone: SimulatedPhone) -> None:
    phone.set(refused_services=("shell", "exec"))
    assert "refuses to run this; update the device's system" in stopped()


# ---------------------------------------------------------- links that break while it is measured


def test_13_server_killed(bench: Bench, net: Path, phone: SimulatedPhone, adb: Adb) -> None:
    """adb says nothing, and adb 29 ends with 0; the server is started again and the run goes on."""
    assert phone.server is not None
    server = phone.server
    event = InTheMiddle(phone, lambda: kill_server(adb.path, server))
    measured(*bench(net, before={2: event}))
    assert left_on(phone) == []


def test_a_daemon_that_is_only_starting(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    """A phone that refuses for a moment is asked again."""

    def flicker() -> None:
        phone.set(refused_services=("shell", "exec"))
        threading.Timer(1.0, lambda: phone.set(refused_services=())).start()

    measured(*bench(net, before={1: flicker}))
    assert left_on(phone) == []


def test_14_reboot(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    boots = phone.boots
    event = InTheMiddle(phone, lambda: phone.reboot(wait=False))
    (measurement,) = bench(net, before={2: event})
    measured(measurement)
    assert phone.boots == boots + 1
    assert left_on(phone) == []


def test_14_reboots_again_and_again(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    """What is finished stays, and the same command measures what is missing."""
    again: list[Callable[[], object]] = []

    def reboot() -> None:
        if len(again) < 3:
            again.append(InTheMiddle(phone, reboot))
            phone.reboot()
            again[-1]()

    (measurement,) = bench(net, before={2: InTheMiddle(phone, reboot)})
    phone.heal()
    assert phone.serial in refused(measurement, "device_rebooted", processes=1)
    assert bench.stored == (measurement,)
    measured(*bench(net))
    assert len(bench.started) == 2
    assert left_on(phone) == []


def test_15_cable_pulled_in_push(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    """adb 36 says "1 file pushed"; what arrived is no file, and is pushed anew."""
    phone.set(drop_after_bytes=500_000)
    measured(*bench(net))
    assert phone.faults.drop_after_bytes is None
    assert left_on(phone) == []


def test_15_pulled_in_every_push(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    """The first 500 kB of every link arrive; the run ends with a name for it, not with a number."""
    over = threading.Event()

    def pull() -> None:
        while not over.wait(0.01):
            if phone.faults.drop_after_bytes is None:
                phone.set(drop_after_bytes=500_000)

    puller = threading.Thread(target=pull)
    puller.start()
    (measurement,) = bench(net)
    over.set()
    puller.join()
    phone.heal()
    phone.replug()
    assert "the link broke while a file was copied" in refused(measurement, "push_failed")
    measured(*bench(net))
    assert left_on(phone) == []


def test_16_link_frozen(bench: Bench, net: Path, phone: SimulatedPhone, fast: None) -> None:
    """`adb devices` still says device; only a question that nobody answers tells."""
    event = InTheMiddle(phone, lambda: phone.set(freeze_after_bytes=0))
    (measurement,) = bench(net, before={2: event}, timeout_s=SHORT_S)
    assert "did not come back" in refused(measurement, "device_gone", processes=1)
    phone.heal()
    phone.replug()
    measured(*bench(net, timeout_s=SHORT_S), timeout_s=SHORT_S)
    assert len(bench.started) == 2
    assert left_on(phone) == []


def test_a_phone_that_leaves(bench: Bench, net: Path, phone: SimulatedPhone, fast: None) -> None:
    (measurement,) = bench(net, before={2: InTheMiddle(phone, phone.unplug)})
    assert phone.serial in refused(measurement, "device_gone", processes=1)
    phone.replug()
    measured(*bench(net))
    assert len(bench.started) == 2
    assert left_on(phone) == []


# ----------------------------------------------------------------------------- files and locks


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"free_bytes": 5_000_000}, "disk_full", " MB are to be pushed and "),
        ({"read_only": True}, "push_denied", "Read-only file system"),
    ],
    ids=["17-disk-full", "18-read-only"],
)
def test_push_refused(
    bench: Bench,
    net: Path,
    phone: SimulatedPhone,
    fields: dict[str, object],
    kind: FailureClass,
    words: str,
) -> None:
    phone.set(**fields)
    assert words in refused(only(bench(net)), kind)
    phone.heal()
    measured(*bench(net))
    assert left_on(phone) == []


def test_17_what_earlier_runs_left_makes_room(
    bench: Bench, net: Path, phone: SimulatedPhone, build_tflite: Callable[..., Path]
) -> None:
    large = build_tflite("large.tflite", channels=40_000)
    for measurement in bench(net, large):
        measured(measurement)
    kept = phone.tree.root / "data/local/tmp/edgezoo"
    assert list(kept.glob("*/large.tflite"))
    phone.set(free_bytes=5_000_000)
    measured(*bench(build_tflite("another.tflite", channels=30_000)))
    assert not list(kept.glob("*/large.tflite"))


def test_33_root_is_never_asked_for(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    phone.set(refused_services=("root",))
    measured(*bench(net))


def test_35_two_runs(
    bench: Bench, net: Path, phone: SimulatedPhone, transport: AdbTransport
) -> None:
    with locked(transport):
        assert "is being measured by process" in refused(only(bench(net)), "busy")
    measured(*bench(net))
    assert left_on(phone) == []


def test_35_another_machine_measures(
    bench: Bench, net: Path, phone: SimulatedPhone, transport: AdbTransport
) -> None:
    owner = "ab12cd34 0123456789ab 1 $(cat /proc/sys/kernel/random/boot_id)"
    lock = f"mkdir -p {transport.folder}/lock && cd {transport.folder}/lock"
    write = f'echo "{owner}" > owner && echo $(($(date +%s) + 600)) > until'
    assert transport.run(f"{lock} && {write}", LONG_S).ok
    assert "is being measured from elsewhere" in refused(only(bench(net)), "busy")
    assert (phone.tree.root / transport.folder.lstrip("/") / "lock/owner").is_file()


def test_35_the_file_changes(bench: Bench, net: Path, build_tflite: Callable[..., Path]) -> None:
    (measurement,) = bench(net, before={2: lambda: build_tflite(bias=1.0)})
    refused(measurement, "artifact_changed", processes=1)


def test_it_is_in_the_answer(
    bench: Bench, net: Path, phone: SimulatedPhone, capfd: pytest.CaptureFixture[str]
) -> None:
    """A failure is told as the others are: in the JSON, and as one sentence at the end."""
    phone.set(read_only=True)
    words = ("bench", net, "--device", phone.serial, "--runner", bench.runner, "--json")
    capfd.readouterr()
    assert main([str(word) for word in words]) == 2
    captured = capfd.readouterr()
    (told,) = json.loads(captured.out)["measurements"]
    assert (told["status"], told["failure_class"]) == ("failed", "push_denied")
    assert told["latency_ms"] is None
    assert captured.err.splitlines()[-1].startswith("error: 1 of 1 measurements failed: small")


def test_the_error_is_of_its_class(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    phone.set(state="unauthorized")
    with pytest.raises(DeviceError) as caught:
        bench(net)
    assert caught.value.failure.failure_class == "unauthorized"


def in_two_files(model: Path, name: str = "large.onnx") -> Path:
    path = model.with_name(name)
    onnx.save_model(
        onnx.load(model),
        path,
        save_as_external_data=True,
        location=f"{name}.data",
        size_threshold=0,
    )
    return path


def test_weights_in_a_second_file(
    bench: Bench, build_onnx: Callable[..., Path], phone: SimulatedPhone
) -> None:
    """Both get into one folder; other weights into another, though the first file is the same."""
    model = in_two_files(build_onnx())
    measured(only(bench(model)))
    data = data_path(model)
    data.write_bytes(bytes(data.stat().st_size))
    measured(only(bench(model)))
    pushed = (phone.tree.root / "data/local/tmp/edgezoo").glob("*/large.onnx*")
    names = Counter(path.parent.name for path in pushed)
    assert sorted(names.values()) == [2, 2]


def test_weights_that_change_in_a_second_file(
    bench: Bench, build_onnx: Callable[..., Path]
) -> None:
    model = in_two_files(build_onnx())
    change = {2: lambda: data_path(model).write_bytes(bytes(data_path(model).stat().st_size))}
    refused(only(bench(model, before=change)), "artifact_changed", processes=1)


def test_weights_whose_name_is_lost(bench: Bench, build_onnx: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="keeps its weights in a second file"):
        bench(in_two_files(build_onnx(), "my net.onnx"))

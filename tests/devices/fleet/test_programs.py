"""The situations that befall the program on a phone that answers: 20 to 32 of ``test_table``.

Each is injected twice where that differs: from the start, where the runner cannot even be asked for
its flags, and before the second process, where what is finished has to stay.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgezoo.devices.failures import FailureClass
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.faults import SITUATIONS, Ending, ProgramFault
from edgezoo.errors import UsageError
from edgezoo.plan import Gate
from tests.devices.benching import Bench, left_on, measured, only, processes_of, refused
from tests.devices.fleet.conftest import LOGS, Replay

# name in SITUATIONS: the class, and a part of the sentence
PROGRAMS: Mapping[str, tuple[FailureClass, str]] = {
    "exec_denied": ("exec_denied", "can't execute: Permission denied"),
    "wrong_abi": ("wrong_abi", "not executable: 64-bit ELF file"),
    "not_found": ("runner_missing", "inaccessible or not found"),
    "link_error": ("library_missing", 'library "libMNN.so" not found'),
    "segfault": ("crash", "SIGSEGV"),
    "illegal_instruction": ("crash", "SIGILL: it was built for a newer processor"),
    "abort": ("crash", "SIGABRT"),
    "bus_error": ("crash", "SIGBUS"),
    "out_of_memory": ("out_of_memory", "memory ran out"),
    "hang": ("timeout", "did not end within"),
    "unknown_flag": ("flag_refused", "--edgezoo_unknown=1"),
    "truncated_log": ("incomplete_log", ""),
}  # fmt: skip
FROM_THE_START = ("exec_denied", "wrong_abi", "not_found", "link_error", "segfault", "hang")


def ids(name: str) -> str:
    return f"{SITUATIONS[name][0]}-{name}"


@pytest.mark.parametrize("name", PROGRAMS, ids=ids)
def test_the_second_process(
    bench: Bench, net: Path, phone: SimulatedPhone, fast: None, name: str
) -> None:
    kind, words = PROGRAMS[name]
    timeout_s = 2.0 if name == "hang" else 60.0
    befall = {2: lambda: phone.set(**SITUATIONS[name][1])}
    (measurement,) = bench(net, before=befall, timeout_s=timeout_s)
    assert words in refused(measurement, kind, processes=1)
    assert len(bench.started) == 2
    assert bench.stored == (measurement,)
    assert left_on(phone) == []
    assert processes_of(phone) == []


@pytest.mark.parametrize("name", FROM_THE_START, ids=ids)
def test_from_the_start(bench: Bench, net: Path, phone: SimulatedPhone, name: str) -> None:
    kind, words = PROGRAMS[name]
    phone.set(**SITUATIONS[name][1])
    timeout_s = 2.0 if name == "hang" else 60.0
    assert words in refused(only(bench(net, timeout_s=timeout_s)), kind)
    assert left_on(phone) == []


def test_one_network_fails_alone(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    other = net.with_name("other.tflite")
    other.write_bytes(net.read_bytes()[:-200] + bytes(200))
    broken, right = bench(other, net)
    refused(broken, "load_error")
    measured(right)
    assert bench.stored == (broken, right)


@pytest.mark.parametrize(("ending", "kind"), [("SEGV", "crash"), ("KILL", "out_of_memory")])
def test_what_the_state_complains_of_is_not_the_programs(
    bench: Bench, net: Path, phone: SimulatedPhone, ending: Ending, kind: FailureClass
) -> None:
    """Current phones deny the shell some thermal zones, and the shell says so."""
    dumpsys = phone.tree.root / "system/bin/dumpsys"
    text = dumpsys.read_text()
    denied = "/system/bin/sh: can't open /sys/class/thermal/thermal_zone9/temp: Permission denied"
    first, rest = text.split("\n", 1)
    dumpsys.write_text(f'{first}\necho "{denied}" >&2\n{rest}')
    try:
        befall = {2: lambda: phone.set(program=ProgramFault(ending=ending))}
        (measurement,) = bench(net, before=befall)
    finally:
        dumpsys.write_text(text)
    refused(measurement, kind, processes=1)


def test_a_flag_that_the_runner_lacks(bench: Bench, net: Path, replay: Replay) -> None:
    """It costs the network that needs it, not the run."""
    bench.runner = replay(genuine("ok.txt"), lacks=b"--use_nnapi")
    sentence = refused(only(bench(net, accelerator="nnapi", **LOG_PLAN)), "flag_refused")
    assert "--use_nnapi" in sentence


# ------------------------------------------------------------------------------ cores


def test_cores(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    (measurement,) = bench(net, cores="big")
    measured(measurement, cores="big")
    assert measurement.command[:2] == ("taskset", "80")
    assert "edgezoo_runner" in measurement.command[2]


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ("f0", "of the cores of the mask f0 the device gave those of 70"),
        ("80", "none of the cores of the mask 80 is online"),
    ],
)
def test_cores_that_are_offline(
    bench: Bench, net: Path, phone: SimulatedPhone, mask: str, words: str
) -> None:
    """The kernel leaves them out of a mask without a word."""
    befall = {2: lambda: phone.set(offline_cores=(7,))}
    (measurement,) = bench(net, before=befall, cores=mask)
    assert words in refused(measurement, "cores_unavailable", processes=1)
    phone.heal()
    measured(*bench(net, cores=mask))
    assert len(bench.started) == 2


def test_programs_fail_on_chosen_cores_as_elsewhere(
    bench: Bench, net: Path, phone: SimulatedPhone
) -> None:
    befall = {2: lambda: phone.set(**SITUATIONS["segfault"][1])}
    refused(only(bench(net, before=befall, cores="big")), "crash", processes=1)


# ------------------------------------------------------------------------------ 27: heat


def test_27_throttled_before(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    phone.set(**SITUATIONS["throttled"][1])
    assert "the thermal status is 3 (severe)" in refused(only(bench(net)), "too_warm")


def test_27_a_warm_battery(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    phone.set(**SITUATIONS["hot_battery"][1])
    assert "the battery has 43.0 °C" in refused(only(bench(net)), "too_warm")


def test_27_throttled_meanwhile(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    """The gate was passed, then it became warm: the numbers are kept and not believed."""
    # The state behind the second process lets the third through.
    (measurement,) = bench(net, before={3: lambda: phone.set(thermal_status=2)})
    assert measurement.status == "throttled"
    assert "thermal status rose to 2" in (measurement.message or "")
    assert len(measurement.processes) == 3


def test_27_it_cools_down(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    phone.set(thermal_status=2)
    cooled: list[str] = []

    class Cooling(list[str]):
        def append(self, message: str) -> None:
            super().append(message)
            if "cooling down" in message and not cooled:
                cooled.append(message)
                phone.set(thermal_status=0)

    bench.said = Cooling()
    measured(*bench(net, gate=Gate(cooldown_s=1.0)), gate=Gate(cooldown_s=1.0))
    assert "the thermal status is 2 (moderate)" in cooled[0]


def test_27_it_does_not_cool_down(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    """The whole wait is made once; the other networks fail at once and say the same."""
    other = net.with_name("other.tflite")
    other.write_bytes(net.read_bytes())
    phone.set(thermal_status=2)
    first, second = bench(net, other, gate=Gate(cooldown_s=1.0))
    sentence = refused(first, "too_warm")
    assert "after a cool-down of 1 s" in sentence
    assert refused(second, "too_warm").partition(":")[2] == sentence.partition(":")[2]
    assert len([message for message in bench.said if "cooling down" in message]) == 1
    phone.set(thermal_status=0)
    for measurement in bench(net, other):
        measured(measurement)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("low_battery", "battery_low"),
        ("low_power_mode", "low_power_mode"),
    ],
)
def test_other_states(
    bench: Bench, net: Path, phone: SimulatedPhone, name: str, kind: FailureClass
) -> None:
    phone.set(**SITUATIONS[name][1])
    refused(only(bench(net)), kind)


def test_a_screen_that_is_off_is_woken(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    phone.set(screen_on=False)
    measured(*bench(net))


def test_a_screen_that_goes_off(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    """Without a cable the setting keeps it on for its timeout only; it is woken, and the run goes on."""
    (measurement,) = bench(net, before={2: lambda: phone.set(screen_on=False, charging=False)})
    assert measurement.status == "unstable"
    assert "the screen went off" in (measurement.message or "")
    assert len(measurement.processes) == 3
    timeout = phone.tree.root / "data/system/settings/system/screen_off_timeout"
    assert timeout.read_text() == "60000\n"
    assert left_on(phone) == []


def test_a_phone_that_lets_nobody_wake_it(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    phone.set(screen_on=False, guarded=True)
    refused(only(bench(net)), "screen_off")
    assert [message for message in bench.said if "USB debugging (Security settings)" in message]
    phone.heal()
    (phone.tree.root / "data/system/settings/global/stay_on_while_plugged_in").write_text("0\n")


# ------------------------------------------------------- what benchmark_model prints, genuine logs


def genuine(name: str) -> bytes:
    return (LOGS / name).read_bytes()


CUT = genuine("ok.txt").partition(b"INFO: Inference timings")[0]
LOG_PLAN: dict[str, Any] = {"processes": 2, "warmup": 0, "runs": 3}


@pytest.mark.parametrize(
    ("text", "fields", "kind", "words"),
    [
        (genuine("nnapi.txt"), {"accelerator": "nnapi"}, "delegate_fallback", "ran on xnnpack"),
        (genuine("repeated_flag.txt"), {}, "flag_refused", "it ignored --num_threads=2"),
        (CUT, {}, "incomplete_log", ""),
        (genuine("dry_run.txt"), {}, "invalid_numbers", ""),
        (genuine("ok.txt").replace(b"453258", b"0"), {}, "invalid_numbers", ""),
    ],
    ids=["28-fallback", "29-repeated-flag", "31-truncated-log", "32-dry-run", "32-zero"],
)
def test_logs_without_a_number(
    bench: Bench,
    net: Path,
    replay: Replay,
    text: bytes,
    fields: dict[str, Any],
    kind: FailureClass,
    words: str,
) -> None:
    bench.runner = replay(text)
    assert words in refused(only(bench(net, **{**LOG_PLAN, **fields})), kind)


def test_a_log_with_a_number(bench: Bench, net: Path, replay: Replay) -> None:
    bench.runner = replay(genuine("ok.txt"))
    (measurement,) = bench(net, **LOG_PLAN)
    assert measurement.latency_ms is not None
    assert measurement.latency_ms.median == pytest.approx(453.258)
    assert measurement.runner == "benchmark_model"


def test_30_bytes_that_are_no_text(bench: Bench, net: Path, phone: SimulatedPhone) -> None:
    phone.set(**SITUATIONS["not_utf8"][1])
    (measurement,) = bench(net)
    measured(measurement)
    assert measurement.processes[0].log_sha256


def test_an_accelerator_that_the_c_runner_lacks(bench: Bench, net: Path) -> None:
    with pytest.raises(UsageError, match="give a benchmark_model as --runner"):
        bench(net, accelerator="nnapi")
    assert not bench.store.exists()

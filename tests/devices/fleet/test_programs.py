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
from edgezoo.devices.simphone.faults import SITUATIONS
from edgezoo.errors import UsageError
from edgezoo.measurement import Gate
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

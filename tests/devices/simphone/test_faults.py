"""Which part of a command a fault befalls, and that every named situation can be set."""

import dataclasses

import pytest

from edgezoo.devices.simphone import (
    SITUATIONS,
    Conditions,
    Faults,
    Fleet,
    ProgramFault,
    SimulatedPhone,
)
from edgezoo.devices.simphone.faults import script_settings, spoil
from edgezoo.devices.simphone.fleet import merged
from edgezoo.errors import UsageError

TMP = "/data/local/tmp"


@pytest.mark.parametrize(
    ("command", "spoilt"),
    [
        ("./run --graph=./m", "W ./run --graph=./m"),
        (f"cd {TMP} && ./run", f"cd {TMP} && W ./run"),
        (
            f"cd {TMP}/x && LD_LIBRARY_PATH=. ./run; echo $?",
            f"cd {TMP}/x && LD_LIBRARY_PATH=. W ./run; echo $?",
        ),
        (f"A='b c' taskset f0 {TMP}/run -x", f"A='b c' taskset f0 W {TMP}/run -x"),
        (
            f"taskset f0 sh -c 'a; exec \"$@\"' sh {TMP}/run",
            f"taskset f0 sh -c 'a; exec \"$@\"' sh W {TMP}/run",
        ),
        (f"{TMP}/a | {TMP}/b", f"W {TMP}/a | W {TMP}/b"),
        (f"nohup '{TMP}/run' &", f"nohup W '{TMP}/run' &"),
        ("if true; then ./run; fi", "if true; then W ./run; fi"),
        ("(timeout 5 ./run)", "(timeout 5 W ./run)"),
        ("ls\n./run\n", "ls\nW ./run\n"),
        (f"chmod 755 {TMP}/run", f"chmod 755 {TMP}/run"),
        (f"sha256sum {TMP}/run ./run", f"sha256sum {TMP}/run ./run"),
        ("echo ./run", "echo ./run"),
        ("getprop", "getprop"),
    ],
)
def test_programs_are_found_where_commands_stand(command: str, spoilt: str) -> None:
    assert spoil(command, ProgramFault(), "W") == spoilt
    assert spoil(command, None, "W") == command


def test_only_the_named_program() -> None:
    assert spoil("./a; ./b", ProgramFault(name="b"), "W") == "./a; W ./b"


def test_settings_survive_quotes() -> None:
    text = script_settings(ProgramFault(prints="can't", arguments=("--a=1", "--b")))
    assert "prints='can'\\''t'\n" in text and "arguments='--a=1 --b'\n" in text


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_has_known_fields(name: str) -> None:
    fields = set(SITUATIONS[name][1])
    known = {field.name for noun in (Faults, Conditions) for field in dataclasses.fields(noun)}
    assert fields and fields <= known


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"colour": 1}, "no 'colour'; choose one of battery_celsius"),
        ({"state": "asleep"}, "state is 'asleep'; choose one of 'device'"),
        ({"thermal_status": 7}, "thermal_status is 7; it goes from 0 to 6"),
        ({"speed": 0}, "speed is 0; it goes from 0.05 to 1.0"),
        ({"program": {"ending": "boom"}}, "ending is 'boom'; choose one of"),
        ({"program": {"end": "x"}}, "unexpected keyword argument 'end'"),
    ],
)
def test_what_does_not_exist_is_refused(fields: dict[str, object], sentence: str) -> None:
    phone = SimulatedPhone()
    with pytest.raises(UsageError) as refused:
        phone.set(**fields)
    assert sentence in str(refused.value)
    assert (phone.faults, phone.conditions) == (Faults(), Conditions())


def test_unknown_situations_and_phones_are_refused() -> None:
    with pytest.raises(UsageError, match="choose one of unauthorized"):
        merged(("no_such",))
    with pytest.raises(UsageError, match="choose one of SIM0001, SIM0002"):
        Fleet(2)["SIM0003"]
    with pytest.raises(UsageError, match="at least one"):
        Fleet(0)

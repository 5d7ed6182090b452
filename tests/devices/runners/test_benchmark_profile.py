"""Per-operator tables: genuine ones as text and CSV, the old layout, and cut or garbled ones."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezoo.devices.runners.benchmark_profile import OpTiming, TypeTiming, parse_profiles

LOGS = Path(__file__).parent / "logs"
TEXT = (LOGS / "profile.txt").read_bytes()
CSV = (LOGS / "profile.csv").read_bytes()
TYPES = (
    "Transpose (ND, X32) Transpose",
    "Convolution (NHWC, F32) IGEMM",
    "Sum (ND) Mean",
    "Fully Connected (NC, F32) GEMM",
)


@pytest.mark.parametrize("data", [TEXT, CSV], ids=["text", "csv"])
def test_genuine_tables(data: bytes) -> None:
    start, runs = parse_profiles(data)
    assert (start.phase, runs.phase) == ("initialization", "runs")
    assert start.complete
    assert runs.complete
    assert [row.name for row in start.run_order] == [
        "ModifyGraphWithDelegate/0",
        "AllocateTensors/0",
    ]
    assert tuple(row.node_type for row in runs.run_order) == TYPES
    # The CSV writes a comma inside a name as a tab.
    assert [row.name for row in runs.run_order] == [
        f"Delegate/{name}:{index}" for index, name in enumerate(TYPES)
    ]
    assert sum(row.percent for row in runs.run_order) == pytest.approx(100, abs=0.01)
    assert {row.name for row in runs.by_time} == {row.name for row in runs.run_order}
    assert runs.by_time[0].node_type == TYPES[1]
    assert sum(row.count for row in runs.by_type) == 4
    assert runs.total is not None
    assert runs.total.count == 3
    assert runs.nodes_observed == 4


def test_rows_value_by_value() -> None:
    runs = parse_profiles(TEXT)[1]
    assert runs.run_order[1] == OpTiming(
        TYPES[1], f"Delegate/{TYPES[1]}:1", 485.513, 484.765, 96.455, 96.638, 0.0, 1
    )
    assert runs.by_type[1] == TypeTiming(TYPES[2], 1, 16.875, 3.358, 99.813, 0.0, 1)
    assert parse_profiles(CSV)[1].run_order[2] == OpTiming(
        TYPES[2], f"Delegate/{TYPES[2]}:2", 8.087, 10.3263, 2.50518, 99.5183, 0.0, 1
    )


def test_the_old_layout_has_a_start_column_and_no_groups() -> None:
    """Layout of TensorFlow 2.3's stats_calculator.cc, filled in by hand."""
    table = (
        "============================== Run Order ==============================\n"
        "\t             [node type]\t          [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]"
        "\t  [mem KB]\t[times called]\t[Name]\n"
        "\t                 CONV_2D\t            0.000\t    4.269\t    4.269\t  0.107%\t  0.107%"
        "\t     0.000\t        2\t[Mobilenet/Conv2d_0/Relu6]:0\n"
        "\n"
        "Number of nodes executed: 1\n"
        "1 nodes observed\n"
    )
    (profile,) = parse_profiles(table.encode())
    (row,) = profile.run_order
    assert row == OpTiming(
        "CONV_2D", "[Mobilenet/Conv2d_0/Relu6]:0", 4.269, 4.269, 0.107, 0.107, 0.0, 2, 0.0
    )
    assert profile.complete


def test_logs_without_tables() -> None:
    assert parse_profiles((LOGS / "ok.txt").read_bytes()) == ()
    assert parse_profiles(b"") == ()


@pytest.mark.parametrize("data", [TEXT, CSV], ids=["text", "csv"])
def test_every_prefix(data: bytes) -> None:
    """What a cut table holds are true rows, and it does not pass for the whole."""
    whole = parse_profiles(data)
    known = {row for profile in whole for row in (*profile.run_order, *profile.by_time)}
    end = data.rindex(b"nodes observed")
    for cut in range(data.find(b"Profiling Info"), len(data), 3):
        found = parse_profiles(data[:cut])
        assert known.issuperset(row for p in found for row in (*p.run_order, *p.by_time))
        if cut <= end:
            assert len(found) < 2 or not found[1].complete


@settings(max_examples=200, deadline=None)
@given(csv=st.booleans(), seed=st.integers(0, 2**32), flips=st.integers(1, 40))
def test_flipped_bytes(csv: bool, seed: int, flips: int) -> None:
    generator = random.Random(seed)
    data = bytearray(CSV if csv else TEXT)
    for _ in range(flips):
        data[generator.randrange(len(data))] = generator.choice(b"\t\n,=[]%.0e-\xff\0")
    for profile in parse_profiles(bytes(data)):
        assert all(row.times_called >= 0 for row in profile.run_order)

"""Choosing networks by counts and published numbers."""

from dataclasses import replace

import pytest

import edgezoo
from edgezoo.errors import UsageError
from edgezoo.models.look import choose, latencies_ms, model_info, top1_of
from edgezoo.types import ModelInfo


def entry(name: str, params: int, macs: int, **published: object) -> ModelInfo:
    return ModelInfo(name, "made", params, macs, (1, 3, 32, 32), published)


SMALL = entry("small", 1_000_000, 10_000_000, top1=60.0, latency_ms={"pixel1": 9.0})
MIDDLE = entry("middle", 2_000_000, 40_000_000, latency_ms={"pixel1_gpu": 8.0, "pixel4": 5.0})
LARGE = entry(
    "large",
    3_000_000,
    90_000_000,
    others=(
        {"top1": 50.0, "input": 16, "latency_ms": {"pixel1": 1.0}},
        {"top1": 80.0, "latency_ms": {"pixel1": 30.0}},
    ),
)
ALL = (LARGE, SMALL, MIDDLE)


def names(**bounds: object) -> list[str]:
    return [info.name for info in choose(ALL, **bounds)]  # type: ignore[arg-type]  # by keyword


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, ["large", "small", "middle"]),
        ({"params": (None, 2e6)}, ["small", "middle"]),
        ({"params": (2e6, None)}, ["large", "middle"]),
        ({"macs": (10e6, 40e6)}, ["small", "middle"]),
        ({"min_top1": 60.0}, ["large", "small"]),
        ({"max_latency_ms": {"pixel1": 10.0}}, ["small", "middle"]),
        ({"max_latency_ms": {"pixel1": 10.0, "pixel4": 5.0}}, ["middle"]),
        ({"sort": "params"}, ["small", "middle", "large"]),
        ({"sort": "top1"}, ["large", "small", "middle"]),  # without a number last
        ({"sort": "latency"}, ["middle", "small", "large"]),
        ({"sort": "latency", "max_latency_ms": {"pixel1": 10.0}}, ["middle", "small"]),
        ({"sort": "name"}, ["large", "middle", "small"]),
    ],
)
def test_choose(bounds: dict[str, object], expected: list[str]) -> None:
    assert names(**bounds) == expected


def test_accuracy_on_other_classes_is_no_rank() -> None:
    cifar = replace(SMALL, name="cifar", published={"top1": 99.0}, labels="cifar-10")
    assert [info.name for info in choose((cifar, SMALL), sort="top1")] == ["small", "cifar"]
    assert choose((cifar,), min_top1=50.0) == ()


def test_another_input_size_is_another_network() -> None:
    assert latencies_ms(LARGE) == {"pixel1": 30.0}
    assert top1_of(LARGE) == 80.0


def test_unknown_devices_list_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'nokia'; choose from pixel1, pixel1_gpu, pixel4"):
        choose(ALL, max_latency_ms={"nokia": 1.0})


@pytest.mark.parametrize("percent", [-1.0, 100.5, float("nan")])
def test_no_percentages(percent: float) -> None:
    with pytest.raises(UsageError, match=r"top-1 of \S+ is no percentage"):
        choose(ALL, min_top1=percent)


def test_inputs_that_are_too_small_are_refused_in_one_sentence() -> None:
    message = "residual_attention_56 does not run on an input of 1x3x8x8: a map of 1x1 is too small"
    with pytest.raises(UsageError, match=message):
        model_info("residual_attention_56", (1, 3, 8, 8))


def test_the_zoo_within_bounds() -> None:
    found = edgezoo.list_models("mnasnet", max_macs=110e6, min_top1=68, sort="macs")
    assert [info.name for info in found] == ["mnasnet_a1_x0_5"]


def test_stages_and_layers_come_with_info() -> None:
    info = edgezoo.info("mnasnet_small", input=(1, 3, 64, 64), layers=True)
    for rows in (info.stages, info.layers):
        assert sum(row.params for row in rows) == info.params == 2_030_264
        assert sum(row.macs for row in rows) == info.macs
    assert info.stages[1].output == (1, 8, 32, 32)
    assert edgezoo.info("mnasnet_small").layers == ()

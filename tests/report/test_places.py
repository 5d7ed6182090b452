"""``edgezoo report`` on folders and on results files, through the verb that the command calls."""

import dataclasses
import json
from pathlib import Path

import pytest

from edgezoo import pipeline, results
from edgezoo.measurement import Measurement
from tests.report.fleet import fleet


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Path, Path]:
    """The phones' results and those of a computer and a GPU, without any model."""
    phones, others = tmp_path / "lab" / "phones.jsonl", tmp_path / "others.jsonl"
    measurements = fleet().measurements

    def is_phone(m: Measurement) -> bool:
        return m.provenance in ("phone", "simulated")

    results.append(phones, filter(is_phone, measurements))
    results.append(others, (m for m in measurements if not is_phone(m)))
    return phones, others


def test_the_report_of_a_store_lies_beside_it(stores: tuple[Path, Path]) -> None:
    files = pipeline.report(stores[0])
    assert [path.parent for path in (files.html, files.markdown, files.json)] == [
        stores[0].parent
    ] * 3
    page = json.loads(files.json.read_text())
    assert {m["provenance"] for m in page["measurements"]} == {"phone", "simulated"}


def test_several_places_make_one_report(stores: tuple[Path, Path], tmp_path: Path) -> None:
    files = pipeline.report(stores, out=tmp_path / "report")
    assert files.json == tmp_path / "report" / "report.json"
    page = json.loads(files.json.read_text())
    assert len(page["measurements"]) == 120
    sections = {table["section"] for table in page["tables"]}
    assert {"side-by-side-phone", "beside-phone", "beside-simulated"} <= sections


def test_a_folder_is_preferred_to_a_store_for_the_report(stores: tuple[Path, Path]) -> None:
    files = pipeline.report([stores[1], stores[0].parent])
    assert files.html.parent == stores[0].parent


def test_the_zoo_knows_what_was_published_of_its_networks(stores: tuple[Path, Path]) -> None:
    """Without a manifest: the paper's latency and top-1 come from the registry."""
    page = json.loads(pipeline.report(stores[0]).json.read_text())
    assert page["published"]["efficientnet_lite0"]["top1"] == 75.1
    assert any(table["section"] == "published-latency-phone" for table in page["tables"])
    assert all(m["next_step"] for m in page["measurements"] if m["failure_class"] == "timeout")


def test_a_network_of_ones_own_has_nothing_published(tmp_path: Path) -> None:
    store = tmp_path / "mine.jsonl"
    mine = [
        dataclasses.replace(m, model="package.module:factory") for m in fleet().measurements[:4]
    ]
    results.append(store, mine)
    assert json.loads(pipeline.report(store).json.read_text())["published"] == {}

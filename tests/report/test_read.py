"""A folder as the commands leave it, read back into nouns."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgezoo.errors import ArtifactError
from edgezoo.report import ArtifactEntry, ReportData, read_report_data
from edgezoo.types import to_json


def manifest_json(entry: ArtifactEntry, published: Any) -> dict[str, Any]:
    artifact, facts = entry.artifact, entry.quantization
    return {
        "schema": 1,
        "path": entry.name,
        "format": artifact.format,
        "recipe": artifact.recipe,
        "sha256": artifact.sha256,
        "bytes": artifact.bytes,
        "model": artifact.model,
        "parent": artifact.parent,
        "comparison": to_json(artifact.comparison),
        "origin": to_json(entry.origin),
        "key": entry.key,
        "graph": {
            "nodes": entry.nodes,
            "ops": entry.ops,
            "params": entry.params,
            "macs": entry.macs,
        },
        "partitions": entry.partitions,
        "published": published,
        "quantization": facts
        and {
            "rule": facts.rule,
            "rules": facts.sqnr_db,
            "calibration_photos": facts.calibration_photos,
            "selection_photos": facts.selection_photos,
            "evaluation_photos": facts.evaluation_photos,
            "repairs": facts.repairs,
        },
        "preprocessing": entry.preprocessing,
        "versions": entry.versions,
    }


@pytest.fixture
def folder(tmp_path: Path, report_data: ReportData) -> Path:
    for entry in report_data.artifacts:
        manifest = manifest_json(entry, report_data.published[entry.artifact.model])
        (tmp_path / f"{entry.name}.json").write_text(json.dumps(manifest))
    lines = (json.dumps(to_json(m)) for m in report_data.measurements)
    (tmp_path / "results.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "gallery.json").write_text(json.dumps(to_json(report_data.gallery)))
    return tmp_path


def at(folder: Path, entry: ArtifactEntry) -> ArtifactEntry:
    """The entry as it is in ``folder``."""
    path = folder / entry.name
    artifact = dataclasses.replace(
        entry.artifact, path=path, manifest=path.with_name(f"{path.name}.json")
    )
    return dataclasses.replace(entry, artifact=artifact)


def test_everything_comes_back(folder: Path, report_data: ReportData) -> None:
    entries = tuple(at(folder, entry) for entry in report_data.artifacts)
    assert read_report_data(folder) == dataclasses.replace(report_data, artifacts=entries)


def test_optional_keys_may_be_absent(tmp_path: Path, report_data: ReportData) -> None:
    entry = report_data.artifacts[0]
    manifest = manifest_json(entry, None)
    required = ("schema", "path", "format", "recipe", "sha256", "bytes", "model", "comparison")
    least = {key: manifest[key] for key in required}
    (tmp_path / f"{entry.name}.json").write_text(json.dumps(least))
    data = read_report_data(tmp_path)
    assert (data.measurements, data.gallery, data.published) == ((), (), {})
    assert data.artifacts[0].artifact.sha256 == entry.artifact.sha256
    assert data.artifacts[0].ops == {}


def test_unknown_keys_are_ignored(folder: Path) -> None:
    path = next(folder.glob("*.onnx.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"of_the_future": [1]}))
    assert len(read_report_data(folder).artifacts) == 4


def test_tflite_before_onnx_and_float_first(
    folder: Path, report_data: ReportData, make_entry: Callable[..., ArtifactEntry]
) -> None:
    """Even where the float file is the smallest."""
    path = folder / f"{report_data.artifacts[2].name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"bytes": 1}))
    other = make_entry("tflite", "fp32", model="a_net")
    (folder / f"{other.name}.json").write_text(json.dumps(manifest_json(other, None)))
    names = [entry.name for entry in read_report_data(folder).artifacts]
    assert names == [other.name, *(entry.name for entry in report_data.artifacts)]


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="edgezoo convert"):
        read_report_data(tmp_path)


def test_results_files_alone(folder: Path, report_data: ReportData) -> None:
    data = read_report_data(folder / "results.jsonl")
    assert (data.artifacts, data.gallery) == ((), ())
    assert data.measurements == report_data.measurements
    assert data.models == ("efficientnet_lite0",)


def test_a_folder_of_results_only(tmp_path: Path, folder: Path, report_data: ReportData) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    lines = (folder / "results.jsonl").read_text().splitlines(keepends=True)
    (lab / "phone_1.jsonl").write_text("".join(lines[:1]))
    (lab / "phone_2.jsonl").write_text("".join(lines[1:]))
    assert read_report_data(lab).measurements == report_data.measurements


def test_places_add_up_and_no_store_counts_twice(folder: Path, report_data: ReportData) -> None:
    more = folder / "phones.jsonl"
    first = report_data.measurements[0]
    phone = dataclasses.replace(first.device, name="Pixel 7a", kind="phone")
    line = dataclasses.replace(first, device=phone, provenance="phone")
    more.write_text(json.dumps(to_json(line)) + "\n")
    data = read_report_data(folder, folder / "results.jsonl", more, folder)
    assert data.measurements == (*report_data.measurements, line)
    assert len(data.artifacts) == 4


def test_published_facts_are_looked_up_where_no_manifest_has_them(folder: Path) -> None:
    found = {"efficientnet_lite0": {"top1": 1.0}}
    alone = read_report_data(folder / "results.jsonl", published=lambda model: found.get(model, {}))
    assert alone.published == found
    assert read_report_data(folder, published=lambda model: found[model]).published != found


def test_two_files_of_one_name(folder: Path, tmp_path: Path, report_data: ReportData) -> None:
    other = tmp_path / "other"
    other.mkdir()
    entry = report_data.artifacts[0]
    manifest = manifest_json(entry, None)
    path = other / f"{entry.name}.json"
    path.write_text(json.dumps(manifest))
    assert len(read_report_data(folder, other).artifacts) == 4, "the same content is one file"
    path.write_text(json.dumps(manifest | {"sha256": "0" * 64}))
    with pytest.raises(ArtifactError, match="one name and different content; report their folders"):
        read_report_data(folder, other)


def test_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(ArtifactError, match="no measurements"):
        read_report_data(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("count", "title"), [(4, "a, b, c, d"), (6, "a, b, c and 3 more networks")]
)
def test_titles_stay_short(tmp_path: Path, report_data: ReportData, count: int, title: str) -> None:
    lines = [
        dataclasses.replace(report_data.measurements[0], model=name, artifact=name)
        for name in "abcdef"[:count]
    ]
    store = tmp_path / "results.jsonl"
    store.write_text("".join(json.dumps(to_json(line)) + "\n" for line in lines))
    assert read_report_data(store).title == title


def edit(**changes: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | changes)


def without(key: str) -> Callable[[str], str]:
    return lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != key})


DAMAGE: tuple[tuple[str, Callable[[str], str], str], ...] = (
    ("*fp32.onnx.json", lambda text: text[:80], "fp32.onnx.json is damaged"),
    ("*fp32.onnx.json", lambda _: "[]", "must be an object"),
    ("*fp32.onnx.json", without("sha256"), "sha256 is missing"),
    ("*fp32.onnx.json", edit(format="gguf"), "format must be one of tflite, onnx"),
    ("*fp32.onnx.json", edit(bytes="many"), "bytes must be int"),
    ("*fp32.onnx.json", edit(bytes=True), "bytes must be int"),
    ("*fp32.onnx.json", edit(comparison={}), "comparison.sqnr_db is missing"),
    ("*fp32.onnx.json", edit(graph={"ops": {"Conv": 1.5}}), "graph.ops.Conv must be int"),
    ("*fp32.onnx.json", edit(schema=2), "schema 2"),
    ("results.jsonl", lambda text: "no record\n" + text, "line 1, is no measurement"),
    ("results.jsonl", lambda text: text.replace('"ok"', '"fine"', 1), "line 1, .*status must be"),
    ("gallery.json", lambda _: "{}", "a list of photos"),
    ("gallery.json", lambda text: text.replace("/9j/", '\\"><b>', 1), "not base64"),
)


@pytest.mark.parametrize(("pattern", "damage", "message"), DAMAGE)
def test_damage_is_named(
    folder: Path, pattern: str, damage: Callable[[str], str], message: str
) -> None:
    path = next(folder.glob(pattern))
    path.write_text(damage(path.read_text()))
    with pytest.raises(ArtifactError, match=message) as caught:
        read_report_data(folder)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(".")


def test_bytes_that_are_no_text(folder: Path) -> None:
    (folder / "results.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtifactError, match="line 1, is no measurement"):
        read_report_data(folder)


def test_a_folder_in_place_of_a_file(folder: Path) -> None:
    (folder / "gallery.json").unlink()
    (folder / "gallery.json").mkdir()
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_report_data(folder)

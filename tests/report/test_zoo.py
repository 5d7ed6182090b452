"""The picture of the zoo: what is drawn, what is hollow, where the labels stand."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

import edgezoo
from edgezoo.errors import OutputError
from edgezoo.report.plot_layout import Plot
from edgezoo.report.zoo import frontier, write_zoo_page, zoo_page, zoo_plot, zoo_points
from edgezoo.types import ModelInfo


def entry(name: str, family: str, macs: int | None, /, **published: object) -> ModelInfo:
    shape = None if macs is None else (1, 3, 32, 32)
    row = {"source": "a", **published}
    params = macs and macs // 10
    return ModelInfo(name, family, params, macs, shape, row, labels="imagenet-1k")


ZOO = (
    entry("mnasnet_x", "mnasnet", 100_000_000, top1=70.0),
    entry("mnasnet_y", "mnasnet", 200_000_000, top1=69.0),
    entry("mnasnet_z", "mnasnet", 300_000_000, top1=72.0),
    entry("mnasnet_a2", "mnasnet", None, top1=75.6, macs=340e6, params=4.8e6),
    entry("efficientnet_b", "efficientnet", 400_000_000, top1=76.0),
    entry("tf_efficientnet_b", "efficientnet", 400_000_000, top1=76.0),
    entry(
        "efficientnet_l",
        "efficientnet",
        90_000_000_000,
        others=({"top1": 88.4, "training": "extra photos", "source": "b"},),
    ),
    entry("efficientnet_lite_c", "efficientnet", 500_000_000, top1=75.0),
    entry("new_net", "unheard", 600_000_000, top1=60.0),
    entry("unpublished", "mnasnet", 50_000_000),
    replace(entry("on_cifar", "mnasnet", 60_000_000, top1=95.0), labels="cifar-10"),
)


def plot_of(*infos: ModelInfo) -> Plot:
    plot = zoo_plot(zoo_points(infos))
    assert plot is not None
    return plot


def test_points() -> None:
    points = zoo_points(ZOO)
    assert [point.names for point in points] == [
        ("mnasnet_x",),
        ("mnasnet_y",),
        ("mnasnet_z",),
        ("mnasnet_a2",),
        ("efficientnet_b", "tf_efficientnet_b"),
        ("efficientnet_l",),
        ("efficientnet_lite_c",),
        ("new_net",),
    ]
    assert [p.names[0] for p in points if not p.plain] == ["mnasnet_a2", "efficientnet_l"]
    assert points[3].macs == 340e6  # as printed
    assert points[5].text.endswith("b, extra photos")


def test_frontier_joins_what_no_smaller_one_beats() -> None:
    points = [p for p in zoo_points(ZOO) if p.series == "mnasnet" and p.plain]
    assert [p.names[0] for p in frontier(points)] == ["mnasnet_x", "mnasnet_z"]


def test_every_family_has_its_colour_and_its_name() -> None:
    figure = plot_of(*ZOO).figure
    marks = [trace for trace in figure["data"] if trace["mode"] == "markers"]
    assert [trace["marker"]["color"] for trace in marks] == [
        *("var(--series-2)", "var(--series-3)", "var(--series-4)", "var(--muted)"),
    ]
    assert marks[0]["marker"]["symbol"] == ["circle"] * 3 + ["circle-open"]
    texts = [label["text"] for label in figure["layout"]["annotations"]]
    assert texts == ["MnasNet", "EfficientNet", "EfficientNet-Lite", "unheard", "A2"]


def test_labels_stand_inside() -> None:
    layout = plot_of(*ZOO).figure["layout"]
    left, right = layout["xaxis"]["range"]
    for label in layout["annotations"]:
        share = (label["x"] - left) / (right - left)
        assert share > 0.2 if label["xanchor"] == "right" else share < 0.8, label["text"]


def test_one_network_and_none() -> None:
    assert plot_of(ZOO[0]).figure["layout"]["xaxis"]["range"] == [7.8, 8.2]
    assert zoo_plot(()) is None
    assert "plotly" not in zoo_page(())


def test_names_are_escaped() -> None:
    page = zoo_page([replace(ZOO[0], name="<script>alert(1)</script>")])
    assert "<script>alert" not in page


def test_whole_zoo_is_drawn(tmp_path: Path) -> None:
    path = edgezoo.plot_models(tmp_path / "zoo.html")
    page = path.read_text(encoding="utf-8")
    assert {p.name for p in tmp_path.iterdir()} == {"zoo.html"}
    for info in edgezoo.list_models():
        drawn = "top1" in info.published and info.labels == "imagenet-1k"
        assert not drawn or info.name in page.replace("<wbr>", "")
        assert info.labels == "imagenet-1k" or info.name not in page.replace("<wbr>", "")
    for address in ("src=", "@import", "url("):
        assert address not in page[: page.index("<script")]


def test_points_hold_the_tables_numbers() -> None:
    points = {name: p for p in zoo_points(edgezoo.list_models()) for name in p.names}
    for info in edgezoo.list_models():
        if "top1" in info.published and info.labels == "imagenet-1k":
            point = points[info.name]
            assert (point.macs, point.params) == (info.macs, info.params)
            assert point.top1 == info.published["top1"]
            assert math.isfinite(point.macs)


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="the picture cannot be written to"):
        write_zoo_page(ZOO, tmp_path / "file" / "zoo.html")

"""Both files: whole, self-contained, escaped, the same numbers in both."""

import dataclasses
import os
import re
import stat
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgezoo.errors import OutputError
from edgezoo.measurement import Measurement
from edgezoo.report import ArtifactEntry, ReportData, write_report
from edgezoo.report.markdown import markdown_page
from edgezoo.report.markup import VOID, element, json_script, script
from edgezoo.report.page import html_page
from edgezoo.types import GalleryPhoto, Prediction

HOSTILE = "</script><script>alert('x')</script> \"&amp; | `*_[a](b) \\ $1$ <img src=x>"


class Page(HTMLParser):
    """Elements, text and table rows of a page; raises where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} repeats an attribute"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID and tag != "wbr":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "small" and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def markdown_rows(text: str) -> list[list[str]]:
    """The cells of the tables, unescaped, without the rules."""
    rows = []
    for line in text.splitlines():
        if line.startswith("| ") and "---" not in line:
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            plain = [re.sub(r"\\(.)", r"\1", cell.strip()) for cell in cells]
            rows.append([c.replace("&lt;", "<").replace("&gt;", ">") for c in plain])
    return rows


def test_markup_is_escaped_by_construction() -> None:
    link = element("a", "<b>", href='x"y', class_="c", hidden=True, title=None)
    assert link.text == '<a href="x&quot;y" class="c" hidden>&lt;b&gt;</a>'
    assert "</script><" not in json_script("id", HOSTILE).text.removesuffix("</script>")
    with pytest.raises(ValueError, match="end its own element"):
        script("'</SCRIPT>'")


def test_page_is_well_formed(report_data: ReportData) -> None:
    page = Page(html_page(report_data))
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(identifiers)) == len(identifiers)
    links = [str(a["href"]) for a in page.all("a")]
    assert {link[1:] for link in links} <= set(identifiers)
    assert all(link.startswith("#") for link in links)


def test_page_asks_for_nothing_outside(report_data: ReportData) -> None:
    text = html_page(report_data)
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            assert re.match(r"#|data:image/jpeg;base64,", attributes.get(name) or "#")
    assert "src" not in {name for attributes in page.all("script") for name in attributes}
    style = "".join(re.findall(r"<style>(.*?)</style>", text, re.S))
    assert not re.search(r"url\(|@import", style)
    policy = next(a for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert str(policy["content"]).startswith("default-src 'none'")


def test_plotly_is_embedded_once_and_only_for_plots(report_data: ReportData) -> None:
    # the library is 4.8 MB; two copies would be past 9 MB
    assert 4_000_000 < len(html_page(report_data)) < 6_000_000
    without = dataclasses.replace(report_data, measurements=(), artifacts=report_data.artifacts[:1])
    assert len(html_page(without)) < 200_000


def test_same_data_same_bytes(report_data: ReportData) -> None:
    assert html_page(report_data) == html_page(report_data)
    assert markdown_page(report_data) == markdown_page(report_data)


def test_markdown_and_page_hold_the_same_table(
    report_data: ReportData, make_doubtful: Callable[..., Measurement]
) -> None:
    measurements = (*report_data.measurements[:3], make_doubtful(report_data.artifacts[3]))
    data = dataclasses.replace(report_data, measurements=measurements)
    page = Page(html_page(data))
    main = [row for row in page.rows if len(row) == 13]
    markdown = [row for row in markdown_rows(markdown_page(data)) if len(row) == 13]
    assert len(markdown) == len(main) == 5

    def words(cell: str) -> list[str]:
        return re.sub(r"[(),;]", " ", cell).split()

    for mine, theirs in zip(main, markdown, strict=True):
        assert list(map(words, mine)) == list(map(words, theirs))


def test_numbers_are_those_of_the_data(report_data: ReportData) -> None:
    w8a8 = markdown_rows(markdown_page(report_data))[2]
    latency = report_data.measurements[1].latency_ms
    assert latency is not None
    low, high = latency.interval
    assert w8a8 == [
        "efficientnet_lite0-w8a8.tflite (a2, m2)",
        "TFLite",
        "w8a8",
        "5.02 MB (27.0 %)",
        f"{latency.median:.2f} ms ({low:.2f}–{high:.2f})",
        "2.23× (faster)",
        f"{latency.p90:.2f} ms",
        "61.4 MiB",
        "18.0 dB",
        "0.18",
        "93.3 % (n = 15)",
        "1",
        "ok",
    ]


def test_every_row_leads_to_its_sources(report_data: ReportData) -> None:
    text = html_page(report_data)
    page = Page(text)
    folded = {str(a["id"]) for a in page.all("details")}
    assert folded == {f"{kind}{number}" for kind in "am" for number in range(1, 5)}
    for measurement in report_data.measurements:
        assert measurement.artifact_sha256 in page.text
        assert f"{measurement.runner} {measurement.runner_version}" in page.text
    assert "150 in 5 processes" in page.text
    assert "edgezoo bench efficientnet_lite0-w8a8.tflite --threads 1" in page.text


def test_published_numbers_stand_beside_ours(report_data: ReportData) -> None:
    rows = markdown_rows(markdown_page(report_data))
    source = "EfficientNet-Lite, TensorFlow blog 2020, table 1"
    assert ["parameters", "4,700,000", "4,652,008", "−1.0 %", source] in rows
    assert ["top-1", "75.1 %", "–", "–", "EfficientNet-Lite README, float32"] in rows
    table = "EfficientNet-Lite README, table of models"
    assert ["latency, Pixel 4 CPU, 4 threads", "12.0 ms", "–", "–", table] in rows
    assert ["latency, Pixel 4 GPU", "9.0 ms", "–", "–", table] in rows
    page = Page(html_page(report_data))
    assert [row[1:] for row in page.rows if row[0].startswith("latency, ")] == [
        ["12.0 ms", "–", "–", table],
        ["9.0 ms", "–", "–", table],
    ]


@pytest.mark.parametrize(
    "published",
    [
        {"params": {"value": 4_700_000, "source": "paper"}},
        {"params": (4_700_000, "paper")},
        {"params": 4_700_000, "params_source": "paper"},
        {"params": 4_700_000, "source": "paper"},
    ],
)
def test_published_sources_in_every_spelling(
    report_data: ReportData, published: dict[str, object]
) -> None:
    data = dataclasses.replace(report_data, published={"efficientnet_lite0": published})
    rows = markdown_rows(markdown_page(data))
    assert rows[-1] == ["parameters", "4,700,000", "4,652,008", "−1.0 %", "paper"]


@pytest.mark.parametrize(
    ("published", "name", "value", "source"),
    [
        ({"top1": 75.1}, "top-1", "75.1 %", "–"),
        ({"top1_int8": 74.4}, "top-1 int8", "74.4 %", "–"),
        ({"latency_ms": 12.5}, "latency", "12.5 ms", "–"),
        ({"latency_ms": {"pixel1": 78.0}, "source": "a"}, "latency, Pixel 1", "78.0 ms", "a"),
        (
            {"latency_ms": {"snapdragon_820_1_thread": 37.8}},
            *("latency, Snapdragon 820, 1 thread", "37.8 ms", "–"),
        ),
        (
            {"latency_ms": {"pixel1_big_core": 78.0}},
            *("latency, Pixel 1, big core", "78.0 ms", "–"),
        ),
        (
            {"latency_ms": {"pixel4_cpu_4_threads_int8": 6.5}},
            *("latency, Pixel 4 CPU, 4 threads, int8", "6.5 ms", "–"),
        ),
        (
            {"latency_ms": {"pixel4_gpu": {"value": 9, "source": "b"}}, "source": "a"},
            *("latency, Pixel 4 GPU", "9 ms", "b"),
        ),
        (
            {"latency_ms": {"pixel4_gpu": 9, "source": "b"}, "source": "a"},
            *("latency, Pixel 4 GPU", "9 ms", "b"),
        ),
        ({"note": "see the paper"}, "note", "see the paper", "–"),
        ({"note": None, "latency_ms": {}}, "note", "–", "–"),
    ],
)
def test_published_names_and_units(
    report_data: ReportData, published: dict[str, object], name: str, value: str, source: str
) -> None:
    data = dataclasses.replace(report_data, published={"efficientnet_lite0": published})
    assert markdown_rows(markdown_page(data))[-1] == [name, value, "–", "–", source]


def test_a_measurement_that_failed_shows_no_latency(report_data: ReportData) -> None:
    odd = dataclasses.replace(
        report_data.measurements[3],
        status="failed",
        failure_class="noisy",
        message="the processes disagree",
    )
    data = dataclasses.replace(report_data, measurements=(*report_data.measurements[:3], odd))
    assert odd.latency_ms is not None
    latency = f"{odd.latency_ms.median:.2f} ms"
    assert latency in html_page(report_data)
    for text in (html_page(data), markdown_page(data)):
        assert latency not in text
        assert f"{odd.latency_ms.p90:.2f} ms" not in text
        assert repr(odd.latency_ms.median) not in text
        assert "failed (noisy): the processes disagree" in text


@pytest.mark.parametrize("status", ["unstable", "throttled"])
def test_a_doubtful_measurement_is_shown_with_its_evidence(
    report_data: ReportData, make_doubtful: Callable[..., Measurement], status: str
) -> None:
    doubtful = make_doubtful(report_data.artifacts[3], status=status)
    measurements = (*report_data.measurements[:3], doubtful)
    data = dataclasses.replace(report_data, measurements=measurements)
    markdown = markdown_page(data)
    (row,) = (row for row in markdown_rows(markdown) if row[0].startswith(f"{doubtful.artifact} "))
    assert row[4:8] == [
        f"8.23 ms ({status}; 6.31–8.36)",
        "–",
        f"8.46 ms ({status})",
        f"77.2 MiB ({status})",
    ]
    page = Page(html_page(data))
    marked = [a for a in page.all("small") if a.get("class") == "doubt"]
    assert len(marked) == 3
    for text in (page.text, markdown):
        assert "Shown, but nothing is claimed from these numbers:" in text
        assert f"{status}: the 95 % interval spans 24.9 % of the median" in text
    assert "Hollow grey marks" in page.text
    assert "Hollow grey marks" not in Page(html_page(report_data)).text


def test_difference_from_pytorch_is_marked(report_data: ReportData) -> None:
    page = Page(html_page(report_data))
    marked = [a for a in page.all("tr") if a.get("class") == "differs"]
    assert len(marked) == 2  # photos 4 and 9
    assert "Only photos with a difference (2)" in page.text
    assert all(photo.get("alt") for photo in page.all("img"))


def test_agreement_counts_only_photos_not_used_for_calibration(report_data: ReportData) -> None:
    """The w8a8 TFLite file differs on photos 4 and 9; photos 0, 3, 6 and 9 were calibrated on."""
    text = Page(html_page(report_data)).text
    words = "picks PyTorch's first class on {} of the 8 photos here that were not used for"
    assert f"w8a8 TFLite {words.format(7)}" in text
    assert f"fp32 ONNX {words.format(8)}" in text
    gallery = tuple(dataclasses.replace(photo, calibrated=True) for photo in report_data.gallery)
    seen = Page(html_page(dataclasses.replace(report_data, gallery=gallery))).text
    assert "photos here" not in seen


def test_photos_with_a_difference_come_first_then_the_surest(report_data: ReportData) -> None:
    page = Page(html_page(report_data))
    order = [str(photo["alt"]).removeprefix("Photo ") for photo in page.all("img")]
    surest = {
        photo.name: photo.predictions["pytorch"][0].probability for photo in report_data.gallery
    }
    assert set(order[:2]) == {"photo_004.jpg", "photo_009.jpg"}
    for part in (order[:2], order[2:]):
        assert part == sorted(part, key=lambda name: -surest[name])
    assert order[2:] != sorted(order[2:])


def test_gallery_without_the_module(
    report_data: ReportData, make_photo: Callable[..., GalleryPhoto]
) -> None:
    """Nothing to differ from; and a source that is no artifact keeps its own name."""
    photo = make_photo(1, (report_data.artifacts[0].name, "somebody_else.tflite"))
    page = Page(html_page(dataclasses.replace(report_data, gallery=(photo,))))
    assert not [a for a in page.all("tr") if a.get("class") == "differs"]
    assert "somebody_else.tflite" in page.text


def hostile_data(
    text: str,
    make_entry: Callable[..., ArtifactEntry],
    make_failed: Callable[..., Measurement],
    make_measurement: Callable[..., Measurement],
) -> ReportData:
    """``text`` in every place that a user or a device can fill."""
    plain = make_entry("tflite", "fp32", ops={text: 3}, versions={text: text})
    artifact = dataclasses.replace(
        plain.artifact, path=Path("d") / (re.sub(r"[/\0]", "", text) or "x"), model=text
    )
    entry = dataclasses.replace(plain, artifact=artifact)
    other = make_entry("onnx", "w8a8")
    device = dataclasses.replace(make_measurement(entry).device, name=text, cpu=text)
    failed = dataclasses.replace(
        make_failed(entry, device=device), message=text, failure_class=text, command=(text, text)
    )
    photo = GalleryPhoto(text, "", {"pytorch": (Prediction(text, 0.5),), text: ()})
    measured = make_measurement(other, device=device, runner=text)
    published = {text: {text: {"value": text, "source": text}}}
    return ReportData(text, (entry, other), (failed, measured), (photo,), published)


def test_hostile_text_stays_text(
    make_entry: Callable[..., ArtifactEntry],
    make_failed: Callable[..., Measurement],
    make_measurement: Callable[..., Measurement],
) -> None:
    data = hostile_data(HOSTILE, make_entry, make_failed, make_measurement)
    page = Page(html_page(data))
    assert len(page.all("script")) == 4  # two figures, plotly, our own
    assert len(page.all("img")) == 1
    assert HOSTILE in page.text
    markdown = markdown_page(data)
    assert "<" not in markdown
    assert all(len(row) in (5, 13) for row in markdown_rows(markdown))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.characters(exclude_characters="\r"), min_size=1, max_size=30))
@example("\ud800")  # half a surrogate pair: a file name whose bytes are no UTF-8
def test_any_text_stays_text(
    make_entry: Callable[..., ArtifactEntry],
    make_failed: Callable[..., Measurement],
    make_measurement: Callable[..., Measurement],
    text: str,
) -> None:
    data = hostile_data(text, make_entry, make_failed, make_measurement)
    page = Page(html_page(data))
    assert len(page.all("script")) == 4
    assert text in page.text
    rows = markdown_rows(markdown_page(data))
    assert {len(row) for row in rows} <= {5, 13}


def test_many_models_artifacts_and_photos(
    make_entry: Callable[..., ArtifactEntry],
    make_measurement: Callable[..., Measurement],
    make_photo: Callable[..., GalleryPhoto],
) -> None:
    models = [f"a_network_with_a_long_name_{number}" for number in range(5)]
    entries = [
        make_entry(name, recipe, model=model)
        for model in models
        for name in ("onnx", "tflite")
        for recipe in ("fp32", "w8a8")
    ]
    sources = ("pytorch", *(entry.name for entry in entries))
    data = ReportData(
        ", ".join(models),
        tuple(entries),
        tuple(make_measurement(entry) for entry in entries),
        tuple(make_photo(number, sources) for number in range(200)),
    )
    page = Page(html_page(data))
    assert len([row for row in page.rows if len(row) == 13]) == 21
    assert len(page.all("img")) == 200


def test_files_are_written_whole(report_data: ReportData, tmp_path: Path) -> None:
    files = write_report(report_data, tmp_path / "new" / "folder")
    assert files.html.read_text(encoding="utf-8") == html_page(report_data)
    assert files.markdown.read_text(encoding="utf-8") == markdown_page(report_data)
    assert sorted(p.name for p in files.html.parent.iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
    ]
    assert stat.S_IMODE(files.html.stat().st_mode) == 0o644


def test_a_name_that_is_no_unicode(report_data: ReportData, tmp_path: Path) -> None:
    data = dataclasses.replace(report_data, title=os.fsdecode(b"net\xff"))
    assert "net\\udcff" in write_report(data, tmp_path).markdown.read_text(encoding="utf-8")


def test_an_output_that_is_a_file(report_data: ReportData, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match=r"out .*choose a folder"):
        write_report(report_data, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_failed_write_leaves_the_old_report(report_data: ReportData, tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    (tmp_path / "report.md").write_text("old")
    with pytest.raises(OutputError):
        write_report(report_data, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md"]
    assert (tmp_path / "report.md").read_text() == "old"

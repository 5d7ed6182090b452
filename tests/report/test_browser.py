"""The page in a real Chromium: drawn, silent, inside its width. Skipped where there is none."""

import base64
import dataclasses
import html
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgezoo import list_models, plot_models
from edgezoo.measurement import DeviceInfo, Measurement
from edgezoo.report import ArtifactEntry, ReportData, write_report
from edgezoo.types import GalleryPhoto
from tests.report.fleet import fleet

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} on PATH")

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--virtual-time-budget=4000", "--enable-logging=stderr"),
)
DARK = "--blink-settings=preferredColorScheme=0"


def browse(page: Path, profile: Path, *options: str) -> tuple[str, list[str]]:
    """The document after its scripts ran, and all lines of its console."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *QUIET, f"--user-data-dir={profile}", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    errors = done.stderr.decode(errors="replace").splitlines()
    return done.stdout.decode(), [line for line in errors if "CONSOLE" in line]


def test_plots_are_drawn_in_silence(report_data: ReportData, tmp_path: Path) -> None:
    page = write_report(report_data, tmp_path).html
    document, console = browse(page, tmp_path / "profile", "--dump-dom")
    assert console == []
    places = re.findall(r'<div class="plot js-plotly-plot"', document)
    assert len(places) == 3  # latency, trade-off, range rules
    assert document.count('class="main-svg"') >= 3
    assert "w8a8 TFLite: 5.59 ms" in re.findall(r"<svg.*</svg>", document, re.S)[0]


def test_page_without_plots_is_silent_too(report_data: ReportData, tmp_path: Path) -> None:
    page = write_report(ReportData("net", report_data.artifacts[:1]), tmp_path).html
    document, console = browse(page, tmp_path / "profile", "--dump-dom")
    assert console == []
    assert "Nothing has been timed yet" in document


def hostile(report_data: ReportData) -> ReportData:
    name = "<img src=x onerror=console.error(1)></script><script>console.error(2)</script>"
    first = dataclasses.replace(report_data.artifacts[0].artifact, recipe=name, model=name)
    entries = (
        dataclasses.replace(report_data.artifacts[0], artifact=first, ops={name: 1}),
        *report_data.artifacts[1:],
    )
    photo = dataclasses.replace(report_data.gallery[0], name=name)
    return dataclasses.replace(report_data, title=name, artifacts=entries, gallery=(photo,))


def test_names_do_not_run(report_data: ReportData, tmp_path: Path) -> None:
    page = write_report(hostile(report_data), tmp_path).html
    document, console = browse(page, tmp_path / "profile", "--dump-dom")
    assert console == []
    assert document.count('class="plot js-plotly-plot"') == 3


def opened(page: Path) -> str:
    """The page with all that is folded open from the start."""
    return page.read_text(encoding="utf-8").replace("<details class", "<details open class")


@pytest.fixture
def crowded(
    make_entry: Callable[..., ArtifactEntry],
    make_measurement: Callable[..., Measurement],
    make_failed: Callable[..., Measurement],
    make_photo: Callable[..., GalleryPhoto],
) -> ReportData:
    """20 artifacts with long names (one without a place to break), on a computer and a phone."""
    models = ["x" * 90, *(f"a_rather_long_name_of_network_number_{n}" for n in range(4))]
    entries = [
        make_entry(name, recipe, model=model)
        for model in models
        for name in ("onnx", "tflite")
        for recipe in ("fp32", "w8a8")
    ]
    phone = DeviceInfo("Pixel 7a", "phone", "Google Tensor G2 " * 4, 8, 7600, "Android 15")
    measurements = (
        *(make_measurement(entry, 5.0 + 3 * index) for index, entry in enumerate(entries[1:])),
        make_failed(entries[0], device=phone, provenance="phone"),
        *(make_measurement(entry, 30.0, device=phone, provenance="phone") for entry in entries[1:]),
    )
    sources = ("pytorch", *(entry.name for entry in entries))
    photos = tuple(make_photo(n, sources, differs_in=entries[n].name) for n in range(4))
    return ReportData("crowded", tuple(entries), measurements, photos)


@pytest.fixture
def lab() -> ReportData:
    """Three phones, two simulated ones, a computer and a GPU; everything that opens is open."""
    return fleet()


@pytest.mark.parametrize("width_px", [360, 1200])
@pytest.mark.parametrize("name", ["report_data", "crowded", "lab"])
def test_nothing_is_wider_than_the_window(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, width_px: int
) -> None:
    """In a frame, because a headless window is never narrower than 500 pixels."""
    page = write_report(request.getfixturevalue(name), tmp_path).html
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<!DOCTYPE html><iframe style="width:{width_px}px;height:2000px" '
        f'srcdoc="{html.escape(opened(page))}"></iframe><script>'
        'onload = () => { const e = document.querySelector("iframe"), d = e.contentDocument;'
        'document.body.dataset.width = d.documentElement.scrollWidth + " of " + '
        "e.clientWidth; e.remove(); }</script>",
        encoding="utf-8",
    )
    document, _ = browse(frame, tmp_path / "profile", "--window-size=1700,2100", "--dump-dom")
    found = re.search(r'data-width="(\d+) of (\d+)"', document)
    assert found is not None
    assert found[1] == found[2] == str(width_px)


def test_tables_do_not_scroll_sideways(
    report_data: ReportData, make_doubtful: Callable[..., Measurement], tmp_path: Path
) -> None:
    """In 1200 pixels less a scroll bar, with every kind of row that makes a table wide."""
    latency = {"pixel4_cpu_4_threads_int8": 6.5, "pixel4_gpu_fp16": 6.0}
    source = "github.com/tensorflow/tpu models/official/efficientnet/lite README"
    published = {"efficientnet_lite0": {"macs": 407e6, "latency_ms": latency, "source": source}}
    measurements = (report_data.measurements[0], *map(make_doubtful, report_data.artifacts[1:]))
    data = dataclasses.replace(report_data, measurements=measurements, published=published)
    page = write_report(data, tmp_path).html
    text = page.read_text(encoding="utf-8")
    check = (
        "<script>onload = () => { const all = [...document.querySelectorAll('.scroll')]"
        ".filter(e => !e.closest('details')); document.body.dataset.widths = "
        "all.map(e => e.scrollWidth + ' of ' + e.clientWidth).join(); }</script></body>"
    )
    page.write_text(text.replace("</body>", check), encoding="utf-8")
    document, _ = browse(page, tmp_path / "profile", "--window-size=1185,2000", "--dump-dom")
    found = re.search(r'data-widths="([^"]+)"', document)
    assert found is not None
    widths = [pair.split(" of ") for pair in found[1].split(",")]
    assert len(widths) == 2  # the measurements, the published numbers
    assert all(needed == given for needed, given in widths)


@pytest.mark.parametrize("width_px", [390, 1280])
def test_tables_of_a_lab_do_not_scroll_sideways(
    lab: ReportData, tmp_path: Path, width_px: int
) -> None:
    """Neither those in sight nor those that open; conditions have most columns."""
    page = write_report(lab, tmp_path).html
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<!DOCTYPE html><iframe style="width:{width_px}px;height:2000px" '
        f'srcdoc="{html.escape(opened(page))}"></iframe><script>onload = () => {{ '
        'const d = document.querySelector("iframe").contentDocument; '
        'const all = [...d.querySelectorAll(".scroll:has(table.main)")]; '
        "const wide = all.filter(e => e.scrollWidth > e.clientWidth); "
        "document.body.dataset.found = all.length + ' ' + wide.length + ' ' + "
        "wide.map(e => e.getAttribute('aria-label')).join('; '); "
        'document.querySelector("iframe").remove(); }</script>',
        encoding="utf-8",
    )
    document, _ = browse(frame, tmp_path / "profile", "--window-size=1700,2100", "--dump-dom")
    found = re.search(r'data-found="(\d+) (\d+) ([^"]*)"', document)
    assert found is not None
    assert int(found[1]) > 25
    assert (found[2], found[3]) == ("0", "")


@pytest.mark.parametrize(("options", "is_dark"), [((), False), ((DARK,), True)])
def test_plots_follow_the_colour_scheme(
    report_data: ReportData, tmp_path: Path, options: tuple[str, ...], is_dark: bool
) -> None:
    page = write_report(report_data, tmp_path).html
    document, _ = browse(page, tmp_path / "profile", "--dump-dom", *options)
    ink = {False: "rgb(28, 36, 41)", True: "rgb(228, 233, 236)"}  # --ink of the two schemes
    labels = re.findall(r'class="annotation-text"[^>]*fill: (rgb\([\d, ]+\))', document)
    assert set(labels) == {ink[is_dark]}


def test_page_is_not_blank_where_the_plot_is(report_data: ReportData, tmp_path: Path) -> None:
    """Counts the pixels of the two series' colours in a screenshot."""
    from PIL import Image

    page = write_report(report_data, tmp_path).html
    shot = tmp_path / "shot.png"
    browse(page, tmp_path / "profile", f"--screenshot={shot}", "--window-size=1200,1800")
    picture = Image.open(io.BytesIO(shot.read_bytes())).convert("RGB")
    colours = {colour: n for n, colour in picture.getcolors(1 << 24) or []}
    assert colours.get((0x1F, 0x6F, 0xC0), 0) > 100  # --series-1: TFLite
    assert colours.get((0xB4, 0x5F, 0x06), 0) > 100  # --series-2: ONNX


def test_folded_plots_are_drawn_when_they_open(lab: ReportData, tmp_path: Path) -> None:
    page = write_report(lab, tmp_path).html
    closed, console = browse(page, tmp_path / "profile", "--dump-dom")
    assert console == []
    shown = closed.count('class="plot js-plotly-plot"')
    assert shown == 6 + 1 + 4  # accuracy on phones, the computer, simulated phones
    text = page.read_text(encoding="utf-8").replace(
        "</body>",
        "<script>onload = () => document.querySelectorAll('details')"
        ".forEach(one => { one.open = true; })</script></body>",
    )
    page.write_text(text, encoding="utf-8")
    document, console = browse(page, tmp_path / "profile", "--dump-dom")
    assert console == []
    drawn = document.count('class="plot js-plotly-plot"')
    assert drawn == document.count(' data-figure="') > shown


def test_a_mark_leads_into_what_is_folded(lab: ReportData, tmp_path: Path) -> None:
    page = write_report(lab, tmp_path).html
    text = page.read_text(encoding="utf-8")
    check = (
        "<script>onload = () => { location.hash = 'm100'; setTimeout(() => {"
        "document.body.dataset.seen = document.getElementById('m100').checkVisibility() + ' ' + "
        "document.querySelector('#m100 dl').checkVisibility(); }, 500); }</script></body>"
    )
    page.write_text(text.replace("</body>", check), encoding="utf-8")
    document, _ = browse(page, tmp_path / "profile", "--dump-dom")
    assert 'data-seen="true true"' in document


@pytest.mark.parametrize(("width_px", "is_narrow"), [(390, True), (1280, False)])
def test_names_in_the_accuracy_picture_fit_the_width(
    lab: ReportData, tmp_path: Path, width_px: int, is_narrow: bool
) -> None:
    """The script takes the names that were placed for a phone where the plot is that narrow."""
    text = write_report(lab, tmp_path).html.read_text(encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<!DOCTYPE html><iframe style="width:{width_px}px;height:2000px" '
        f'srcdoc="{html.escape(text)}"></iframe><script>onload = () => {{ '
        'const d = document.querySelector("iframe").contentDocument; '
        'const plot = d.querySelector("#accuracy-phone-1"); '
        "const names = plot.data[plot.data.length - 1]; "
        "const same = JSON.stringify(names.text) === JSON.stringify(names.meta.narrow.text) && "
        "JSON.stringify(names.textposition) === JSON.stringify(names.meta.narrow.textposition); "
        'const title = plot.querySelector(".xtitle").getBoundingClientRect(); '
        "const all = plot.getBoundingClientRect(); "
        "document.body.dataset.found = same + ' ' + "
        "(title.left >= all.left && title.right <= all.right); "
        'document.querySelector("iframe").remove(); }</script>',
        encoding="utf-8",
    )
    document, _ = browse(frame, tmp_path / "profile", "--window-size=1700,2100", "--dump-dom")
    found = re.search(r'data-found="(\w+) (\w+)"', document)
    assert found is not None
    assert (found[1], found[2]) == (str(is_narrow).lower(), "true")


def test_thumbnails_are_pictures(report_data: ReportData) -> None:
    from PIL import Image

    for photo in report_data.gallery:
        Image.open(io.BytesIO(base64.b64decode(photo.thumbnail))).verify()


@pytest.mark.parametrize("width_px", [360, 1200])
def test_the_picture_of_the_zoo(tmp_path: Path, width_px: int) -> None:
    """Drawn without a word in the console, no label outside of it, nothing wider than the window."""
    page = plot_models(tmp_path / "zoo.html")
    check = (
        "<script>addEventListener('load', () => setTimeout(() => {"
        "const box = document.querySelector('.plot').getBoundingClientRect();"
        "document.body.dataset.outside = [...document.querySelectorAll('.annotation-text')]"
        ".filter(e => { const b = e.getBoundingClientRect();"
        "return b.left < box.left || b.right > box.right || b.top < box.top; })"
        ".map(e => e.textContent).join();"
        "document.body.dataset.width = document.documentElement.scrollWidth;"
        "parent.postMessage(0, '*'); }, 500))</script></body>"
    )
    text = page.read_text(encoding="utf-8").replace("</body>", check)
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<!DOCTYPE html><iframe style="width:{width_px}px;height:2000px" '
        f'srcdoc="{html.escape(text)}"></iframe><script>'
        'onmessage = () => { const e = document.querySelector("iframe"), d = e.contentDocument;'
        "const found = d.body.dataset, place = document.body.dataset;"
        'place.found = found.width + " wide, outside: " + found.outside + "; "'
        '+ d.querySelectorAll(".annotation-text").length + " labels"; e.remove(); }</script>',
        encoding="utf-8",
    )
    document, console = browse(frame, tmp_path / "profile", "--window-size=1700,2100", "--dump-dom")
    assert console == []
    found = re.search(r'data-found="([^"]+)"', document)
    assert found is not None
    labels = len({info.family for info in list_models()}) + 3  # Lite, A2, A3
    assert found[1] == f"{width_px} wide, outside: ; {labels} labels"

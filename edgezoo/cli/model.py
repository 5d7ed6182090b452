"""What `edgezoo info` prints of one network: facts, published numbers beside counts, stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgezoo.cli.tables import empty_table, millions, shape
from edgezoo.report import numbers
from edgezoo.report.published import spell
from edgezoo.types import LayerCount, ModelInfo, Preprocessing, Shape, WeightsSource

# What a published row's own columns, or the lines under the table, show.
COLUMNS = {
    *("top1", "top5", "params", "macs", "latency_ms", "input"),
    *("source", "training", "note", "others"),
}


def model(info: ModelInfo) -> RenderableType:
    """Return what is known of one network."""
    parts: list[RenderableType] = [_facts_table(info)]
    if info.published:
        parts += ["", *_published(info)]
    if info.stages:
        parts += ["", _counts("stage", info.stages)]
    if info.layers:
        parts += ["", _counts("layer", info.layers)]
    return Group(*parts)


def _facts_table(info: ModelInfo) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in _facts(info):
        table.add_row(name, Text(value))
    return table


def _facts(info: ModelInfo) -> Iterator[tuple[str, str]]:
    yield "name", info.name
    yield "family", info.family
    if info.input is None:
        return
    yield "input", shape(info.input)
    yield "parameters", numbers.count(info.params)
    yield "MACs", numbers.count(info.macs)
    if info.family != "user":
        yield "options", _plain(info.options)
        for label, source in zip(
            ("weights", *[""] * len(info.sources)), info.sources, strict=False
        ):
            yield label, _weights(source)
        if not info.sources:
            yield "weights", "none known: give --weights FILE"
    prepared = info.preprocessing
    if prepared is not None and len(info.input) == 4:
        framing, pixels = _framing(prepared, info.input), _normalisation(prepared, info.input)
        yield "photos", f"{framing}, {pixels}, {prepared.interpolation}"


def _weights(source: WeightsSource) -> str:
    accuracy = "" if source.top1 is None else f", top-1 {source.top1} %"
    return f"{source.name} ({source.source}, {source.license}{accuracy})"


# ---------------------------------------------------------------------- published numbers


def _published(info: ModelInfo) -> Iterator[RenderableType]:
    """Give one numbered row per source, then what each source is and says besides, then the note.

    Sources stand below because their names would leave no room for numbers on a narrow terminal.
    """
    rows = [info.published, *info.published.get("others", ())]
    table = empty_table(
        "", "input", "top-1", "top-5", "parameters", "counted", "MACs", "counted", "off"
    )  # fmt: skip
    sources = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    sources.add_column()
    sources.add_column(overflow="fold", style="dim")
    for number, row in enumerate(rows, start=1):
        side = row.get("input", None if info.input is None else info.input[-1])
        params = info.params if "params" in row else None
        macs = _counted_macs(info, row) if "macs" in row else None
        table.add_row(
            str(number),
            numbers.ABSENT if side is None else str(side),
            _percent(row.get("top1")),
            _percent(row.get("top5")),
            millions(row.get("params")),
            millions(params),
            millions(row.get("macs")),
            millions(macs),
            _off(row["macs"], macs) if macs else numbers.ABSENT,
        )
        own_note = row.get("note") if number > 1 else None
        parts = (_origin(row), *_more(row), own_note)
        sources.add_row(str(number), Text("; ".join(filter(None, parts))))
    yield Text("published", "bold")
    yield table
    yield sources
    if "note" in info.published:
        yield Text(info.published["note"])


def _origin(row: Mapping[str, Any]) -> str:
    return ", ".join(filter(None, (row.get("source"), row.get("training"))))


def _counted_macs(info: ModelInfo, row: Mapping[str, Any]) -> int | None:
    return info.macs_at.get(row["input"]) if "input" in row else info.macs


def _off(published: float, counted: int) -> str:
    share = round(100 * (published - counted) / counted, 1)
    return f"{share:+.1f} %" if share else "0.0 %"


def _percent(value: float | None) -> str:
    return numbers.ABSENT if value is None else f"{value:g} %"


def _more(row: Mapping[str, Any]) -> list[str]:
    """Return what else was published: latencies, and whatever a family's table adds."""
    found = [f"{spell(name)} {value:g} ms" for name, value in row.get("latency_ms", {}).items()]
    for key, value in row.items():
        if key in COLUMNS:
            continue
        words = spell(key)
        rows = value.items() if isinstance(value, Mapping) else (("", value),)
        unit = " ms" if key.endswith("_ms") else " %"
        found += [
            f"{words} {spell(name)} {number:g}{unit}".replace("  ", " ") for name, number in rows
        ]
    return found


# --------------------------------------------------------------------------------- counts


def _counts(what: str, rows: Sequence[LayerCount]) -> RenderableType:
    """Return one row per stage or layer with its share, and the sum, which is the network."""
    params, macs = sum(row.params for row in rows), sum(row.macs for row in rows)
    kind = ("kind",) if what == "layer" else ()
    table = empty_table(what, *kind, "output", "parameters", "", "MACs", "", left=kind)
    for row in (*rows, LayerCount("all", "", rows[-1].output, params, macs)):
        table.add_row(
            Text(row.name, "bold" if row.name == "all" else ""),
            *([row.kind] if kind else []),
            shape(row.output),
            numbers.count(row.params),
            _share(row.params, params),
            numbers.count(row.macs),
            _share(row.macs, macs),
        )
    return table


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if part and whole else ""


# --------------------------------------------------------------------------------- photos


def _framing(prepared: Preprocessing, shape: Shape) -> str:
    height, width = shape[2:]
    if prepared.squash:
        margin = prepared.resize / prepared.size
        sides = f"{round(margin * width)}x{round(margin * height)}"
        return f"squashed to {sides}, centre {width}x{height}"
    if height == width:
        return f"shorter side to {prepared.resize}, centre {width}x{height}"
    return f"centre {width}x{height}, {prepared.size / prepared.resize:.3g} of the side that limits"


def _normalisation(prepared: Preprocessing, shape: Shape) -> str:
    if shape[1] == 1:
        mean, std = sum(prepared.mean) / 3, sum(prepared.std) / 3
        return f"grey, minus {_plain(mean)}, over {_plain(std)}"
    order = prepared.channel_order.upper()
    return f"{order}, minus {_plain(prepared.mean)}, over {_plain(prepared.std)}"


def _plain(value: Any) -> str:  # Any: options are of many types
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_plain(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return "/".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)

"""What was published about a model, next to our own counts.

Papers publish all kinds of values, so this reads every spelling and prints one row per number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgezoo.report.data import ReportData
from edgezoo.report.markup import Html, breakable, element, fragment, headings
from edgezoo.report.numbers import ABSENT, count

# Words of the keys as people write them; applied in this order.
SPELLINGS = (
    (r"\bparams\b", "parameters"),
    (r"\b(cpu|gpu|npu|dsp)\b", lambda found: found[1].upper()),
    (r"\bmacs\b", "MACs"),
    (r"\bxeon e5 (\d+)", r"Xeon E5-\1"),
    (r"\bedge tpu\b", "Edge TPU"),
    (r"\btop(\d)\b", r"top-\1"),
    (r"\b(pixel|snapdragon) ?(\d)", lambda found: f"{found[1].capitalize()} {found[2]}"),
    (r"(?<=[^,]) (\d+ threads?|1 core|big core|little core)\b", r", \1"),
    (r"\b(threads?) (?=\w)", r"\1, "),
)
UNITS = {"ms": "ms", "mib": "MiB", "mb": "MB"}  # by the last word of a key
# Further sources and trainings, which `edgezoo info` tells; a report is about the files.
OTHERS = ("others", "training")
PERCENTAGES = ("top1", "top5")  # by the first word of a key


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One published number: ``counted`` is ours, ``deviation`` (ours - published) / published."""

    name: str
    published: str
    counted: str
    deviation: str
    source: str


@dataclass(frozen=True, slots=True)
class PublishedNumber:
    """``keys`` lead to it: ``("latency_ms", "pixel4_gpu")``."""

    keys: tuple[str, ...]
    value: Any  # Any: papers publish all kinds
    unit: str
    source: Any

    @property
    def text(self) -> str:
        """The value with its unit."""
        text = _text(self.value)
        is_number = isinstance(self.value, (int, float))
        return f"{text} {self.unit}" if is_number and self.unit else text

    @property
    def source_text(self) -> str:
        """Where it was published."""
        return _text(self.source)


def published_rows(data: ReportData, model: str) -> tuple[PublishedRow, ...]:
    """What was published about ``model``, with our own counts where we have them.

    A value is a plain number, ``{"value": …, "source": …}``, ``[value, source]`` or a mapping of
    such (one row each); a key ``source`` or ``<name>_source`` beside the values is their source.
    """
    numbers = published_numbers(data, model)
    return tuple(_row(number, _counted(data, model, number.keys)) for number in numbers)


def published_numbers(data: ReportData, model: str) -> tuple[PublishedNumber, ...]:
    """All that was published about ``model``, one by one."""
    published = data.published.get(model, {})
    first_source = {key: value for key, value in published.items() if key not in OTHERS}
    return tuple(_numbers(first_source, (), ""))


def _numbers(
    published: Mapping[str, Any], keys: tuple[str, ...], above: Any
) -> Iterator[PublishedNumber]:
    beside = published.get("source", above)
    for name, raw in published.items():
        if name == "source" or (name.endswith("_source") and name[:-7] in published):
            continue
        path, source = (*keys, name), published.get(f"{name}_source", beside)
        if isinstance(raw, Mapping) and "value" not in raw:
            yield from _numbers(raw, path, source)
        elif isinstance(raw, Mapping):
            unit = str(raw.get("unit") or _unit(path))
            yield PublishedNumber(path, raw["value"], unit, raw.get("source", source))
        elif isinstance(raw, (list, tuple)) and len(raw) == 2 and isinstance(raw[1], str):
            yield PublishedNumber(path, raw[0], _unit(path), raw[1])
        else:
            yield PublishedNumber(path, raw, _unit(path), source)


def _unit(keys: tuple[str, ...]) -> str:
    if keys[0].split("_")[0] in PERCENTAGES:
        return "%"
    return next((UNITS[last] for key in keys if (last := key.split("_")[-1]) in UNITS), "")


def _row(number: PublishedNumber, counted: int | None) -> PublishedRow:
    return PublishedRow(
        name=spell_keys(number.keys),
        published=number.text,
        counted=count(counted),
        deviation=_deviation(counted, number.value),
        source=number.source_text,
    )


def spell_keys(keys: tuple[str, ...]) -> str:
    """``("latency_ms", "pixel4_gpu")`` as "latency, Pixel 4 GPU"."""
    return ", ".join(filter(None, map(spell, keys)))


def spell(key: str) -> str:
    """Return ``pixel4_cpu_4_threads`` as "Pixel 4 CPU, 4 threads"; a unit goes with the number."""
    *words, last = key.split("_")
    text = " ".join(words if words and last in UNITS else (*words, last))
    for pattern, spelling in SPELLINGS:
        text = re.sub(pattern, spelling, text)
    return text


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float) and value.is_integer() and abs(value) >= 1000:
        return f"{int(value):,}"
    return ABSENT if value is None or value == "" else str(value)


def _counted(data: ReportData, model: str, keys: tuple[str, ...]) -> int | None:
    """Our count of params or macs, on the first (float) artifact of the model."""
    for entry in data.artifacts:
        if entry.artifact.model == model and keys in (("params",), ("macs",)):
            return entry.params if keys == ("params",) else entry.macs
    return None


def _deviation(counted: int | None, published: Any) -> str:
    if counted is None or not isinstance(published, (int, float)) or not published:
        return ABSENT
    text = f"{100 * (counted - published) / published:+.1f} %"
    return "0 %" if text in ("+0.0 %", "-0.0 %") else text.replace("-", "−")


# ------------------------------------------------------------------------------- HTML


def published_table(data: ReportData, model: str) -> Html:
    """The rows of ``model`` as a table, or nothing where nothing was published."""
    rows = published_rows(data, model)
    if not rows:
        return fragment()
    numeric = ("Published", "Counted here", "Deviation")
    body = (
        element(
            "tr",
            element("th", row.name, scope="row"),
            *(
                element("td", text, class_="number", data_label=label)
                for label, text in zip(
                    numeric, (row.published, row.counted, row.deviation), strict=True
                )
            ),
            element("td", breakable(row.source), data_label="Source", class_="source"),
        )
        for row in rows
    )
    table = element(
        "table",
        element("caption", f"{model}: counted and published"),
        headings(("", *numeric, "Source of the published number"), numeric),
        element("tbody", *body),
        class_="plain published",
    )
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=model)

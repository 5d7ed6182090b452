"""The section about quantization: which range rule was taken, and how the others did."""

from __future__ import annotations

from collections.abc import Sequence

from edgezoo.report.blocks import Section, figure_of, titled_section
from edgezoo.report.data import QuantizationFacts, ReportData
from edgezoo.report.markup import Html, element, fragment
from edgezoo.report.plots import range_rule_plot
from edgezoo.report.words import label_artifacts


def quantization_section(data: ReportData) -> Section | None:
    """Which range rule was taken, and how the others did on the selection photos."""
    labels = label_artifacts(data.artifacts)
    shared: list[tuple[QuantizationFacts, list[str]]] = []
    for entry in data.artifacts:
        facts = entry.quantization
        if facts is None:
            continue
        known = next((names for other, names in shared if other == facts), None)
        if known is None:
            shared.append((facts, [labels[entry.name]]))
        else:
            known.append(labels[entry.name])
    if not shared:
        return None
    parts = [_quantized(facts, names, index) for index, (facts, names) in enumerate(shared, 1)]
    return titled_section("quantization", "Quantization", fragment(*parts))


def _quantized(facts: QuantizationFacts, names: Sequence[str], number: int) -> Html:
    sentences = []
    if facts.rule:
        sentences.append(f"Activation ranges by the rule {facts.rule}.")
    if facts.calibration_photos is not None:
        sentences.append(f"Calibrated on {facts.calibration_photos} photos.")
    if facts.selection_photos is not None:
        sentences.append(f"The rule was chosen on {facts.selection_photos} others.")
    if facts.evaluation_photos is not None:
        sentences.append(f"{facts.evaluation_photos} more were kept for the comparison.")
    repairs = ", ".join(facts.repairs).replace("_", " ")
    sentences.append(f"Repairs: {repairs or 'none'}.")
    caption = "SQNR on the selection photos, by range rule."
    return fragment(
        element("h3", ", ".join(names)),
        element("p", " ".join(sentences)),
        figure_of(range_rule_plot(facts), f"rules-{number}", caption),
    )

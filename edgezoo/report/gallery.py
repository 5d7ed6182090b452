"""The photos and what every artifact sees in them; what differs from PyTorch stands out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgezoo.report.data import ReportData
from edgezoo.report.markup import Html, breakable, element, fragment
from edgezoo.report.numbers import percent
from edgezoo.report.words import label_artifacts
from edgezoo.types import GalleryPhoto, Prediction

REFERENCE = "pytorch"
SHOWN = 3


def gallery_section(data: ReportData) -> Html | None:
    """The gallery, or nothing where there are no photos."""
    if not data.gallery:
        return None
    sources = _sources(data)
    cards = [_card(photo, sources) for photo in sorted(data.gallery, key=_telling_first)]
    return element(
        "section",
        element("h2", "Photos", id="photos"),
        element(
            "p",
            "The three likeliest classes with their probabilities. A row is marked where the first "
            "class differs from PyTorch's; photos with such a row come first, then those that are "
            "recognized most surely.",
        ),
        _agreement_list(data.gallery, sources),
        _filters(data.gallery),
        element("div", *cards, class_="photos"),
        class_="gallery",
    )


def _sources(data: ReportData) -> dict[str, str]:
    """Key in ``predictions`` to label: PyTorch, the artifacts in order, then any other."""
    labels = {REFERENCE: "PyTorch", **label_artifacts(data.artifacts)}
    seen = {name for photo in data.gallery for name in photo.predictions}
    others = {name: name for name in sorted(seen - set(labels))}
    return {name: label for name, label in (labels | others).items() if name in seen}


def _first(photo: GalleryPhoto, source: str) -> str | None:
    predictions = photo.predictions.get(source, ())
    return predictions[0].label if predictions else None


def differs(photo: GalleryPhoto, source: str) -> bool:
    """Whether ``source`` has another first class than PyTorch; never without both."""
    mine, reference = _first(photo, source), _first(photo, REFERENCE)
    return mine is not None and reference is not None and mine != reference


def _differs_at_all(photo: GalleryPhoto) -> bool:
    return any(differs(photo, source) for source in photo.predictions)


def _telling_first(photo: GalleryPhoto) -> tuple[bool, float, str]:
    """Sorts photos with a disagreement first, then by falling confidence (PyTorch's, if known)."""
    known = photo.predictions.get(REFERENCE) or ()
    best = known or [p for guesses in photo.predictions.values() for p in guesses]
    confidence = max((prediction.probability for prediction in best), default=0.0)
    return not _differs_at_all(photo), -confidence, photo.name


def agreement(photos: Sequence[GalleryPhoto], source: str) -> tuple[int, int]:
    """On how many photos not used for calibration ``source`` has PyTorch's first class, and of how many."""
    judged = [
        photo
        for photo in photos
        if not photo.calibrated and _first(photo, source) and _first(photo, REFERENCE)
    ]
    return sum(not differs(photo, source) for photo in judged), len(judged)


def _agreement_list(photos: Sequence[GalleryPhoto], sources: Mapping[str, str]) -> Html:
    """A sentence per artifact; photos used for calibration would flatter it and do not count."""
    sentences = []
    for source, label in sources.items():
        same, judged = agreement(photos, source)
        if source != REFERENCE and judged:
            words = (
                f" picks PyTorch's first class on {same} of the {judged} photos here that were "
                "not used for calibration."
            )
            sentences.append(element("li", element("strong", breakable(label)), words))
    return element("ul", *sentences, class_="agreement") if sentences else fragment()


def _filters(photos: Sequence[GalleryPhoto]) -> Html:
    different = sum(map(_differs_at_all, photos))
    held_out = sum(not photo.calibrated for photo in photos)
    return element(
        "div",
        _checkbox("only-different", f"Only photos with a difference ({different})"),
        _checkbox("only-held-out", f"Only photos not used for calibration ({held_out})"),
        class_="filters",
    )


def _checkbox(identifier: str, text: str) -> Html:
    box = element("input", type="checkbox", id=identifier)
    return element("label", box, " " + text, for_=identifier)


def _card(photo: GalleryPhoto, sources: Mapping[str, str]) -> Html:
    shown = [source for source in sources if source in photo.predictions]
    same = "" if _differs_at_all(photo) else " same"
    badge = element("span", "used for calibration", class_="badge") if photo.calibrated else ""
    return element(
        "article",
        element(
            "div",
            element(
                "img",
                src=f"data:image/jpeg;base64,{photo.thumbnail}",
                alt=f"Photo {photo.name}",
                decoding="async",
            ),
            element("h3", breakable(photo.name)),
            badge,
            class_="photo-head",
        ),
        element(
            "table",
            element("caption", f"Predictions for {photo.name}", class_="hidden"),
            element(
                "thead",
                element(
                    "tr",
                    element("th", "Source", scope="col"),
                    element("th", "Likeliest classes", scope="col"),
                ),
                class_="hidden",
            ),
            element("tbody", *(_guesses(photo, source, sources[source]) for source in shown)),
            class_="guesses",
        ),
        class_=f"photo{same}{' calibrated' if photo.calibrated else ''}",
    )


def _guesses(photo: GalleryPhoto, source: str, label: str) -> Html:
    predictions = photo.predictions[source][:SHOWN]
    different = differs(photo, source)
    mark = element("span", "differs", class_="tag") if different else ""
    return element(
        "tr",
        element("th", breakable(label), mark, scope="row"),
        element("td", *(_guess(p, index) for index, p in enumerate(predictions))),
        class_="differs" if different else None,
    )


def _guess(prediction: Prediction, index: int) -> Html:
    probability = element("span", percent(prediction.probability), class_="probability")
    kind = "first" if index == 0 else "other"
    return element("div", element("span", prediction.label), probability, class_=kind)

"""Logs of TFLite's benchmark_model: of the Android binary, of logcat, of the iOS benchmark app.

The iOS app prints what the binary prints; lines of the runtime carry NSLog's date and process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from edgezoo.devices.failures import Failure
from edgezoo.devices.imports.found import Found
from edgezoo.devices.runners.benchmark_flags import Backend, RunRequest
from edgezoo.devices.runners.benchmark_judge import Ended, judge
from edgezoo.devices.runners.benchmark_log import parse_log
from edgezoo.devices.runners.results import aggregated

# How the tool echoes the accelerator that was asked for.
_ASKED: Mapping[str, Backend] = {"use gpu": "gpu", "use nnapi": "nnapi", "use hexagon": "hexagon"}
_NSLOG = re.compile(
    rb"^\d{4}-\d\d-\d\d [\d:.]{8,16}[+-]\d{4} [^\[\n]{1,60}\[\d{1,7}:\d{1,9}\] ", re.M
)
_THREADS_NOTE = "Its log does not tell the number of threads, 1 stands for the tool's own choice."
_IOS_NOTE = "It is a log of the iOS benchmark app, whose import is untested with devices of today."


def read_benchmark_log(content: bytes) -> Found | Failure:
    """Return the timed phase of a log, or why it gives no number; never raises.

    A log without the median (of tools before 2023) is refused: its mean is no median. The exit
    code is not known, so that the log alone has to prove that the run ended well. A run may have
    fewer timed runs than it names: the tool ends it after ``max_secs``.
    """
    is_ios = _NSLOG.search(content) is not None
    text = _NSLOG.sub(b"", content)
    log = parse_log(text)
    settings = {name.lower().strip(): value for name, value in log.settings.items()}
    threads = _positive(settings.get("num threads"))
    request = RunRequest(
        settings.get("graph", ""),
        threads=threads or 1,
        runs=1,
        backend=next((b for name, b in _ASKED.items() if settings.get(name) == "1"), "cpu"),
    )
    gave_up = any(error.startswith("Benchmarking failed") for error in log.errors)
    ended = Ended(1 if gave_up else 0, text)
    judgement = judge(ended, request, imported=True)
    if judgement.numbers is None:
        return judgement.failure or Failure("incomplete_log", "its log holds no numbers")
    if judgement.numbers.timed.median_us is None:
        return Failure("invalid_numbers", "its log has a mean but no median")
    return Found(
        process=aggregated(judgement.numbers, ended, started_at=0.0),
        runner="benchmark_model",
        format="tflite",
        delegate=judgement.numbers.delegate,
        graph=request.graph,
        threads=request.threads,
        warmup=judgement.numbers.warmup.count if judgement.numbers.warmup else 0,
        notes=(*(() if threads else (_THREADS_NOTE,)), *((_IOS_NOTE,) if is_ios else ())),
    )


def _positive(text: str | None) -> int | None:
    """Return a setting; ``None`` for -1, with which the tool says that it was left to itself."""
    return int(text) if text and re.fullmatch(r"0*[1-9]\d{0,8}", text) else None

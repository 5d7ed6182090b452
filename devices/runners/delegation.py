"""Which accelerator really ran a model, from what the runner and its runtime said.

Being asked for is no evidence: TFLite tools fall back to the CPU with exit code 0. An accelerator
counts as used only where a statement says how much it took; anything else is a fallback.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgezoo.devices.failures import Failure
from edgezoo.devices.runners.benchmark_flags import Backend, RunRequest
from edgezoo.devices.runners.benchmark_log import BenchmarkLog, Replacement

# Parts of the names that delegates have in the tool's and in the runtime's sentences.
_NAMES: Mapping[str, Backend] = {
    "xnnpack": "xnnpack",
    "gpu": "gpu",
    "nnapi": "nnapi",
    "hexagon": "hexagon",
}


def accelerator_named(delegate: str) -> str:
    """Return ours for a delegate's name ("TfLiteGpuDelegateV2": gpu); unknown ones as they are."""
    lowered = delegate.lower()
    return next((ours for part, ours in _NAMES.items() if part in lowered), delegate)


def delegation(log: BenchmarkLog, request: RunRequest) -> Mapping[str, Any]:
    """Return what was asked for and what took how much, as ``Measurement.delegate`` holds it.

    ``used`` is the accelerator asked for if it took anything, else what ran instead (``unknown``
    where the runtime's own lines are missing). Counts are sums over subgraphs, ``None`` where
    only "partially" was said.
    """
    used = _used(log, request.backend)
    taken = [r for r in log.replacements if accelerator_named(r.delegate) == used and r.nodes]
    said = [a for a in log.applications if accelerator_named(a.delegate) == used]
    partitions = [r.partitions for r in taken if r.partitions is not None]
    return {
        "requested": request.backend,
        "used": used,
        "delegated_ops": sum(r.nodes for r in taken) if taken else None,
        "total_ops": sum(r.total for r in taken) if taken else None,
        "partitions": sum(partitions) if partitions else None,
        "extent": said[-1].extent if said else None,
        "also": sorted({name for name in _active(log) if name != used}),
    }


def fallback(log: BenchmarkLog, request: RunRequest) -> Failure | None:
    """Return why the number is not the accelerator's that was asked for, or ``None``."""
    facts, asked = delegation(log, request), request.backend
    used = facts["used"]
    if asked == "cpu":
        others = sorted(_active(log) - {"xnnpack"})
        if not others:
            return None
        return Failure("delegate_fallback", f"the CPU was asked for, but {others[0]} took part")
    if asked == "builtin":
        if not _active(log):
            return None
        return Failure("flag_refused", f"the built-in kernels were asked for, but it used {used}")
    if used != asked:
        reason = f" ({log.refusals[0].rstrip('.')})" if log.refusals else ""
        return Failure("delegate_fallback", f"{asked} was asked for, but it ran on {used}{reason}")
    nodes, total = facts["delegated_ops"], facts["total_ops"]
    partly = facts["extent"] == "partially" or (nodes is not None and nodes < total)
    if request.whole and partly:
        share = "a part" if nodes is None else f"{nodes} of {total} nodes"
        return Failure("delegate_fallback", f"{asked} took only {share}, the CPU ran the rest")
    return None


def _used(log: BenchmarkLog, asked: Backend) -> str:
    active = _active(log)
    if asked in active:
        return asked
    others = sorted(active - {"xnnpack"})
    if others or active:
        return (*others, *active)[0]
    return "builtin" if log.runtime_spoke else "unknown"


def _active(log: BenchmarkLog) -> set[str]:
    """Return every accelerator that took at least one node."""
    denied = {accelerator_named(a.delegate) for a in log.applications if a.extent == "not"}
    taken = {accelerator_named(r.delegate) for r in log.replacements if _took(r)}
    said = {accelerator_named(a.delegate) for a in log.applications if a.extent != "not"}
    return (taken | said) - denied


def _took(replacement: Replacement) -> bool:
    return replacement.nodes > 0

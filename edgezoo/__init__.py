"""edgezoo: image networks from PyTorch to phones, with numbers that can be believed.

The Python API has the verbs of the command line; start with ``edgezoo.convert``.
"""

import os
from typing import TYPE_CHECKING

from edgezoo.pipeline import (
    bench,
    bench_reference,
    compare_stores,
    convert,
    default_plan,
    get_model,
    import_results,
    info,
    list_models,
    load_weights,
    plot_models,
    quantize,
    run,
    verify,
)
from edgezoo.pipeline import report as write_report  # ``edgezoo.report`` is the package
from edgezoo.plan import Plan, Sweep

if TYPE_CHECKING:
    from edgezoo.models.efficientnet import efficientnet

__version__ = "0.1.0"

# From 1.29 on ONNX Runtime reports its use to its makers: a thread, a connection and files beside every
# measurement. It looks here once, when it is loaded; who wants it sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "Plan",
    "Sweep",
    "bench",
    "bench_reference",
    "compare_stores",
    "convert",
    "default_plan",
    "efficientnet",
    "get_model",
    "import_results",
    "info",
    "list_models",
    "load_weights",
    "plot_models",
    "quantize",
    "run",
    "verify",
    "write_report",
]


def __getattr__(name: str) -> object:
    """Import torch only when a builder of networks is asked for."""
    if name == "efficientnet":
        from edgezoo.models.efficientnet import efficientnet

        return efficientnet
    raise AttributeError(f"module 'edgezoo' has no attribute {name!r}")

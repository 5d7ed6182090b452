"""edgezoo: image networks from PyTorch to phones, with numbers that can be believed.

The Python API has the verbs of the command line; start with ``edgezoo.convert``.
"""

from edgezoo.measurement import Plan
from edgezoo.pipeline import (
    bench,
    compare_stores,
    convert,
    get_model,
    info,
    list_models,
    load_weights,
    quantize,
    run,
    verify,
)
from edgezoo.pipeline import report as write_report  # ``edgezoo.report`` is the package

__version__ = "0.1.0"

__all__ = [
    "Plan",
    "bench",
    "compare_stores",
    "convert",
    "get_model",
    "info",
    "list_models",
    "load_weights",
    "quantize",
    "run",
    "verify",
    "write_report",
]

"""Errors that a user can cause; every one names the thing, the value and the next step.

::

    EdgezooError                 exit code 2 on the command line, one sentence, no traceback
    ├── ModelNotFoundError       no zoo model, factory or manifest under that name
    ├── WeightsError             no weights, or a file that cannot be read or downloaded
    │   └── WeightsMismatchError weights that do not fit the model, with every key that does not
    ├── CaptureError             torch.export cannot trace the module
    ├── UnsupportedOpError       operations that no writer knows, all of them at once
    ├── SamplesError             a folder of photos that is empty, corrupt or of the wrong shape
    ├── NonFiniteError           NaN or infinity where numbers were expected
    ├── VerificationError        an artifact whose outputs are too far from PyTorch's
    ├── ArtifactError            a model file or manifest that is missing, damaged or made from other inputs
    ├── OutputError              a path that cannot be written (permission, disk full)
    ├── BenchmarkError           a measurement that could not be taken
    └── UsageError               arguments that contradict each other; a missing optional package

Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations


class EdgezooError(Exception):
    """Base of all errors that a user can cause; ``str(error)`` is the one sentence to show.

    ``details`` are lines that the sentence leaves out because a terminal would not hold them.
    """

    details: tuple[str, ...] = ()


class ModelNotFoundError(EdgezooError):
    """MODEL names no zoo model, importable factory or artifact with a manifest."""


class WeightsError(EdgezooError):
    """Weights are missing, unreadable or do not fit the model."""


class WeightsMismatchError(WeightsError):
    """Weights do not fit the model and nothing was loaded; the attributes hold all that is wrong.

    ``missing`` and ``unexpected`` are keys, ``misshaped`` sentences such as "a.weight 2x3 instead of
    2x4". The message names the first ten of each.
    """

    def __init__(
        self,
        message: str,
        *,
        missing: tuple[str, ...],
        unexpected: tuple[str, ...],
        misshaped: tuple[str, ...],
    ) -> None:
        super().__init__(message)
        self.missing = missing
        self.unexpected = unexpected
        self.misshaped = misshaped
        self.details = (
            *(f"missing: {key}" for key in missing),
            *(f"unexpected: {key}" for key in unexpected),
            *(f"mis-shaped: {text}" for text in misshaped),
        )


class CaptureError(EdgezooError):
    """``torch.export`` could not trace the module."""


class UnsupportedOpError(EdgezooError):
    """The module uses operations that edgezoo cannot convert; the message lists all of them."""


class SamplesError(EdgezooError):
    """A folder of photos is missing, empty or holds unreadable pictures."""


class NonFiniteError(EdgezooError):
    """A value that must be finite holds NaN or infinity."""


class VerificationError(EdgezooError):
    """An artifact's outputs differ from PyTorch's by more than the recipe allows."""


class ArtifactError(EdgezooError):
    """A model file or manifest is missing, damaged, or was made from other inputs."""


class OutputError(EdgezooError):
    """An output path cannot be written."""


class BenchmarkError(EdgezooError):
    """A measurement could not be taken."""


class UsageError(EdgezooError):
    """Arguments contradict each other, or an optional package is missing."""

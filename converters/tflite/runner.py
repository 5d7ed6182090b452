"""Runs a TFLite model in LiteRT, with PyTorch's layouts outside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edgezoo.converters.tflite.layout import default_order
from edgezoo.errors import ArtifactError
from edgezoo.types import Inspection

Array = np.ndarray[Any, np.dtype[Any]]


class TfliteRunner:
    """A loaded model; ``run`` takes and gives float32 arrays in PyTorch's layout."""

    def __init__(self, model: Path | bytes | memoryview, *, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter

        source = (
            {"model_path": str(model)}
            if isinstance(model, Path)
            else {"model_content": bytes(model)}
        )
        try:
            with _quiet_stderr():
                self._interpreter = Interpreter(**source, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            name = model if isinstance(model, Path) else "the model"
            raise ArtifactError(
                f"LiteRT cannot load {name} ({str(error).splitlines()[0]}); convert it again"
            ) from error
        self.inputs = self._interpreter.get_input_details()
        self.outputs = self._interpreter.get_output_details()

    @property
    def batch(self) -> int:
        """Return how many pictures one invocation takes."""
        return int(self.inputs[0]["shape"][0])

    def run(self, inputs: Array) -> list[Array]:
        """Return the outputs for ``inputs`` (n, …), n a multiple of the model's batch."""
        results = [
            self._invoke(inputs[start : start + self.batch])
            for start in range(0, len(inputs), self.batch)
        ]
        return [np.concatenate(parts) for parts in zip(*results, strict=True)]

    def run_stored(self, inputs: Array) -> list[Array]:
        """Return the outputs of one invocation as the model stores them, on the real numbers."""
        self._feed(inputs[: self.batch])
        return [_real(self._tensor(detail), detail) for detail in self.outputs]

    def inspect(self) -> Inspection:
        """Return the model's own operators by name, and the number of XNNPACK partitions."""
        counts: dict[str, int] = {}
        partitions = 0
        for op in self._interpreter._get_ops_details():
            if op["op_name"] == "DELEGATE":
                partitions += 1
            else:
                counts[op["op_name"]] = counts.get(op["op_name"], 0) + 1
        return Inspection(counts, partitions)

    def _invoke(self, batch: Array) -> list[Array]:
        self._feed(batch)
        results = [_real(self._tensor(detail), detail) for detail in self.outputs]
        return [
            np.ascontiguousarray(array.transpose(np.argsort(default_order(array.ndim))))
            for array in results
        ]

    def _feed(self, batch: Array) -> None:
        stored = batch.transpose(default_order(batch.ndim))
        self._interpreter.set_tensor(self.inputs[0]["index"], _quantized(stored, self.inputs[0]))
        self._interpreter.invoke()

    def _tensor(self, detail: dict[str, Any]) -> Array:
        array: Array = self._interpreter.get_tensor(detail["index"])
        return array


def _quantized(array: Array, detail: dict[str, Any]) -> Array:
    """``clip(round(x / scale) + zero_point, -128, 127)`` for int8 inputs, ties to even."""
    if detail["dtype"] is not np.int8:
        return np.ascontiguousarray(array, detail["dtype"])
    scale, zero_point = detail["quantization"]
    steps = np.clip(np.round(array / scale) + zero_point, -128, 127)
    return np.asarray(steps, np.int8)


def _real(array: Array, detail: dict[str, Any]) -> Array:
    if detail["dtype"] is not np.int8:
        return array
    scale, zero_point = detail["quantization"]
    return np.asarray((array.astype(np.float32) - np.float32(zero_point)) * np.float32(scale))


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """LiteRT logs its delegates to file descriptor 2, past Python."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as sink:
            os.dup2(sink.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)

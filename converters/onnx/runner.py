"""Runs ONNX models in ONNX Runtime on the CPU."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgezoo.errors import ArtifactError
from edgezoo.types import Inspection, Shape

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

ERRORS_ONLY = 3
DATA_FOLDER = "session.model_external_initializers_file_folder_path"


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A loaded model with one float32 input of ``input_shape``."""

    session: InferenceSession = field(repr=False)
    source: bytes | Path = field(repr=False)
    input_name: str
    input_shape: Shape

    def run(self, inputs: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Return every output for ``inputs`` (n, c, h, w), joined along its first axis.

        The model sees as many inputs at a time as it was converted for; n is a multiple of that.
        """
        batch = self.input_shape[0] if self.input_shape else 1
        if len(inputs) == 0 or len(inputs) % batch:
            raise ValueError(f"{len(inputs)} inputs do not fill batches of {batch}")
        parts = [
            self.session.run(None, {self.input_name: np.ascontiguousarray(inputs[i : i + batch])})
            for i in range(0, len(inputs), batch)
        ]
        return [
            np.concatenate([np.atleast_1d(part) for part in outputs])
            for outputs in zip(*parts, strict=True)
        ]

    def inspect(self) -> Inspection:
        """Return the operators that the file holds (ONNX Runtime fuses them when it loads it)."""
        import onnx

        source = self.source
        model = (
            onnx.load(source, load_external_data=False)
            if isinstance(source, Path)
            else onnx.load_from_string(source)
        )
        return Inspection(Counter(node.op_type for node in model.graph.node))


def load_onnx(
    model: bytes | Path, *, threads: int = 1, data_folder: Path | None = None
) -> OnnxModel:
    """Load a model from its bytes or its file; bytes may have weights in files of ``data_folder``.

    Raises:
        ArtifactError: ONNX Runtime cannot read it.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    if data_folder is not None:
        options.add_session_config_entry(DATA_FOLDER, str(data_folder.resolve()))
    source = str(model) if isinstance(model, Path) else model
    unreadable = (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
    )
    try:
        session = onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])
    except unreadable as error:
        name = model if isinstance(model, Path) else f"the model of {len(model)} bytes"
        reason = str(error).strip().splitlines()[0]
        raise ArtifactError(
            f"ONNX Runtime cannot load {name} ({reason}); convert it again"
        ) from error
    (argument,) = session.get_inputs()
    return OnnxModel(session, model, argument.name, tuple(argument.shape))


def run_onnx(
    model: bytes | Path,
    inputs: NDArray[np.float32],
    *,
    threads: int = 1,
    data_folder: Path | None = None,
) -> list[NDArray[Any]]:
    """Load ``model`` and return its outputs for ``inputs`` (n, c, h, w); see ``OnnxModel.run``."""
    return load_onnx(model, threads=threads, data_folder=data_folder).run(inputs)

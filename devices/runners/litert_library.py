"""A compiled model of LiteRT's C interface with its profiler, by ctypes.

The same calls as ``native/litert.c`` makes. Handles are never destroyed: the process ends after
one profile.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgezoo.devices.failures import FailureClass
from edgezoo.devices.runners.inputs import random_inputs
from edgezoo.devices.runners.litert_profile import MOST_EVENTS, Event
from edgezoo.devices.runners.session import InputInfo, RunnerError

CPU, LOCK_WRITE = 1, 1
# Identifiers and TOML keys: litert/runtime/litert_{cpu,runtime}_options.cc.
CPU_OPTIONS, RUNTIME_OPTIONS = b"xnnpack", b"runtime_options_string"

# LiteRtElementType, which repeats tflite.TensorType of the schema.
DTYPES: Mapping[int, str] = {
    1: "float32",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float16",
    11: "float64",
    16: "uint32",
}

Handle = ctypes.c_void_p
Size = ctypes.c_size_t
Library = Any  # Any: ctypes finds functions by name


class _Layout(ctypes.Structure):
    _fields_ = (
        ("rank", ctypes.c_uint32, 7),
        ("has_strides", ctypes.c_uint32, 1),
        ("dimensions", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
    )


class _TensorType(ctypes.Structure):
    _fields_ = (("element_type", ctypes.c_int), ("layout", _Layout))


class _Event(ctypes.Structure):
    """``ProfiledEventData`` of litert_profiler_event.h."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("metadata", ctypes.c_uint64 * 2),
        ("source", ctypes.c_int),
    )


def open_profiled(
    library: Library, path: Path, threads: int, seed: int
) -> Callable[[], list[Event]]:
    """Load a file, fill its inputs, and return what runs one inference and gives its events.

    Raises ``RunnerError``, and so does the returned function.
    """
    environment, model, options, compiled = Handle(), Handle(), Handle(), Handle()
    _call(library, "CreateEnvironment", 0, None, ctypes.byref(environment))
    _call(library, "CreateModelFromFile", environment, str(path).encode(), ctypes.byref(model))
    _call(library, "CreateOptions", ctypes.byref(options))
    _call(library, "SetOptionsHardwareAccelerators", options, CPU)
    _add_option(library, options, CPU_OPTIONS, f"num_threads = {threads}\n")
    _add_option(library, options, RUNTIME_OPTIONS, "enable_profiling = true\n")
    _call(library, "CreateCompiledModel", environment, model, options, ctypes.byref(compiled))
    signature, graph, profiler = Handle(), Handle(), Handle()
    _call(library, "GetModelSignature", model, Size(0), ctypes.byref(signature))
    _call(library, "GetSignatureSubgraph", signature, ctypes.byref(graph))
    _call(library, "CompiledModelGetProfiler", compiled, ctypes.byref(profiler))
    inputs, infos = _buffers(library, environment, compiled, graph, "Input")
    outputs, _ = _buffers(library, environment, compiled, graph, "Output")
    for buffer, tensor in zip(inputs, random_inputs(infos, seed), strict=True):
        _fill(library, Handle(buffer), tensor.tobytes())

    def run() -> list[Event]:
        _call(library, "ResetProfiler", profiler)
        _call(library, "StartProfiler", profiler)
        counts = Size(len(inputs)), Size(len(outputs))
        _call(library, "RunCompiledModel", compiled, Size(0), counts[0], inputs, counts[1], outputs)
        _call(library, "StopProfiler", profiler)
        return _events(library, profiler)

    return run


def _events(library: Library, profiler: Handle) -> list[Event]:
    count = ctypes.c_int()
    _call(library, "GetNumProfilerEvents", profiler, ctypes.byref(count))
    if not 0 < count.value <= MOST_EVENTS:
        raise RunnerError("bad_output", f"its profiler holds {count.value} events")
    events = (_Event * count.value)()
    _call(library, "GetProfilerEvents", profiler, count, events)
    return [Event(e.kind, (e.tag or b"").decode(errors="replace"), e.elapsed_us) for e in events]


def _add_option(library: Library, options: Handle, identifier: bytes, payload: str) -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    text = payload.encode() + b"\0"
    memory = Handle(libc.malloc(Size(len(text))))  # LiteRT frees it
    ctypes.memmove(memory, text, len(text))
    opaque, free = Handle(), ctypes.cast(libc.free, ctypes.c_void_p)
    _call(library, "CreateOpaqueOptions", identifier, memory, free, ctypes.byref(opaque))
    _call(library, "AddOpaqueOptions", options, opaque)


def _buffers(
    library: Library, environment: Handle, compiled: Handle, graph: Handle, side: str
) -> tuple[Any, list[InputInfo]]:  # Any: an array of handles
    count = Size()
    _call(library, f"GetNumSubgraph{side}s", graph, ctypes.byref(count))
    buffers, infos = (Handle * count.value)(), []
    for index in range(count.value):
        tensor, needs, buffer, kind = Handle(), Handle(), Handle(), _TensorType()
        _call(library, f"GetSubgraph{side}", graph, Size(index), ctypes.byref(tensor))
        name = f"GetCompiledModel{side}BufferRequirements"
        _call(library, name, compiled, Size(0), Size(index), ctypes.byref(needs))
        _call(library, "GetRankedTensorType", tensor, ctypes.byref(kind))
        create = "CreateManagedTensorBufferFromRequirements"
        _call(library, create, environment, ctypes.byref(kind), needs, ctypes.byref(buffer))
        buffers[index] = buffer.value
        infos.append(_info(f"{side.lower()} {index}", kind))
    return buffers, infos


def _info(name: str, kind: _TensorType) -> InputInfo:
    dtype = DTYPES.get(kind.element_type)
    if dtype is None:
        raise RunnerError("load_error", f"{name} has type {kind.element_type}, not a number")
    shape = tuple(kind.layout.dimensions[: kind.layout.rank])
    return InputInfo(name, shape, np.dtype(dtype))


def _fill(library: Library, buffer: Handle, content: bytes) -> None:
    """Write an input; the timing process has the same ones."""
    memory, size = Handle(), Size()
    _call(library, "GetTensorBufferPackedSize", buffer, ctypes.byref(size))
    if size.value != len(content):
        raise RunnerError("load_error", f"an input takes {size.value} bytes, not {len(content)}")
    _call(library, "LockTensorBuffer", buffer, ctypes.byref(memory), LOCK_WRITE)
    ctypes.memmove(memory, content, len(content))
    _call(library, "UnlockTensorBuffer", buffer)


def _call(library: Library, name: str, *arguments: Any) -> None:  # Any: C arguments
    try:
        function = getattr(library, f"LiteRt{name}")
    except AttributeError:
        reason = f"the LiteRT library has no LiteRt{name}: update ai-edge-litert to profile"
        raise RunnerError("library_missing", reason) from None
    status = function(*arguments)
    if status:
        kind: FailureClass = "run_error" if name == "RunCompiledModel" else "load_error"
        raise RunnerError(kind, f"LiteRt{name} gave status {status} while profiling")

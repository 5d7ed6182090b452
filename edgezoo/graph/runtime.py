"""What this process takes from the machine: torch's threads, memory that is no longer used."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread inside the block, and as before after it.

    The networks here are small: two OpenMP threads that wait for each other on a busy machine took ten
    times the CPU time of one (measured), and one thread adds numbers up in the same order everywhere.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def return_memory() -> None:
    """Collect garbage and give freed memory back to the system, where the C library can (glibc).

    Tracing a network leaves 20 MB of freed but resident memory behind (measured).
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)

"""How many threads torch may use."""

from __future__ import annotations

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

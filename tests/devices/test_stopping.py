"""Work of several threads that is cut short, with what it had started."""

import pytest

from edgezoo.devices.stopping import at_once
from edgezoo.devices.transports.process import run_process
from tests.devices.benching import running

LONG_S = 600.0


def test_all_at_once() -> None:
    assert at_once(lambda number: number * 2, range(5), threads=3) == (0, 2, 4, 6, 8)
    assert at_once(lambda number: number * 2, (), threads=3) == ()


def test_interrupted() -> None:
    """Ctrl-C in one place ends what the others wait for, and what has not begun never does."""
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise KeyboardInterrupt
        run_process(["sleep", "613.25"], LONG_S)

    with pytest.raises(KeyboardInterrupt):
        at_once(work, range(9), threads=2)
    assert len(begun) < 9
    assert running("sleep 613.25") == []

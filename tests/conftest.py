import signal

import pytest


def pytest_configure() -> None:
    """A shell's background job ignores SIGINT, and would hand that on to what the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small networks: on a busy machine torch's threads mostly wait for each other."""
    import torch

    torch.set_num_threads(1)

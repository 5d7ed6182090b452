import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
# They share adb servers, locks of this machine and the eye for stray processes.
TOGETHER = ("devices/phones/", "devices/fleet/", "devices/simphone/", "test_docs_phones")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With pytest-xdist a worker gets whole files, and one of them all simulated phones."""
    for item in items:
        name = item.path.relative_to(ROOT).as_posix()
        group = "phones" if name.startswith(TOGETHER) else name
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_configure() -> None:
    """A shell's background job ignores SIGINT, and would hand that on to what the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small networks: on a busy machine torch's threads mostly wait for each other."""
    import torch

    torch.set_num_threads(1)

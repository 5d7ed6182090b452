import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small networks: on a busy machine torch's threads mostly wait for each other."""
    import torch

    torch.set_num_threads(1)

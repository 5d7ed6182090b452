"""A thread that answers connections one after the other."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def listening(
    listener: socket.socket, answer: Callable[[socket.socket], None], timeout_s: float
) -> Iterator[None]:
    """Give each connection of a bound socket to ``answer``, which may raise ``OSError``, until the end.

    Whoever says nothing for ``timeout_s`` is hung up on. The socket is closed in the end.
    """

    def accept() -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            connected.settimeout(timeout_s)
            with connected, contextlib.suppress(OSError):
                answer(connected)

    listener.listen(4)
    thread = threading.Thread(target=accept, name="simphone-listening", daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        listener.close()
        thread.join(timeout=timeout_s)

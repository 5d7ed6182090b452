"""Several adb servers watched at once: who is plugged in, after every change."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence

from edgezoo.devices.adb.server import Listed, Server, track

Lists = tuple[tuple[Server, tuple[Listed, ...]], ...]
Changes = queue.Queue[tuple[Server, tuple[Listed, ...]]]

RETRY_S = 1.0


def watch(servers: Sequence[Server]) -> Iterator[Lists]:
    """Yield what each server lists, once at the start and after every change; does not end.

    A server that ends has no phones until it is back; none is started.
    """
    changed: Changes = queue.Queue()
    stop = threading.Event()
    for server in servers:
        follower = threading.Thread(target=_follow, args=(server, changed, stop), daemon=True)
        follower.start()
    known: dict[Server, tuple[Listed, ...]] = {}
    try:
        while True:
            server, listed = changed.get()
            if known.get(server) == listed:
                continue
            known[server] = listed
            if len(known) == len(servers):  # each has answered once
                yield tuple((server, known[server]) for server in servers)
    finally:
        stop.set()


def _follow(server: Server, changed: Changes, stop: threading.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(OSError):
            for listed in track(server):
                changed.put((server, listed))
                if stop.is_set():
                    return
        changed.put((server, ()))
        stop.wait(RETRY_S)

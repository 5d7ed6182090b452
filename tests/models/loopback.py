"""A web server on this machine with ranges, and with what goes wrong on real ones."""

from __future__ import annotations

import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any


class Loopback:
    """Serves ``files`` by path.

    ``faults`` is what happens to the next GET requests of files, one each: ``None`` (nothing), a
    number of bytes after which the connection is cut, or a status such as "503". ``asked`` lists the GET
    requests as (path, Range or None). ``ranges=False`` sends everything whatever is asked.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: list[Any] = []
        self.asked: list[tuple[str, str | None]] = []
        self.ranges = True
        self.etag: str | None = None
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *arguments: Any) -> None:
                """Print nothing."""

            def do_HEAD(self) -> None:
                loopback.answer(self, body=False)

            def do_GET(self) -> None:
                loopback.answer(self, body=True)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the server; later connections are refused."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler, *, body: bool) -> None:
        asked = request.headers.get("Range")
        fault = None
        if body:
            self.asked.append((request.path, asked))
            known = request.path in self.files
            fault = self.faults.pop(0) if self.faults and known else None
        content = self.files.get(request.path)
        if content is None or isinstance(fault, str):
            request.send_error(404 if content is None else int(str(fault)))
            return
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked and self.ranges else 0
        if start >= len(content) > 0:
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        if start:
            last = len(content) - 1
            request.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - start))
        request.send_header("ETag", f'"{self.etag or hashlib.sha256(content).hexdigest()}"')
        request.send_header("X-Repo-Commit", "a" * 40)
        request.end_headers()
        if body:
            rest = content[start:]
            request.wfile.write(rest if fault is None else rest[:fault])

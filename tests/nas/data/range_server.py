"""An HTTP server on loopback that knows ranges, and breaks off where a test wants it to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Site:
    """``files`` by path; of each answer in turn, no more bytes are sent than ``limits`` says.

    ``requests`` are the paths asked for and the first byte wanted.
    """

    files: dict[str, bytes]
    limits: list[int] = field(default_factory=list)
    knows_ranges: bool = True
    status: int = 200
    requests: list[tuple[str, int]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Within, ``site`` is served at ``site.url``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, site)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, site: Site) -> None:
    wanted = handler.headers.get("Range", "bytes=0-")
    first = int(wanted.removeprefix("bytes=").removesuffix("-"))
    site.requests.append((handler.path, first))
    content = site.files.get(handler.path)
    if content is None or site.status != 200:
        handler.send_error(404 if content is None else site.status)
        return
    if not site.knows_ranges:
        first = 0
    elif first >= len(content):
        handler.send_error(416)
        return
    handler.send_response(206 if first else 200)
    if first:
        handler.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - first))
    handler.end_headers()
    limit = site.limits.pop(0) if site.limits else len(content)
    handler.wfile.write(content[first : first + limit])

"""Serves Optuna's dashboard for a study, and updates its attachments while a search runs."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
import optuna_dashboard

from latency_models import Worker
from search_spaces import InputError, NasError

from ..studies.study import Study
from ..system.signals import terminable
from .attachments import Attachments
from .content import collect
from .previews import Previewer

_REFRESH_SECONDS = 30.0
_LOG = logging.getLogger(__name__)


def serve(study: Study, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serves the dashboard until Ctrl-C or SIGTERM, which raise KeyboardInterrupt.

    ``announce`` is called with the address of the study's page when it is ready; port 0 means any
    free port. A search may be running: the database is locked for short writes of attachments only.
    Raises InputError if the address is in use or does not belong to this machine.
    """
    study.folder.create()
    attachments = Attachments(study)
    attachments.attach(collect(study))
    storage = study.optuna._storage
    application = optuna_dashboard.wsgi(storage, attachments.artifacts)
    with _listening(host, port, application) as server, _kept_up_to_date(study, attachments):
        host_text = f"[{host}]" if ":" in host else host
        page = f"dashboard/studies/{study.optuna._study_id}"
        announce(f"http://{host_text}:{server.server_port}/{page}")
        with terminable():
            server.serve_forever()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """Handles each connection in its own thread, since browsers keep several open."""

    daemon_threads = True


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


@contextlib.contextmanager
def _listening(host: str, port: int, application: Any) -> Iterator[WSGIServer]:
    server_class = _ServerV6 if ":" in host else _Server
    try:
        server = make_server(host, port, application, server_class, _QuietHandler)
    except OSError as error:
        is_in_use = error.errno == errno.EADDRINUSE
        advice = "choose another by --port" if is_in_use else "choose another by --host and --port"
        raise InputError(f"{host}:{port}: {error.strerror or error}; {advice}") from None
    with server:
        yield server


@contextlib.contextmanager
def _kept_up_to_date(study: Study, attachments: Attachments) -> Iterator[None]:
    """Returns a context in which a thread attaches files of new networks of the front."""
    ended = threading.Event()

    def refresh_repeatedly() -> None:
        reported = ""
        with Worker() as worker:
            # One thread only, since a search may be timing a network on the other cores.
            previewer = Previewer(study, worker, threads=1)
            while not ended.is_set():
                trouble = _refresh(study, attachments, previewer)
                if trouble and trouble != reported:
                    _LOG.error("the dashboard is not up to date: %s", trouble)
                reported = trouble
                ended.wait(_REFRESH_SECONDS)

    thread = threading.Thread(target=refresh_repeatedly, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=5.0)


def _refresh(study: Study, attachments: Attachments, previewer: Previewer) -> str:
    """Attaches new content; returns the text of an error, empty if there was none.

    Errors do not end the dashboard.
    """
    try:
        content = collect(study)
        attachments.attach(content)
        attachments.attach_previews(content.front, previewer)
    except (NasError, OSError, optuna.exceptions.StorageInternalError) as error:
        return str(error)
    return ""

"""optuna-dashboard on the storage of a study: it reads, never writes, and answers this machine alone.

The dashboard can rename and delete studies and add notes. Here its storage is opened for reading, and requests that
would change anything are refused before they come that far. Its pages ask nobody else for anything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from studies.ledger.entries import LedgerError
from studies.ledger.folder import ResultsFolder
from studies.ledger.opening import study_in
from studies.ledger.storages import open_storage
from studies.ledger.urls import embedded, url_of

HOST, PORT = "127.0.0.1", 8080
MISSING = "optuna-dashboard is not installed: pip install 'vit-ablate[dashboard]'"
App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""As WSGI has it."""


class Server(ThreadingMixIn, WSGIServer):
    """Many requests at once: a page asks for several things."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Says nothing of requests."""

    def log_message(self, format: str, *args: Any) -> None:
        """To nobody."""


def dashboard(folder: ResultsFolder, port: int = PORT) -> tuple[Server, str]:
    """A server that is not started yet, and the address of the study in it; port 0 takes a free one.

    Raises:
        LedgerError: there is no study, its storage cannot be read, or the dashboard is not installed.
        OSError: the port is taken.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise LedgerError(MISSING) from error
    url = url_of(folder.server) if folder.server else embedded(folder.storage)
    storage = open_storage(url, create=False, read_only=True)
    study_id = study_in(storage, url, folder.name, create=False)
    logging.getLogger("optuna").setLevel(logging.ERROR)
    server = make_server(HOST, port, reading(wsgi(storage)), Server, Handler)
    return server, f"http://{HOST}:{server.server_port}/dashboard/studies/{study_id}"


def reading(app: App) -> App:
    """The same, for those who read from this machine; a page of another site that names it otherwise is refused."""

    def only(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "").rpartition(":")[0]
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") and host in (HOST, "localhost"):
            return app(environ, start)
        status = HTTPStatus.FORBIDDEN
        start(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
        return [b'{"reason": "this dashboard only reads"}']

    return only

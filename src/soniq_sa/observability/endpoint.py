"""``/metrics`` over HTTP, from threads of its own: it answers while the event loop is blocked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from soniq_sa.errors import ConfigurationError
from soniq_sa.observability.prometheus import prometheus_client

PATH = "/metrics"
_PATIENCE = 10.0
"""Seconds that a client may take for its request."""


class MetricsEndpoint:
    """Serves the default registry of ``prometheus_client`` until the process ends."""

    def __init__(self, host: str, port: int, ports: int = 1) -> None:
        """Listen on the first port that is free of ``ports``, from ``port`` on; 0: on any.

        Raises `ConfigurationError` if none is.
        """
        self._server = _listening(host, port, 1 if port == 0 else ports)
        self._server.set_app(_only_metrics(prometheus_client().make_wsgi_app()))
        threading.Thread(
            target=self._server.serve_forever, name="soniq-sa metrics", daemon=True
        ).start()

    @property
    def url(self) -> str:
        """Return where it is."""
        host, port, *_ = self._server.server_address
        shown = f"[{host!s}]" if self._server.address_family == socket.AF_INET6 else str(host)
        return f"http://{shown}:{port}{PATH}"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the library
        """Say nothing: a scrape is no news."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_port = False  # the processes of a worker must not share one

    def server_bind(self) -> None:
        """Bind without asking a name server who this is."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listening(host: str, port: int, ports: int) -> _Server:
    kind = _Server6 if ":" in host else _Server
    refusals: list[Exception] = []
    for one in range(port, port + ports):
        try:
            return kind((host, one), _Handler)
        except (OSError, OverflowError) as error:
            refusals.append(error)
    tried = f"port {port}" if ports == 1 else f"any of the ports {port} to {port + ports - 1}"
    raise ConfigurationError(
        f"--metrics-port {port} (or SONIQ_SA_METRICS_PORT): cannot listen at {tried} of {host}: "
        f"{refusals[0]}. Choose another one, or 0 for any free one; each process takes one. "
        "--metrics-host (or SONIQ_SA_METRICS_HOST) is an address of this machine."
    ) from refusals[0]


def _only_metrics(metrics: Any) -> Any:
    """Return an application that answers to one path."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == PATH:
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"The metrics are at {PATH}.\n".encode()]

    return application

"""A TCP proxy in front of PostgreSQL that loses, holds back and cuts what a test tells it to.

    worker ──▶ judge_request(link, message) ──▶ server
           ◀── judge_answer(link, message)  ◀──

A judge looks at each message before it goes on, in the thread of the proxy, and returns a verdict.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from typing import Any

from sqlalchemy import URL, make_url

from tests.faults.messages import Message, Statements, Stream


class Verdict(Enum):
    """What becomes of a message."""

    PASS = auto()
    """It goes on."""
    LOSE = auto()
    """It is dropped, and the connection stays."""
    FREEZE = auto()
    """Nothing goes on any more, in both directions, and the connection stays: it is half-open."""
    RESET = auto()
    """It is dropped, and both sides see the connection closed."""


Judge = Callable[["Link", Message], Verdict]


def let_pass(_link: Link, _message: Message) -> Verdict:
    """Do nothing."""
    return Verdict.PASS


class Link:
    """One connection through the proxy.

    sqls: Every statement that the client has executed on it, in their order.
    left_by_client: Whether the client has closed its side.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.frozen = False
        self.closed = False
        self.left_by_client = False
        self.sqls: list[str] = []
        self._held = b""
        self._was_closed = asyncio.Event()
        self._statements = Statements()
        self._writers: list[asyncio.StreamWriter] = []

    def has_executed(self, part: str) -> bool:
        """Tell whether a statement with ``part`` was executed on this connection."""
        return any(part in sql for sql in self.sqls)

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry messages in both directions until one side closes."""
        self._writers.append(writer)
        server_reader, server_writer = await self.proxy.connect()
        self._writers.append(server_writer)
        pumps = [
            asyncio.create_task(self._requests(reader, writer, server_writer)),
            asyncio.create_task(self._answers(server_reader, writer)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        if self.frozen:
            await self._was_closed.wait()
        self.close()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    def deliver_late(self) -> None:
        """Send to the server what a frozen connection has held back."""
        self.proxy.call(lambda: self._writers[1].write(self._held))

    def close(self) -> None:
        """Close both sides at once."""
        self.closed = True
        self._was_closed.set()
        for writer in self._writers:
            writer.transport.abort()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        client: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
    ) -> None:
        stream = Stream(starts_without_letter=True)
        while chunk := await reader.read(65536):
            for message in stream.feed(chunk):
                if not message.kind and stream.starts_without_letter:
                    client.write(b"N")  # no encryption
                    continue
                named = self._statements.named(message)
                if named.kind in {"Q", "E"}:
                    self.sqls.append(named.sql)
                if not self._carry(server, named, self.proxy.judge_request):
                    return
                if self.frozen:
                    self._held += named.raw
        self.left_by_client = True

    async def _answers(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        stream = Stream()
        while chunk := await reader.read(65536):
            for message in stream.feed(chunk):
                changed = self.proxy.change_answer(message)
                if not self._carry(client, changed, self.proxy.judge_answer):
                    return

    def _carry(self, writer: asyncio.StreamWriter, message: Message, judge: Judge) -> bool:
        verdict = Verdict.FREEZE if self.frozen else judge(self, message)
        match verdict:
            case Verdict.PASS:
                writer.write(message.raw)
            case Verdict.FREEZE:
                self.frozen = True
            case Verdict.RESET:
                self.close()
                return False
        return True


class Proxy:
    """Listen on a free port of this machine, in a thread of its own.

    judge_request, judge_answer: Decide about the messages of the clients, and of the server.
    hide_backend: Tell clients a wrong process id of their backend, as a pooler in front of it does.
    """

    def __init__(self, server_url: str | URL) -> None:
        self._server = make_url(server_url)
        self.judge_request: Judge = let_pass
        self.judge_answer: Judge = let_pass
        self.hide_backend = False
        self.refusing = False
        self.links: list[Link] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """Return the URL of the database through the proxy."""
        here = self._server.set(host="127.0.0.1", port=self.port, query={"sslmode": "disable"})
        return here.render_as_string(hide_password=False)

    @property
    def open_links(self) -> list[Link]:
        """Return the connections that are open."""
        return [link for link in self.links if not link.closed]

    def freeze(self, chosen: Callable[[Link], bool]) -> int:
        """Make connections half-open; return how many."""
        found = [link for link in self.open_links if chosen(link)]
        for link in found:
            link.frozen = True
        return len(found)

    def cut_everything(self) -> None:
        """Close every connection, and take no new ones."""
        self.refusing = True
        self.call(self._close_links)

    def call(self, function: Callable[[], None]) -> None:
        """Call a function in the thread of the proxy."""
        self._loop.call_soon_threadsafe(function)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the server."""
        host = self._server.query.get("host") or self._server.host or "127.0.0.1"
        port = self._server.query.get("port") or self._server.port or 5432
        if str(host).startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(str(host), int(str(port)))

    def change_answer(self, message: Message) -> Message:
        """Return an answer as the client shall see it."""
        if self.hide_backend and message.kind == "K":
            pid = int.from_bytes(message.body[:4], "big") + 100_000
            raw = message.raw[:5] + pid.to_bytes(4, "big") + message.body[4:]
            return Message("K", raw)
        return message

    def start(self) -> None:
        """Start to listen."""
        self._thread.start()
        assert self._listening.wait(10)

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._loop.call_soon_threadsafe(self._close_links)
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        self.links.clear()
        with warnings.catch_warnings():  # about a connection that came in at the last moment
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stopping.wait()
        server.close()
        self.refusing = True
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            self._close_links()
            await asyncio.wait(others, timeout=0.1)
        await asyncio.sleep(0.01)  # transports close in the turns of the loop that follow

    async def _accept(self, reader: Any, writer: Any) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        link = Link(self)
        self.links.append(link)
        with suppress(OSError):
            await link.run(reader, writer)
        link.close()

    def _close_links(self) -> None:
        for link in self.links:
            link.close()


@contextmanager
def proxy_before(server_url: str | URL) -> Iterator[Proxy]:
    """Run a proxy in front of a database."""
    made = Proxy(server_url)
    made.start()
    try:
        yield made
    finally:
        made.stop()

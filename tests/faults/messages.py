"""The messages between a client and PostgreSQL: enough of the protocol to know what is being asked.

A message is one letter, four bytes of length, and a body; the first one of a client has no letter.
Only statements matter here: those of simple queries, and those that were parsed and are bound now.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104


@dataclass(frozen=True)
class Message:
    """One message, as it came.

    kind: Its letter; "" for the first one of a client.
    sql: The statement that is parsed, bound or executed with it.
    """

    kind: str
    raw: bytes
    sql: str = ""

    @property
    def body(self) -> bytes:
        """Return what stands behind letter and length."""
        return self.raw[5 if self.kind else 4 :]

    @property
    def code(self) -> int:
        """Return the code of a client's first message."""
        (found,) = struct.unpack("!I", self.body[:4])
        return int(found)


@dataclass
class Stream:
    """Cut a stream of bytes into messages."""

    starts_without_letter: bool = False
    _buffer: bytes = b""

    def feed(self, chunk: bytes) -> list[Message]:
        """Take bytes in and return the messages that are complete."""
        self._buffer += chunk
        found = []
        while (message := self._cut()) is not None:
            found.append(message)
        return found

    def _cut(self) -> Message | None:
        letters = 0 if self.starts_without_letter else 1
        if len(self._buffer) < letters + 4:
            return None
        (length,) = struct.unpack("!I", self._buffer[letters : letters + 4])
        if len(self._buffer) < letters + length:
            return None
        raw, self._buffer = self._buffer[: letters + length], self._buffer[letters + length :]
        message = Message(raw[:1].decode() if letters else "", raw)
        if not letters and message.code not in {SSL_REQUEST, GSS_REQUEST}:
            self.starts_without_letter = False
        return message


@dataclass
class Statements:
    """What one client has prepared and bound, by name."""

    prepared: dict[bytes, str] = field(default_factory=dict)
    portals: dict[bytes, str] = field(default_factory=dict)

    def named(self, message: Message) -> Message:
        """Return the message with the statement that it is about."""
        match message.kind:
            case "Q":
                sql = message.body.rstrip(b"\0").decode()
            case "P":
                name, query = message.body.split(b"\0", 2)[:2]
                sql = self.prepared[name] = query.decode()
            case "B":
                portal, name = message.body.split(b"\0", 2)[:2]
                sql = self.portals[portal] = self.prepared.get(name, "")
            case "E":
                sql = self.portals.get(message.body.split(b"\0", 1)[0], "")
            case _:
                return message
        return Message(message.kind, message.raw, sql)

"""Judges for the proxy: which message is lost, and when everything is cut."""

from __future__ import annotations

from tests.faults.messages import Message
from tests.faults.proxy import Link, Verdict


class AnswerTo:
    """Reset the connection when a statement has done its work and before its answer arrives."""

    def __init__(self, part: str = "", *, times: int = 1) -> None:
        self.happened = 0
        self._part = part
        self._times = times

    def __call__(self, link: Link, message: Message) -> Verdict:
        """Judge an answer: "C" says that a statement is complete, with how many rows."""
        rows = message.body.rstrip(b"\0").split()[-1:] if message.kind == "C" else []
        if (
            self.happened < self._times
            and rows not in ([], [b"0"])
            and link.sqls
            and self._part in link.sqls[-1]
        ):
            self.happened += 1
            return Verdict.RESET
        return Verdict.PASS


class CutAfter:
    """Cut every connection in the place of the client's ``count``-th message from now on, once."""

    def __init__(self, count: int) -> None:
        self.happened = False
        self._left = count

    def __call__(self, link: Link, _message: Message) -> Verdict:
        """Judge a message of the client."""
        self._left -= 1
        if self._left > 0 or self.happened:
            return Verdict.PASS
        self.happened = True
        link.proxy.reset(lambda _link: True)
        return Verdict.RESET

"""What may happen to the connections of a worker, or of the producers."""

from __future__ import annotations

from tests.faults.judges import AnswerTo, CutAfter
from tests.faults.messages import Message
from tests.faults.proxy import Link, Verdict, let_pass
from tests.faults.schedules.fault import Fault

PARTS = {
    "claimer": "picked",
    "recorder": "finished_at=clock_timestamp()",
    "lease": "soniq_workers",
    "listener": "LISTEN",
    "handler": "INSERT INTO effects",
}
"""What the connections of a worker have executed, by their role."""

ANSWERS = {"claim": "picked", "finish": "finished_at=clock_timestamp()", "": ""}


class _OfRole(Fault):
    """A fault on the connections of one role, or on all (None)."""

    def is_meant(self, link: Link) -> bool:
        role = self.planned.detail["role"]
        return role is None or link.has_executed(PARTS[role])


class Freeze(_OfRole):
    """Connections are half-open, new ones are not; in the end the old ones turn out to be closed."""

    def begin(self) -> None:
        self.proxy.freeze(self.is_meant)

    def end(self) -> None:
        self.proxy.reset(lambda link: link.frozen)


class Hold(_OfRole):
    """Connections stand still, and then deliver all that they have held back."""

    def begin(self) -> None:
        self.proxy.freeze(self.is_meant)

    def end(self) -> None:
        self.proxy.let_go()


class Blackhole(Fault):
    """Nothing comes through, and nobody is told, on new connections too."""

    def begin(self) -> None:
        self.proxy.judge_request = self.proxy.judge_answer = _freeze

    def end(self) -> None:
        self.proxy.judge_request = self.proxy.judge_answer = let_pass
        self.proxy.reset(lambda link: link.frozen)


def _freeze(_link: Link, _message: Message) -> Verdict:
    return Verdict.FREEZE


class Reset(_OfRole):
    """Connections are closed; new ones can be made at once."""

    def begin(self) -> None:
        self.proxy.reset(self.is_meant)


class Refuse(Fault):
    """All connections are closed, and no new one can be made for some time."""

    def begin(self) -> None:
        self.proxy.cut_everything()

    def end(self) -> None:
        self.proxy.refusing = False


class Delay(Fault):
    """Everything takes longer."""

    def begin(self) -> None:
        self.proxy.delay = self.planned.detail["seconds"]

    def end(self) -> None:
        self.proxy.delay = 0.0


class LoseAnswer(Fault):
    """Statements are carried out, and the connection is gone before their answers arrive."""

    def begin(self) -> None:
        part = ANSWERS[self.planned.detail["to"]]
        self.proxy.judge_answer = AnswerTo(part, times=self.planned.detail["times"])

    def end(self) -> None:
        self.proxy.judge_answer = let_pass


class CutAfterMessages(Fault):
    """All connections are cut in the place of the k-th message from now on."""

    def begin(self) -> None:
        self.proxy.judge_request = CutAfter(self.planned.detail["messages"])

    def end(self) -> None:
        self.proxy.judge_request = let_pass

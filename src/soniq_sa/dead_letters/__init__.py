"""Dead letters: the jobs that are dead, and what can be done about them."""

from soniq_sa.dead_letters.desk import DeadLetterDesk
from soniq_sa.dead_letters.letter import DeadLetter, DeadLetterStats
from soniq_sa.dead_letters.letters import DeadLetters
from soniq_sa.dead_letters.replay_options import ReplayOptions

__all__ = ["DeadLetter", "DeadLetterDesk", "DeadLetterStats", "DeadLetters", "ReplayOptions"]

"""soniq-sa, with handlers that ask for a session."""

from tests.bench.processes.ours import SessionScript
from tests.bench.script import run

if __name__ == "__main__":
    run(SessionScript())

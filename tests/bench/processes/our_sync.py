"""soniq-sa, with handlers that are plain functions."""

from tests.bench.processes.ours import SyncScript
from tests.bench.script import run

if __name__ == "__main__":
    run(SyncScript())

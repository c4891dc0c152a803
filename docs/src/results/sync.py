import subprocess
import sys

from soniq_sa import JobState

from jobs import Report, make_report, soniq


def main() -> None:
    # region sync
    handle = soniq.enqueue_sync(make_report, "Sales")
    report = handle.result_sync(timeout=30)
    # endregion
    assert isinstance(report, Report)
    assert handle.status_sync() is JobState.DONE


subprocess.run(
    [sys.executable, "-m", "soniq_sa", "schema", "create", "--app", "jobs:soniq"], check=True
)
worker = subprocess.Popen(
    [sys.executable, "-m", "soniq_sa", "worker", "--app", "jobs:soniq"], stderr=sys.stdout
)
main()
worker.terminate()
worker.wait()

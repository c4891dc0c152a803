"""A worker serves its metrics, also while its event loop is blocked."""

from __future__ import annotations

import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.cli.commands import soniq_sa
from tests.observability import shop
from tests.observability.scraping import scrape, urls_of, value
from tests.process.yard import PATIENCE, Yard, until

USAGE = 2
APP = ("--app", "tests.observability.shop:soniq")


def free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def test_what_a_worker_does_is_counted(yard: Yard) -> None:
    yard.arguments = (*APP, "--metrics-port", "0")
    worker = yard.worker()
    (url,) = urls_of(worker)
    yard.enqueue_many(shop.fine, 3)
    yard.enqueue(shop.raises, "hidden-argument")
    yard.enqueue(shop.leaves)
    yard.enqueue(shop.waits)
    counted = {
        ("soniq_sa_jobs_done_total", "fine"): 3,
        ("soniq_sa_jobs_cancelled_total", "leaves"): 1,
        ("soniq_sa_jobs_snoozed_total", "waits"): 1,
        ("soniq_sa_jobs_done_total", "raises"): 0,
    }
    for (name, task), count in counted.items():
        until(lambda n=name, t=task, c=count: value(url, n, task=t) == c, scrape(url))  # type: ignore[misc]
    until(
        lambda: (
            value(url, "soniq_sa_jobs_dead_total", task="raises", reason="retries exhausted") == 1
        ),
        lambda: scrape(url),
    )
    assert value(url, "soniq_sa_attempts_failed_total", task="raises", outcome="failed") == 1
    text = scrape(url)
    assert "hidden-argument" not in text
    assert "must not become a label" not in text
    assert "process_cpu_seconds_total" in text


def test_it_answers_while_the_event_loop_is_blocked(yard: Yard) -> None:
    yard.arguments = (*APP, "--metrics-port", "0")
    worker = yard.worker()
    (url,) = urls_of(worker)
    gate = yard.gate()
    handle = yard.enqueue(shop.blocks, str(gate))
    yard.until_starts(handle)
    until(
        lambda: value(url, "soniq_sa_event_loop_blocked", task="blocks") == 1,
        lambda: scrape(url),
    )
    assert value(url, "soniq_sa_event_loop_blocks_total", task="blocks") == 1
    assert value(url, "soniq_sa_jobs_done_total", task="blocks") == 0
    gate.touch()
    until(
        lambda: value(url, "soniq_sa_event_loop_blocked", task="blocks") == 0,
        lambda: scrape(url),
    )
    assert (value(url, "soniq_sa_event_loop_blocked_seconds_total", task="blocks") or 0) > 0
    yard.until_state(handle, "done")


def test_each_process_has_a_port_and_its_successor_takes_it(yard: Yard) -> None:
    yard.own_groups = True
    first = free_port()
    yard.arguments = (*APP, "--processes", "2", "--metrics-port", str(first))
    supervisor = yard.starting_worker()
    urls = urls_of(supervisor, 2)
    ports = {int(url.split(":")[2].split("/")[0]) for url in urls}
    assert ports == {first, first + 1}
    for url in urls:
        until(lambda u=url: value(u, "soniq_sa_worker_running") == 1, supervisor.log)  # type: ignore[misc]
    pids = [int(name.rpartition(":")[2]) for (name,) in yard.rows("SELECT name FROM soniq_workers")]
    os.kill(pids[0], signal.SIGKILL)
    until(lambda: len(urls_of(supervisor, 3)) == 3, lambda: supervisor.log)
    assert set(urls_of(supervisor, 3)) == set(urls)
    supervisor.signal(signal.SIGTERM)
    assert supervisor.exit_code(2 * PATIENCE) == 0, supervisor.log


def test_only_one_path_answers(yard: Yard) -> None:
    yard.arguments = (*APP, "--metrics-port", "0")
    (url,) = urls_of(yard.worker())
    for path in ("/", "/metrics/..", "/favicon.ico"):
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            scrape(url.removesuffix("/metrics") + path)
        assert refused.value.read() == b"The metrics are at /metrics.\n"
        refused.value.close()


def test_the_environment_says_where_as_well(yard: Yard) -> None:
    yard.arguments = APP
    port = free_port()
    worker = yard.worker(SONIQ_SA_METRICS_PORT=str(port), SONIQ_SA_METRICS_HOST="localhost")
    assert urls_of(worker) == [f"http://127.0.0.1:{port}/metrics"]


def test_without_a_port_nothing_is_served(yard: Yard) -> None:
    yard.arguments = APP
    assert "metrics" not in yard.worker().log


def test_a_port_that_is_taken_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        done = soniq_sa(folder, "worker", "--app", "shop.jobs:soniq", "--metrics-port", str(port))
    assert done.returncode == USAGE
    assert f"--metrics-port {port} (or SONIQ_SA_METRICS_PORT)" in done.stderr
    assert "in use" in done.stderr
    assert "0 for any free one" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_few_free_ports_end_all_processes(folder: Path, shop_url: str) -> None:
    """The second port is another program's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1] - 1
        done = soniq_sa(
            folder,
            *("worker", "--app", "shop.jobs:soniq", "--processes", "2"),
            *("--metrics-port", str(port)),
            SONIQ_SA_DATABASE_URL=shop_url,
        )
    assert done.returncode == USAGE
    assert f"any of the ports {port} to {port + 1} of 127.0.0.1" in done.stderr


@pytest.mark.parametrize("wrong", ["65536", "-1", "http"])
def test_a_port_that_cannot_be_is_refused(folder: Path, wrong: str) -> None:
    done = soniq_sa(folder, "worker", "--app", "shop.jobs:soniq", "--metrics-port", wrong)
    assert done.returncode == USAGE
    assert "--metrics-port" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_not_here_is_named(folder: Path) -> None:
    here = ("--metrics-port", "0", "--metrics-host", "192.0.2.1")
    done = soniq_sa(folder, "worker", "--app", "shop.jobs:soniq", *here)
    assert done.returncode == USAGE
    assert "cannot listen at port 0 of 192.0.2.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_extra_the_error_says_what_to_install(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text(
        "import sys\nsys.modules['prometheus_client'] = None\n"
    )
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = soniq_sa(
        folder,
        *("worker", "--app", "shop.jobs:soniq", "--metrics-port", "0"),
        PYTHONPATH=path,
    )
    assert done.returncode == USAGE, sys.path
    assert "pip install 'soniq-sa[prometheus]'" in done.stderr
    assert "Traceback" not in done.stderr

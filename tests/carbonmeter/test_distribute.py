"""Work on a Dask cluster of processes: in order, through the death of a worker, and with clear ends."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from distributed import LocalCluster

from carbonmeter.distribute import over_enterprises
from domain.errors import Refused, Unavailable
from tests.servers import free_port

# A cluster that ends leaves sockets to the garbage collector, which tells of each; not our doing.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)


def square(number: int) -> int:
    return number * number


def slow_process(_: int) -> int:
    time.sleep(0.2)
    return os.getpid()


def refuse(number: int) -> int:
    raise Refused(f"no {number}")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        yield cluster
    gc.collect()


def test_results_come_in_the_order_of_the_shards_with_progress(cluster: LocalCluster) -> None:
    told: list[int] = []
    results = over_enterprises(cluster.scheduler_address, square, range(12), told.append)
    assert list(results) == [number * number for number in range(12)]
    assert told == list(range(1, 13))


def test_an_error_of_the_work_is_the_error_here(cluster: LocalCluster) -> None:
    with pytest.raises(Refused, match="no 0"):
        list(over_enterprises(cluster.scheduler_address, refuse, range(4)))


def test_the_work_of_a_killed_worker_is_done_by_another(cluster: LocalCluster) -> None:
    results = over_enterprises(cluster.scheduler_address, slow_process, range(10))
    first = next(results)
    os.kill(first, signal.SIGKILL)
    assert len(list(results)) == 9


def test_an_address_where_nobody_answers_is_told() -> None:
    with pytest.raises(Unavailable, match=r"no Dask scheduler answers at 'tcp://127.0.0.1:1' .*refused"):
        list(over_enterprises("tcp://127.0.0.1:1", square, range(2)))
    with pytest.raises(Unavailable, match="missing port number"):
        list(over_enterprises("nowhere", square, range(2)))


def test_a_scheduler_cut_off_in_the_middle_is_told() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--host", address], **quiet
    )
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"],
        **quiet,
    )
    try:
        until = time.monotonic() + 30
        while True:
            try:
                results = over_enterprises(address, slow_process, range(100))
                next(results)
                break
            except Unavailable:
                assert time.monotonic() < until
                time.sleep(0.2)
        scheduler.kill()
        with pytest.raises(Unavailable, match="was lost"):
            list(results)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()

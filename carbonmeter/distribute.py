"""Work by enterprise on a Dask cluster: shards go out, results come back in the order of the shards.

What travels is a function by its name, the shard and its result, never a setting: a worker reads its own
CARBONMETER_* settings and so knows its own way to the database. Whoever may speak to the scheduler may run code on
its workers, so the scheduler belongs into a closed network or behind TLS (`tls://` addresses; `docs/restatement.md`).

A shard whose worker dies is given to another worker and may be computed twice: functions write nothing that lasts.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from domain.errors import Refused, Unavailable

if TYPE_CHECKING:
    from distributed import Client, Future

S = TypeVar("S")
R = TypeVar("R")

CONNECT_S_MAX = 10.0
WORKERLESS_S_MAX = 60.0  # how long a cluster may be without any worker: they may be starting again
AHEAD = 2  # shards out at a time for each thread of a worker: bounds what waits for its turn here
_LOOK_S = 0.5


def over_enterprises(
    scheduler: str,
    function: Callable[[S], R],
    shards: Iterable[S],
    progress: Callable[[int], None] = lambda _: None,
) -> Generator[R, None, None]:
    """`function(shard)` of each shard, computed on the workers of a Dask scheduler, in the order of the shards.

    scheduler  its address, such as tcp://10.0.0.5:8786
    shards     an enterprise each, or a group of them; anything but None that can be pickled
    function   of a module that the workers have installed; gives the same for the same shard
    progress   told after each shard how many are done

    An error of `function` is raised here. Raises Unavailable where there is no scheduler or no worker, or where
    they are lost for good; Refused where Dask isn't installed.
    """
    with _client(scheduler) as client:
        _await_workers(client, scheduler)
        threads = sum(client.nthreads().values())
        out: deque[Future[Any]] = deque()
        left = iter(shards)
        done = 0
        while True:
            while len(out) < AHEAD * max(1, threads) and (shard := next(left, None)) is not None:
                out.append(client.submit(function, shard, pure=False))
            if not out:
                return
            yield _result(client, out.popleft(), scheduler)
            done += 1
            progress(done)


def _client(scheduler: str) -> Client:
    try:
        from distributed import Client
        from distributed.comm.addressing import parse_host_port
    except ImportError as error:
        raise Refused("--scheduler needs Dask: pip install 'carbonmeter[dask]'") from error
    # What ends a client is raised here, in our words: its own account of it, a page long, is no help beside them.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        # Dask's own client, where nobody answers, keeps trying for half a minute more while it is taken down.
        with socket.create_connection(parse_host_port(scheduler.rpartition("://")[2]), CONNECT_S_MAX):
            pass
        return Client(scheduler, timeout=CONNECT_S_MAX, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        raise Unavailable(
            f"no Dask scheduler answers at {scheduler!r} (expected an address such as tcp://10.0.0.5:8786): {error}"
        ) from error


def _await_workers(client: Client, scheduler: str) -> None:
    from distributed import TimeoutError as TimedOut

    try:
        client.wait_for_workers(1, timeout=WORKERLESS_S_MAX)
    except TimedOut as error:
        raise Unavailable(f"the Dask scheduler at {scheduler} has no workers") from error


def _result(client: Client, future: Future[Any], scheduler: str) -> Any:
    """The result of a shard, waited for as long as there are workers to compute it."""
    from distributed import CancelledError, KilledWorker

    workerless_since: float | None = None
    while True:
        failed = future.status == "error"
        try:
            return future.result(timeout=_LOOK_S)
        except KilledWorker as error:
            raise Unavailable(f"workers died again and again over the same shard: {error}") from error
        except CancelledError as error:
            raise Unavailable(f"the Dask scheduler at {scheduler} was lost: {error}") from error
        except TimeoutError:
            # A finished result is lost with its worker before it is fetched, and computed again: that is a wait too.
            if failed:
                raise  # the function's own
        try:
            has_workers = bool(client.nthreads())  # type: ignore[no-untyped-call]
        except (OSError, RuntimeError) as error:
            raise Unavailable(f"the Dask scheduler at {scheduler} was lost: {error}") from error
        if has_workers:
            workerless_since = None
        elif workerless_since is None:
            workerless_since = time.monotonic()
        elif time.monotonic() - workerless_since > WORKERLESS_S_MAX:
            raise Unavailable(f"the Dask scheduler at {scheduler} has lost its workers")

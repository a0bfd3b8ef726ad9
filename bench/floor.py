"""The floor under the API, its framework and pool around a `SELECT 1`: `python -m bench.floor PORT DATABASE-URL`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from psycopg_pool import ConnectionPool

from storage.database import connection_arguments


def app(database: str) -> FastAPI:
    arguments = connection_arguments(database, "carbonmeter bench floor")
    pool: ConnectionPool[Any] = ConnectionPool(
        arguments.pop("conninfo"),
        kwargs={**arguments, "autocommit": True},
        min_size=2,
        max_size=8,
        open=False,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        pool.open(wait=True)
        yield
        pool.close()

    result = FastAPI(lifespan=lifespan)

    @result.get("/one")
    def one() -> dict[str, int]:
        with pool.connection() as conn:
            row = conn.execute("SELECT 1").fetchone()
        return {"one": row[0]}

    return result


if __name__ == "__main__":
    uvicorn.run(
        app(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False
    )

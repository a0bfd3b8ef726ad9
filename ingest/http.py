"""Readings over HTTP, by a pipeline of their own in the process of the API: `POST /v1/readings`, and InfluxDB's writes.

`/v1/readings` takes forms A, B and C. `/api/v2/write` and `/write` take line protocol as InfluxDB 2 and 1 do, so that
Telegraf and their clients feed us as they are: the bucket or database is USCC/GATEWAY, or any name with a key of one
gateway; the key is the token, or the password. The router is made here and mounted by the front door, which also says
how a request is authorised and what a refusal looks like, so that this room knows nothing of the API.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from domain.clock import Clock
from domain.errors import Fault
from domain.identity import is_identifier
from ingest.delivery import Chunk, Receipt
from ingest.directory import ClockRules
from ingest.formats import INFLUX_TOPIC, Formats, Rule
from ingest.metrics import RECEIPTS
from ingest.pipeline import Bounds, DeadLetterLimit, Pipeline, TooManyDeadLettersError
from ingest.topic import PREFIX, READINGS
from ingest.write import Writer
from storage import registry
from storage.database import connect
from storage.keys import Key, Scope

PACKET_BYTES_MAX = 1 << 20
COMMIT_S_MAX = 20.0

# The key of a request, by its bearer token or by another one given; raises what the API answers with.
KeyOf: TypeAlias = Callable[[Request, str | None], Key | None]
# Makes the exception that the API answers with: status, faults, headers.
Refusal: TypeAlias = Callable[[int, Sequence[Fault], Mapping[str, str] | None], Exception]


class ReceiptAnswer(BaseModel):
    """What became of the readings of one object, after the commit."""

    seq: int | str | None = Field(description="As sent; null where the object carried none.")
    stored: int
    held: int
    rejected: int
    committed_at: str = Field(description="RFC 3339.")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """What the routes are told. Batches are small: a request waits for its own."""

    database: str = field(repr=False)
    clock: ClockRules = field(default_factory=ClockRules)
    bounds: Bounds = field(default_factory=lambda: Bounds(10_000, 50_000, 8 << 20))
    payload_bytes_max: int = PACKET_BYTES_MAX
    dead_letters: DeadLetterLimit = field(default_factory=DeadLetterLimit)
    formats: tuple[Rule, ...] = ()


log = logging.getLogger(__name__)

InfluxPrecision: TypeAlias = Literal["ns", "us", "ms", "s", "n", "u", "m", "h"]


class _Waiting:
    """A request that waits for its commit."""

    def __init__(self) -> None:
        self.done: asyncio.Future[tuple[Sequence[Receipt], int]] = asyncio.get_running_loop().create_future()

    def committed(self, chunks: Sequence[Chunk], receipts: Sequence[Receipt], committed_us: int) -> None:  # noqa: ARG002
        if not self.done.done():
            self.done.set_result((receipts, committed_us))


def _say(failure: asyncio.Future[None]) -> None:
    if not failure.cancelled() and failure.exception() is not None:
        log.error("readings by HTTP are refused from now on: %s", failure.exception())


class HttpIngest:
    """The routes and the pipeline behind them; `lifespan` runs the pipeline as long as the application.

    key_of   the key of a request, None without one; raises what the API answers with where it is no good
    refusal  makes such an exception
    """

    def __init__(
        self,
        settings: HttpSettings,
        clock: Clock,
        key_of: KeyOf,
        refusal: Refusal,
        responses: dict[int | str, dict[str, Any]] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._key_of = key_of
        self._refusal = refusal
        self._pipeline: Pipeline | None = None
        self.router = APIRouter(tags=["readings"])
        self.router.post(
            "/v1/readings",
            status_code=202,
            summary="Send readings",
            response_model=ReceiptAnswer | list[ReceiptAnswer],
            responses=responses,
            openapi_extra={
                "requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA}}}
            },
        )(self.post_readings)
        for path, write in (("/api/v2/write", self.write_v2), ("/write", self.write_v1)):
            self.router.post(
                path,
                status_code=204,
                response_class=Response,
                summary="Write line protocol as to InfluxDB " + ("2" if write == self.write_v2 else "1"),
                responses=responses,
                openapi_extra={
                    "requestBody": {
                        "required": True,
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    }
                },
            )(write)

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        def connection() -> Any:
            return connect(self._settings.database, "carbonmeter http readings")

        def load() -> Any:
            with connection() as conn:
                return registry.load(conn)

        current = await asyncio.to_thread(load)
        pipeline = Pipeline(
            Writer(connection, self._clock, current),
            current,
            self._clock,
            rules=self._settings.clock,
            bounds=self._settings.bounds,
            limit=self._settings.dead_letters,
            formats=Formats(self._settings.formats),
        )
        pipeline.failure.add_done_callback(_say)
        self._pipeline = pipeline
        try:
            yield
        finally:
            self._pipeline = None
            if not pipeline.is_away:
                await pipeline.drain(COMMIT_S_MAX)
            await pipeline.close()

    async def post_readings(
        self,
        request: Request,
        uscc: Annotated[str | None, Query(description="Optional with a key of one gateway.")] = None,
        gateway: Annotated[str | None, Query(description="Optional with a key of one gateway.")] = None,
    ) -> JSONResponse:
        """Forms A, B and C, or an array of them. 202 after the commit, with a receipt for each object: what couldn't
        be read is kept as a dead letter and counted as rejected. A 4xx means that nothing was kept.
        """
        key = await run_in_threadpool(self._key_of, request, None)
        names = self._gateway(key, uscc, gateway)
        payload = await self._body(request, names)
        receipts, committed_us = await self._commit(f"{PREFIX}{names[0]}/{names[1]}/{READINGS}", payload)
        answers = [receipt.as_dict(committed_us) for receipt in receipts]
        is_array = payload.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] == b"["
        return JSONResponse(answers if is_array else answers[0], 202)

    async def write_v2(
        self,
        request: Request,
        bucket: Annotated[str, Query(description="USCC/GATEWAY; any name with a key of one gateway.")] = "",
        precision: Annotated[InfluxPrecision, Query()] = "ns",
        org: Annotated[str | None, Query(description="Not read.")] = None,  # noqa: ARG002
    ) -> Response:
        """Line protocol by `Authorization: Token KEY`, gzipped or not. 204 after the commit: lines and fields that
        couldn't be read are kept as dead letters, the others are stored. `docs/formats.md` says what becomes a reading.
        """
        return await self._write(request, "bucket", bucket, precision)

    async def write_v1(
        self,
        request: Request,
        db: Annotated[str, Query(description="USCC/GATEWAY; any name with a key of one gateway.")] = "",
        precision: Annotated[InfluxPrecision, Query()] = "ns",
        p: Annotated[
            str | None, Query(description="The key, as password; or by basic authorization.")
        ] = None,
        u: Annotated[str | None, Query(description="Not read.")] = None,  # noqa: ARG002
        rp: Annotated[str | None, Query(description="Not read.")] = None,  # noqa: ARG002
        consistency: Annotated[str | None, Query(description="Not read.")] = None,  # noqa: ARG002
    ) -> Response:
        """Line protocol with the key as a password, gzipped or not. Answers as `/api/v2/write` does."""
        return await self._write(request, "db", db, precision, p)

    async def _write(
        self, request: Request, place: str, name: str, precision: str, password: str | None = None
    ) -> Response:
        key = await run_in_threadpool(self._key_of, request, password or _token(request))
        uscc, slash, gateway = name.partition("/")
        if not slash and key is not None and key.only_gateway() is None:
            fault = Fault(
                place, f"is {name[:80]!r}, expected USCC/GATEWAY: the key isn't bound to one gateway"
            )
            raise self._refusal(422, [fault], None)
        names = self._gateway(key, uscc if slash else None, gateway if slash else None)
        payload = await self._body(request, names, may_be_gzipped=True)
        if payload.strip():
            topic = INFLUX_TOPIC.format(uscc=names[0], gateway=names[1], precision=precision)
            await self._commit(topic, payload)
        return Response(status_code=204)

    async def _commit(self, topic: str, payload: bytes) -> tuple[Sequence[Receipt], int]:
        """Receipts and committed_at [µs] of a payload; 503 where that doesn't come about soon."""
        pipeline = self._pipeline
        if pipeline is None or pipeline.is_away or pipeline.is_full or pipeline.failure.done():
            raise self._busy()
        waiting = _Waiting()
        pipeline.submit(
            Chunk(waiting, "http", self._clock.now_us(), [topic], [payload], [0], every_object=True)
        )
        try:
            receipts, committed_us = await asyncio.wait_for(waiting.done, COMMIT_S_MAX)
        except TimeoutError as error:
            raise self._busy() from error
        RECEIPTS.labels("http").inc(len(receipts))
        return receipts, committed_us

    def _busy(self) -> Exception:
        text, retry_after_s = "readings can't be committed just now; send them again", 1
        failure = None if self._pipeline is None else self._pipeline.failure
        if failure is not None and failure.done() and not failure.cancelled():
            # until a person has looked and started the service again
            text, retry_after_s = "no readings are taken until the service is started again", 60
            if isinstance(failure.exception(), TooManyDeadLettersError):
                text = f"{failure.exception()}; {text}"
        return self._refusal(503, [Fault("", text)], {"Retry-After": str(retry_after_s)})

    def _gateway(self, key: Key | None, uscc: str | None, gateway: str | None) -> tuple[str, str]:
        """(uscc, gateway) that the readings come from."""
        if key is None:
            fault = Fault("", "send a key: 'Authorization: Bearer KEY'")
            raise self._refusal(401, [fault], {"WWW-Authenticate": 'Bearer realm="carbonmeter"'})
        if not key.allows(Scope.READINGS_WRITE):
            raise self._refusal(403, [Fault("", f"this needs a key of scope {Scope.READINGS_WRITE}")], None)
        only = key.only_gateway()
        if only is not None:
            uscc, gateway = uscc or only[0], gateway or only[1]
        faults = []
        names = []
        for place, name in (("uscc", uscc), ("gateway", gateway)):
            if not name:
                faults.append(Fault(place, "is required: the key isn't bound to one gateway"))
            elif not is_identifier(name):
                faults.append(
                    Fault(place, f"{name[:80]!r} must be 1 to 64 of letters, digits, '.', '_', '-'")
                )
            else:
                names.append(name)
        if faults:
            raise self._refusal(422, faults, None)
        if not key.may_publish(names[0], names[1]):
            raise self._refusal(
                403, [Fault("gateway", f"this key isn't bound to {names[0]}/{names[1]}")], None
            )
        return names[0], names[1]

    async def _body(self, request: Request, names: tuple[str, str], *, may_be_gzipped: bool = False) -> bytes:
        """The payload; 413 beyond the maximum, packed or unpacked, which is recorded at the gateway."""
        encoding = request.headers.get("content-encoding", "identity")
        is_gzipped = may_be_gzipped and encoding == "gzip"
        if encoding != "identity" and not is_gzipped:
            raise self._refusal(
                415, [Fault("", "send the payload as it is, without a content encoding")], None
            )
        size_max = self._settings.payload_bytes_max
        declared = request.headers.get("content-length", "0")
        body = bytearray()
        size = int(declared) if declared.isascii() and declared.isdigit() else 0
        if size <= size_max:
            try:
                async for part in request.stream():
                    body += part
                    size = len(body)
                    if size > size_max:
                        break
            except ClientDisconnect as error:
                raise self._refusal(
                    400, [Fault("body", "the request ended within its body")], None
                ) from error
        payload = bytes(body)
        if is_gzipped and size <= size_max:
            unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            try:
                payload = unpacking.decompress(payload, size_max + 1)
            except zlib.error as error:
                raise self._refusal(400, [Fault("body", f"is no gzip: {error}")], None) from error
            size = len(payload)
            if size <= size_max and not unpacking.eof:
                raise self._refusal(400, [Fault("body", "the gzip ends too early")], None)
        if size > size_max:
            if self._pipeline is not None:
                self._pipeline.event(
                    "packet_too_large", names, f"a request of {size} bytes, the maximum is {size_max}"
                )
            raise self._refusal(413, [Fault("body", f"is larger than {size_max} bytes")], None)
        return payload


def _token(request: Request) -> str | None:
    """The key as the clients of InfluxDB send it: `Token KEY`, `Token USER:KEY`, or as a password."""
    kind, _, value = request.headers.get("authorization", "").strip().partition(" ")
    if kind.lower() == "token":
        return value.strip().rpartition(":")[2]
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return None


_TIME: dict[str, Any] = {
    "oneOf": [
        {"type": "string", "format": "date-time"},
        {"type": "number", "description": "Epoch milliseconds."},
    ]
}
_VALUE: dict[str, Any] = {"oneOf": [{"type": "string", "description": "A decimal."}, {"type": "number"}]}
_SEQ: dict[str, Any] = {"oneOf": [{"type": "integer"}, {"type": "string", "maxLength": 64}]}
_QUALITY: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2}
_REVISION: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 32767}


def _column(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _object(title: str, required: Sequence[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "title": title, "required": list(required), "properties": properties}


_OBJECT = {
    "oneOf": [
        _object(
            "A",
            ["readings"],
            {
                "seq": _SEQ,
                "readings": _column(
                    _object(
                        "Reading",
                        ["m", "c", "at", "v"],
                        {
                            "m": {"type": "string"},
                            "c": {"type": "string"},
                            "at": _TIME,
                            "v": _VALUE,
                            "q": _QUALITY,
                            "rev": _REVISION,
                        },
                    )
                ),
            },
        ),
        _object(
            "B",
            ["at", "values"],
            {
                "seq": _SEQ,
                "at": _TIME,
                "values": {"type": "object", "additionalProperties": _VALUE},
                "q": _QUALITY,
                "rev": _REVISION,
            },
        ),
        _object(
            "C",
            ["at", "ch", "v"],
            {
                "seq": _SEQ,
                "at": _column(_TIME),
                "ch": _column({"type": "string"}),
                "v": _column(_VALUE),
                "q": {"oneOf": [_QUALITY, _column(_QUALITY)]},
                "rev": {"oneOf": [_REVISION, _column(_REVISION)]},
            },
        ),
    ]
}
_SCHEMA: dict[str, Any] = {"oneOf": [_OBJECT, {"type": "array", "items": _OBJECT}]}

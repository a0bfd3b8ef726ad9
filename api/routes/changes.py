"""The feed of changes: by page, as a stream, and by webhooks."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from api import asked, schemas
from api.answer import json_answer, list_answer
from api.asked import Asked
from api.auth import Administrator, Reader
from api.changes import Heard, heard
from api.context import Context, Session, TheContext
from api.errors import Problem, not_found
from api.paging import LIMIT_DEFAULT, LIMIT_MAX, Page, Paged
from api.read_log import entries_of
from api.schemas import problems
from api.webhooks import check_url, secret_text
from domain.change import ChangeKind
from domain.errors import Fault
from domain.interval import to_us
from storage import changes, webhooks
from storage.keys import Key
from storage.webhooks import Webhook

router = APIRouter(tags=["changes"])

STREAMS_MAX = 200  # of a process at once
LOOK_S = 0.25
KEEP_ALIVE_S = 15.0
_STREAM_PAGE = 100

Kinds = Annotated[
    list[ChangeKind] | None, Query(description="These alone; may stand several times. Left out: all.")
]
Cursor = Annotated[
    str,
    Query(pattern=r"^[0-9]{1,18}$", description="`next` of the page before; left out: from the beginning."),
]
WebhookId = Annotated[int, Path(alias="id", ge=1, lt=1 << 63, description="Of a webhook.")]


@router.get(
    "/v1/changes",
    response_model=schemas.FeedPage,
    responses=problems(401, 403, 422),
    summary="What changed, in the order in which it was committed",
)
def get_change_feed(
    key: Reader,
    context: TheContext,
    cursor: Cursor = "0",
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Items in a page, at most.")] = LIMIT_DEFAULT,
    kinds: Kinds = None,
) -> Response:
    """Ask again with `next`, which is always there: nothing is left out, and each change keeps its `id`, by which a
    repeat is known. Told is what the key may read. `GET /v1/changes/stream` sends the same as it happens, and webhooks
    bring it.
    """
    with context.session(key) as session:
        told = heard(session, int(cursor), limit, kinds or ())
    return json_answer({"items": [item for _, item in told.items], "next": str(told.number)})


class _Newest:
    """The number of the last change, looked up for all streams of a process together."""

    def __init__(self) -> None:
        self.streams = 0
        self._number, self._looked = 0, float("-inf")
        self._lock = asyncio.Lock()

    async def number(self, context: Context) -> int:
        async with self._lock:
            if time.monotonic() - self._looked >= LOOK_S:
                self._number = await run_in_threadpool(_look, context)
                self._looked = time.monotonic()
        return self._number


def _look(context: Context) -> int:
    with context.pool.connection() as conn:
        return changes.newest(conn)


@router.get(
    "/v1/changes/stream",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {}},
            "description": "Server-sent events, one for each change.",
        },
        **problems(401, 403, 422),
    },
    summary="What changes, as it happens",
)
async def get_change_stream(
    request: Request,
    key: Reader,
    context: TheContext,
    cursor: Cursor = "0",
    kinds: Kinds = None,
    seconds: Annotated[
        int, Query(ge=0, le=86_400, description="Ends after so long; a client connects again by itself.")
    ] = 3_600,
    last_event_id: Annotated[
        str | None,
        Header(pattern=r"^[0-9]{1,18}$", description="The last event that was heard; wins over `cursor`."),
    ] = None,
) -> Response:
    """Server-sent events (`id`: the change's number, `event`: its kind, `data`: as in `GET /v1/changes`). A client that
    was cut off names the last one it has heard, as browsers do by themselves, and misses none.
    """
    newest: _Newest | None = getattr(request.app.state, "newest_change", None)
    if newest is None:
        newest = request.app.state.newest_change = _Newest()
    if newest.streams >= STREAMS_MAX:
        raise Problem(503, "too many streams are open here", headers={"Retry-After": "10"})
    mine = asked.current()
    until = time.monotonic() + seconds
    after = int(cursor if last_event_id is None else last_event_id)

    async def events() -> AsyncIterator[str]:
        newest.streams += 1
        try:
            number, spoke = after, time.monotonic()
            yield "retry: 2000\n\n"
            while not request.app.state.is_stopping():
                if await newest.number(context) > number:
                    told = await _told(request, context, key, mine, number, kinds or [])
                    for at, item in told.items:
                        data = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
                        yield f"id: {at}\nevent: {item['kind']}\ndata: {data}\n\n"
                        spoke = time.monotonic()
                    if told.number > number:
                        number = told.number
                        continue
                if time.monotonic() >= until:
                    return
                if time.monotonic() - spoke >= KEEP_ALIVE_S:
                    yield ": still here\n\n"
                    spoke = time.monotonic()
                await asyncio.sleep(LOOK_S)
        except Problem:
            return  # the key was revoked
        finally:
            newest.streams -= 1

    return StreamingResponse(
        events(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _told(
    request: Request,
    context: Context,
    key: Key | None,
    mine: Asked | None,
    number: int,
    kinds: list[ChangeKind],
) -> Heard:
    """The next changes of a stream, in the log of reads before they are sent."""
    this = None if mine is None else dataclasses.replace(mine, reads=[])

    def read() -> Heard:
        if this is not None:
            asked.begin(this)
        with context.session(key) as session:
            return heard(session, number, _STREAM_PAGE, kinds)

    told = await run_in_threadpool(read)
    if this is not None and this.reads:
        await request.app.state.reads.write(entries_of(this, 200, context.clock.now_us()))
    return told


# -- webhooks -----------------------------------------------------------------------------------------


class WebhookWish(BaseModel):
    """A webhook to be added."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(max_length=2000, description="https://…; http for this machine alone.")]
    key: Annotated[
        str, Field(pattern=r"^[0-9a-f]{8}$", description="Prefix of the key whose eyes it hears with.")
    ]
    kinds: list[ChangeKind] = Field(default_factory=list, description="None: all.")
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = Field(
        default=None, description="To begin behind this change; left out: behind the newest."
    )


class Replay(BaseModel):
    """From where a webhook is to be sent everything again."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = Field(
        default=None, description="Behind this change; left out: from where it stands."
    )


def _described(session: Session, hook: Webhook) -> dict[str, Any]:
    fields = hook._asdict()
    del fields["number"]
    return {
        **fields,
        "cursor": str(hook.number),
        **{
            name: None if moment is None else session.text(to_us(moment))
            for name, moment in (
                ("next_attempt_at", hook.next_attempt_at),
                ("delivered_at", hook.delivered_at),
                ("created_at", hook.created_at),
            )
        },
    }


def _answer(context: Context, key: Key | None, hook: Webhook, **more: str) -> Response:
    with context.session(key) as session:
        described = _described(session, hook)
    return json_answer({**described, **more}, 201 if more else 200)


@router.get(
    "/v1/webhooks",
    response_model=schemas.WebhooksPage,
    responses=problems(401, 403, 422),
    summary="Webhooks, and how far each has come",
)
def get_webhooks(key: Administrator, context: TheContext, page: Paged) -> Response:
    """By id; removed ones too."""
    with context.pool.connection() as conn:
        found = webhooks.every(conn, _after(page), page.limit + 1)
    with context.session(key) as session:
        items = [_described(session, each) for each in found[: page.limit]]
    last = found[page.limit - 1].id if len(found) > page.limit else None
    return list_answer(items, None if last is None else page.next(0, last))


def _after(page: Page) -> int:
    if page.after is None:
        return 0
    if not page.after.id.isascii() or not page.after.id.isdigit() or len(page.after.id) > 18:
        raise Problem(422, [Fault("cursor", "is no cursor of this list")])
    return int(page.after.id)


@router.post(
    "/v1/webhooks",
    status_code=201,
    response_model=schemas.NewWebhook,
    responses=problems(401, 403, 422),
    summary="Have changes sent to an address",
)
def post_webhook(key: Administrator, context: TheContext, wish: Annotated[WebhookWish, Body()]) -> Response:
    """Each change that the named key may read is posted there, in order, signed, until it is taken."""
    url = check_url(wish.url)
    after = None if wish.cursor is None else int(wish.cursor)
    with context.pool.connection() as conn:
        made = webhooks.add(conn, url, wish.key, wish.kinds, "a visitor" if key is None else key.label, after)
    if made is None:
        raise Problem(422, [Fault("body.key", f"no key that is in force begins with {wish.key!r}")])
    hook, secret = made
    return _answer(context, key, hook, secret=secret_text(secret))


@router.post(
    "/v1/webhooks/{id}/replay",
    response_model=schemas.WebhookItem,
    responses=problems(401, 403, 404, 422),
    summary="Send to a webhook again",
)
def post_webhook_replay(
    id_: WebhookId, key: Administrator, context: TheContext, wish: Annotated[Replay | None, Body()] = None
) -> Response:
    """Also to one that was given up: from where it stands, or from an earlier change on, or from a later one."""
    after = None if wish is None or wish.cursor is None else int(wish.cursor)
    with context.pool.connection() as conn:
        hook = webhooks.replay(conn, id_, after)
    if hook is None:
        raise not_found("id", f"there is no webhook {id_}, or it was removed")
    return _answer(context, key, hook)


@router.post(
    "/v1/webhooks/{id}/remove",
    response_model=schemas.WebhookItem,
    responses=problems(401, 403, 404, 422),
    summary="End a webhook",
)
def post_webhook_remove(id_: WebhookId, key: Administrator, context: TheContext) -> Response:
    """Nothing is sent there any more; its secret is forgotten. Removing twice changes nothing."""
    with context.pool.connection() as conn:
        hook = webhooks.remove(conn, id_)
    if hook is None:
        raise not_found("id", f"there is no webhook {id_}")
    return _answer(context, key, hook)

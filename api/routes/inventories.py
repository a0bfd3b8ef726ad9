"""Inventories: one enterprise-period by its guideline, from activity totals. Nothing is kept."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from accounting.inventory.answer import inventory_answer
from accounting.inventory.document import SIZE_MAX_BYTES
from api.answer import json_answer
from api.auth import needs
from api.body import body_of
from api.context import Context, TheContext
from api.inventory_schemas import DOCUMENT, InventoryAnswer
from api.schemas import problems
from storage.keys import Key, Scope

router = APIRouter(tags=["inventories"])

# It answers with what it was sent and published tables, nothing of anyone's: every key may ask.
AnyKey = Annotated[
    Key | None,
    Depends(needs(Scope.EMISSIONS_READ, Scope.REGISTRY_WRITE, Scope.READINGS_WRITE, Scope.CONSENTS_WRITE)),
]


@router.post(
    "/v1/inventories",
    response_model=InventoryAnswer,
    responses=problems(400, 401, 403, 413, 422),
    summary="Compute an inventory",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": DOCUMENT}}}},
)
async def post_inventory(request: Request, key: AnyKey, context: TheContext) -> Response:
    """The emissions of one enterprise and period by the guideline of its industry, exact, from activity totals. Every
    fault of the document is listed, and nothing is answered unless all of it is right. Nothing is kept.
    """
    document = await body_of(request, SIZE_MAX_BYTES)
    return await run_in_threadpool(_computed, document, key, context)


def _computed(document: bytes, key: Key | None, context: Context) -> Response:
    with context.session(key):  # a key that was revoked meanwhile is refused
        pass
    return json_answer(inventory_answer(document, context.library))

"""What is registered, and who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Response

from api import schemas
from api.answer import json_answer, list_answer
from api.auth import RegistryReader
from api.context import Session, TheContext
from api.measured import fraction_text
from api.paging import Page, Paged
from api.parameters import Uscc
from api.schemas import problems
from domain.interval import Calendar, Period, to_us
from domain.registry import (
    Band,
    ChannelVersion,
    Check,
    Dated,
    Enterprise,
    Point,
    Product,
    Source,
    Term,
    dated_value,
)
from storage import registry as registry_storage

router = APIRouter(tags=["registry"])
T = TypeVar("T")


def _page_of(items: Sequence[tuple[str, T]], page: Page) -> tuple[list[T], str | None]:
    """The items beyond the cursor, of a list that ascends by id and has no times."""
    rest = [pair for pair in items if page.after is None or pair[0] > page.after.id]
    shown = rest[: page.limit]
    return [item for _, item in shown], page.next(0, shown[-1][0]) if len(rest) > len(shown) else None


def _dated(history: Sequence[Dated[Any]], calendar: Calendar) -> list[dict[str, Any]]:
    return [
        {
            "from": None if each.from_day is None else calendar.date(each.from_day).isoformat(),
            "value": sorted(each.value) if isinstance(each.value, frozenset) else each.value,
        }
        for each in history
    ]


def _expression(terms: Sequence[Term]) -> str:
    text = " ".join(f"{'-' if term.sign < 0 else '+'} {term.point}" for term in terms)
    return text.removeprefix("+ ")


def _identity(enterprise: Enterprise, today: int) -> dict[str, Any]:
    return {
        "uscc": enterprise.uscc,
        "name_zh": enterprise.name_zh,
        "name_en": enterprise.name_en,
        "industry": enterprise.industry,
        "edition": dated_value(enterprise.editions, today),
        "grid": dated_value(enterprise.grid, today),
        "gb_t_4754": enterprise.gb_t_4754,
        "district": dated_value(enterprise.districts, today),
        "park": dated_value(enterprise.parks, today),
        "flags": sorted(dated_value(enterprise.flags, today) or ()),
    }


def _source(source: Source, calendar: Calendar, today: int) -> dict[str, Any]:
    current = dated_value(source.versions, today) or source.versions[0].value
    return {
        "id": source.code,
        "method": current.method,
        "fuel": current.fuel,
        "material": current.material,
        "expression": _expression(current.terms),
        "substitution": current.substitution,
        "versions": [
            {
                "from": None if each.from_day is None else calendar.date(each.from_day).isoformat(),
                "method": each.value.method,
                "fuel": each.value.fuel,
                "material": each.value.material,
                "expression": _expression(each.value.terms),
                "substitution": each.value.substitution,
            }
            for each in source.versions
        ],
        "parameters": [
            {
                "name": each.name,
                "value": fraction_text(each.value, 30),
                "unit": each.unit,
                "from": None if each.from_day is None else calendar.date(each.from_day).isoformat(),
                "origin": each.origin,
                "reference": each.reference,
            }
            for each in source.parameters
        ],
    }


def _product(product: Product, calendar: Calendar, today: int) -> dict[str, Any]:
    current = dated_value(product.versions, today) or product.versions[0].value
    return {
        "id": product.code,
        "unit": current.unit,
        "expression": _expression(current.terms),
        "versions": [
            {
                "from": None if each.from_day is None else calendar.date(each.from_day).isoformat(),
                "unit": each.value.unit,
                "expression": _expression(each.value.terms),
                "band": _band(each.value.band),
            }
            for each in product.versions
        ],
    }


def _band(band: Band | None) -> dict[str, Any] | None:
    return None if band is None else {"low": _text(band.low), "high": _text(band.high), "over": band.over}


def _check(check: Check) -> dict[str, Any]:
    """A check between channels, in the words of the registry document."""
    return {
        "id": check.code,
        "rule": check.rule,
        "main": _expression(check.main) or None,
        "subs": _expression(check.subs) or None,
        "product": check.product,
        "consumption": _expression(check.consumption) or None,
        "channel": check.channel,
        "tolerance": _text(check.tolerance),
        "shortest": _duration(check.shortest_us),
        "active": check.active,
    }


def _duration(us: int | None) -> str | None:
    """ISO 8601, of whole seconds."""
    if us is None:
        return None
    seconds = timedelta(microseconds=us) // timedelta(seconds=1)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = "".join(
        f"{value}{unit}" for value, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if value
    )
    return f"PT{parts or '0S'}"


def _period(period: Period | None) -> str | None:
    if period is None:
        return None
    return f"P{period.months}M" if period.months else _duration(period.us)


def _text(value: Fraction | None) -> str | None:
    return None if value is None else fraction_text(value, 30)


def channel_version(version: ChannelVersion, session: Session) -> dict[str, Any]:
    """A version of a channel, in the words of the registry document."""
    return {
        "valid_from": session.text(version.valid_from_us),
        "valid_to": None if version.valid_to_us is None else session.text(version.valid_to_us),
        "quantity": version.quantity,
        "kind": version.kind,
        "unit": version.unit,
        "multiplier": _text(version.multiplier),
        "resolution": _text(version.resolution),
        "modulus": _text(version.modulus),
        "max_rate": _text(version.max_rate),
        "max_gap": _duration(version.max_gap_us),
        "period": _period(version.period),
        "snap": version.snap,
        "opening": _text(version.opening),
        "closing": _text(version.closing),
    }


def _channel(point: Point, session: Session) -> dict[str, Any]:
    return {
        "id": point.channel,
        "channel": point.name,
        "quantity": point.quantity,
        "kind": point.kind,
        "unit": point.unit,
        "derived": None
        if point.derivation is None
        else {"function": point.derivation.function, "inputs": dict(point.derivation.inputs)},
        # A derived channel has no validity of its own: its inputs' bound it.
        "versions": []
        if point.derivation is not None
        else [channel_version(version, session) for version in point.versions],
    }


def _meters(enterprise: Enterprise, session: Session) -> list[tuple[str, dict[str, Any]]]:
    channels: dict[str, list[Point]] = {id_: [] for id_ in enterprise.meters}
    for _, point in sorted(enterprise.points.items()):
        channels.setdefault(point.meter, []).append(point)
    return [
        (
            f"{enterprise.uscc}/{id_}",
            {
                "uscc": enterprise.uscc,
                "id": id_,
                "name": enterprise.meters.get(id_),
                "calibrations": [
                    {
                        "from": session.calendar.date(each.from_day).isoformat(),
                        "until": None
                        if each.until_day is None
                        else session.calendar.date(each.until_day).isoformat(),
                        "reference": each.reference,
                    }
                    for each in enterprise.calibrations.get(id_, ())
                ],
                "channels": [_channel(point, session) for point in points],
            },
        )
        for id_, points in sorted(channels.items())
    ]


@router.get(
    "/v1/enterprises",
    response_model=schemas.EnterprisesPage,
    responses=problems(401, 403, 422),
    summary="Enterprises",
)
def get_enterprises(key: RegistryReader, context: TheContext, page: Paged) -> Response:
    """All registered enterprises by USCC, with the membership and flags in force today."""
    with context.session(key) as session:
        today = session.calendar.day(session.now_us)
        every = [
            (uscc, _identity(each, today))
            for uscc, each in sorted(session.registry.enterprises.items())
            if session.may_read(uscc)
        ]
        items, more = _page_of(every, page)
        session.shown(item["uscc"] for item in items)
        return list_answer(items, more)


@router.get(
    "/v1/enterprises/{uscc}",
    response_model=schemas.Enterprise,
    responses=problems(401, 403, 404, 422),
    summary="One enterprise",
)
def get_enterprise(uscc: Uscc, key: RegistryReader, context: TheContext) -> Response:
    """An enterprise with its gateways, sources and products, and the history of what is dated."""
    with context.session(key) as session:
        enterprise, calendar = session.enterprise(uscc), session.calendar
        today = calendar.day(session.now_us)
        return json_answer(
            {
                **_identity(enterprise, today),
                "history": {
                    "edition": _dated(enterprise.editions, calendar),
                    "grid": _dated(enterprise.grid, calendar),
                    "district": _dated(enterprise.districts, calendar),
                    "park": _dated(enterprise.parks, calendar),
                    "flags": _dated(enterprise.flags, calendar),
                },
                "gateways": sorted(enterprise.gateways),
                "meters": sorted(enterprise.meters),
                "sources": [_source(each, calendar, today) for _, each in sorted(enterprise.sources.items())],
                "products": [
                    _product(each, calendar, today) for _, each in sorted(enterprise.products.items())
                ],
                "checks": [_check(each) for _, each in sorted(enterprise.checks.items())],
            }
        )


@router.get("/v1/parks", response_model=schemas.ParksPage, responses=problems(401, 403, 422), summary="Parks")
def get_parks(key: RegistryReader, context: TheContext, page: Paged) -> Response:
    """All registered parks by code."""
    with context.session(key) as session:
        every = [
            (
                code,
                {"code": code, "name_zh": park.name_zh, "name_en": park.name_en, "district": park.district},
            )
            for code, park in sorted(session.registry.parks.items())
        ]
        return list_answer(*_page_of(every, page))


@router.get(
    "/v1/meters",
    response_model=schemas.MetersPage,
    responses=problems(401, 403, 404, 422),
    summary="Meters and their channels",
)
def get_meters(
    key: RegistryReader,
    context: TheContext,
    page: Paged,
    uscc: Annotated[str | None, Query(max_length=64, description="Only this enterprise's.")] = None,
) -> Response:
    """Meters by USCC and id, each with its channels, derived ones too, and their versions in time."""
    with context.session(key) as session:
        registry = session.registry
        if uscc is not None:
            chosen = [session.enterprise(uscc)]
        else:
            chosen = [each for each in registry.enterprises.values() if session.may_read(each.uscc)]
        every = [pair for enterprise in chosen for pair in _meters(enterprise, session)]
        every.sort(key=lambda pair: pair[0])
        items, more = _page_of(every, page)
        if uscc is None:
            session.shown(item["uscc"] for item in items)
        return list_answer(items, more)


@router.get(
    "/v1/registry/changes",
    response_model=schemas.ChangesPage,
    responses=problems(401, 403, 422),
    summary="Who changed what in the registry",
)
def get_registry_changes(
    key: RegistryReader,
    context: TheContext,
    page: Paged,
    uscc: Annotated[str | None, Query(max_length=64, description="Only this enterprise's.")] = None,
) -> Response:
    """Every change in the order in which it was made, with what stood before and after."""
    with context.session(key) as session:
        readable = session.readable()
        if uscc is not None and (readable is not None or uscc in session.registry.enterprises):
            session.enterprise(uscc)
        after = page.after.id if page.after is not None else "0"
        found = registry_storage.changes(
            session.conn,
            after_id=int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0,
            uscc=uscc,
            only=readable,
            limit=page.limit + 1,
        )
        shown = found[: page.limit]
        if uscc is None:
            session.shown(change.uscc for change in shown)
        items = [
            {
                "id": change.id,
                "at": session.text(to_us(change.changed_at)),
                "version": change.version,
                "by": change.changed_by,
                "why": change.why,
                "kind": change.kind,
                "uscc": change.uscc or None,
                "key": list(change.key),
                "before": change.before,
                "after": change.after,
            }
            for change in shown
        ]
        more = len(found) > len(shown)
        return list_answer(items, page.next(to_us(shown[-1].changed_at), shown[-1].id) if more else None)

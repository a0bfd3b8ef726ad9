"""Findings of the checks between channels: to look at, to explain, to settle; and the rules that find them."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from accounting.validation.rules import Rules, load
from api import finding_schemas as schemas
from api.answer import json_answer, list_answer
from api.auth import RegistryReader, needs
from api.context import Context, Session, TheContext
from api.errors import Problem, not_found
from api.paging import Paged
from api.parameters import Time
from api.schemas import problems
from domain.errors import Fault
from domain.finding import RULES_ACTOR, Finding
from domain.interval import format_time, to_us
from domain.reading import decimal_text
from domain.validation import CheckRule, FindingState, Severity
from storage import findings
from storage.findings import FindingFilter
from storage.keys import Key, Scope

router = APIRouter(tags=["findings"])

TEXT_MAX = 2_000
BY_MAX = 100

FindingId = Annotated[int, Path(alias="id", ge=1, lt=1 << 63)]
Judge = Annotated[Key | None, Depends(needs(Scope.REGISTRY_WRITE))]


class Word(BaseModel):
    """What a person says of a finding."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=TEXT_MAX, pattern=r"\S")]
    by: Annotated[str, Field(min_length=1, max_length=BY_MAX, pattern=r"\S")] | None = Field(
        default=None, description="Who says it; left out: the key's name."
    )


@cache
def _rules() -> Rules:
    return load()


@router.get(
    "/v1/findings",
    response_model=schemas.FindingsPage,
    responses=problems(401, 403, 404, 422),
    summary="What the checks between channels found",
)
def get_findings(
    key: RegistryReader,
    context: TheContext,
    page: Paged,
    uscc: Annotated[str | None, Query(max_length=64, description="Only this enterprise's.")] = None,
    rule: Annotated[CheckRule | None, Query()] = None,
    severity: Annotated[Severity | None, Query()] = None,
    state: Annotated[FindingState | None, Query()] = None,
    from_: Annotated[
        Time | None, Query(alias="from", description="Those whose period reaches beyond this moment.")
    ] = None,
    to: Annotated[Time | None, Query(description="Those whose period begins before this moment.")] = None,
) -> Response:
    """By the beginning of their period; settled ones too. A finding changes no figure."""
    if from_ is not None and to is not None and to <= from_:
        raise Problem(422, [Fault("to", f"{format_time(to)} must lie after from ({format_time(from_)})")])
    after = None
    if page.after is not None:
        if not page.after.id.isascii() or not page.after.id.isdigit() or len(page.after.id) > 18:
            raise Problem(422, [Fault("cursor", "is no cursor of this list")])
        after = page.after.at_us, int(page.after.id)
    with context.session(key) as session:
        if uscc is not None:
            session.enterprise(uscc)
        wanted = FindingFilter(uscc, rule, severity, state, from_, to, session.readable())
        found = findings.findings(session.conn, wanted, after, page.limit + 1)
        shown = found[: page.limit]
        if uscc is None:
            session.shown(each.uscc for each in shown)
        more = page.next(shown[-1].from_us, shown[-1].id) if len(found) > len(shown) else None
        return list_answer([_item(each, session) for each in shown], more)


def _item(finding: Finding, session: Session) -> dict[str, Any]:
    rule = _rules()[finding.rule]
    said = None
    if finding.explained_by is not None:
        said = {"by": finding.explained_by, "text": finding.explanation}
    return {
        "id": finding.id,
        "uscc": finding.uscc,
        "rule": finding.rule,
        "name_zh": rule.name_zh,
        "name_en": rule.name_en,
        "severity": finding.severity,
        "subject": finding.subject,
        "channels": list(finding.channels),
        "from": session.text(finding.from_us),
        "to": session.text(finding.to_us),
        "days": finding.days,
        "in_doubt_co2e_kg": decimal_text(finding.mg, -6),
        "state": finding.state,
        "holds": finding.holds,
        "explanation": said,
        "found_at": session.text(to_us(finding.found_at)),
        "changed_at": session.text(to_us(finding.changed_at)),
        "changed_by": finding.changed_by,
        "why": finding.why,
    }


def _whole(session: Session, id_: int) -> dict[str, Any]:
    """A finding with its evidence and history; Problem 404 where there is none of this id."""
    finding, unknown = findings.finding(session.conn, id_), not_found("id", f"no finding {id_} is known")
    if finding is None:
        raise unknown
    session.enterprise(finding.uscc, unknown=unknown)
    return {
        **_item(finding, session),
        "evidence": findings.evidence(session.conn, id_),
        "history": [
            {
                "state": each.state,
                "at": session.text(to_us(each.changed_at)),
                "by": each.changed_by,
                "why": each.why,
            }
            for each in findings.states(session.conn, id_)
        ],
    }


@router.get(
    "/v1/findings/{id}",
    response_model=schemas.Finding,
    responses=problems(401, 403, 404, 422),
    summary="A finding with its evidence and history",
)
def get_finding(id_: FindingId, key: RegistryReader, context: TheContext) -> Response:
    """`evidence` has the days that it was found on, `history` every state that it was in."""
    with context.session(key) as session:
        return json_answer(_whole(session, id_))


@router.post(
    "/v1/findings/{id}/explain",
    response_model=schemas.Finding,
    responses=problems(401, 403, 404, 409, 422),
    summary="Explain a finding",
)
def explain_finding(
    id_: FindingId, key: Judge, context: TheContext, word: Annotated[Word, Body()]
) -> Response:
    """An open or explained finding is explained from now on, by whom and why. A settled one isn't taken: 409."""
    return _say(context, key, id_, word, settles=False)


@router.post(
    "/v1/findings/{id}/settle",
    response_model=schemas.Finding,
    responses=problems(401, 403, 404, 422),
    summary="Settle a finding",
)
def settle_finding(
    id_: FindingId, key: Judge, context: TheContext, word: Annotated[Word, Body()]
) -> Response:
    """An open or explained finding is settled for as far as it reaches now; where it goes on beyond, it opens again.
    One that is settled already is answered as it is.
    """
    return _say(context, key, id_, word, settles=True)


def _say(context: Context, key: Key | None, id_: int, word: Word, *, settles: bool) -> Response:
    by = (word.by or (key.label if key is not None else "a visitor")).strip()
    if by == RULES_ACTOR:
        raise Problem(422, [Fault("body.by", f"{RULES_ACTOR} stands for the rules; give a person's name")])
    if "\x00" in by + word.text:
        raise Problem(422, [Fault("body", "texts must not hold a null character")])
    with context.session(key) as session:
        _whole(session, id_)
    with context.pool.connection() as conn, conn.transaction():
        put = findings.settle if settles else findings.explain
        if not put(conn, id_, by, word.text.strip()) and not settles:
            raise Problem(409, [Fault("id", f"finding {id_} is settled")])
    with context.session(key) as session:
        return json_answer(_whole(session, id_))


@router.get(
    "/v1/validation/rules",
    response_model=schemas.RulesPage,
    responses=problems(401, 403, 422),
    summary="The checks between channels",
)
def get_rules(key: RegistryReader, context: TheContext, page: Paged) -> Response:
    """Each rule with what it judges, its limits, their source and confidence, by code."""
    with context.session(key):
        rest = [
            rule
            for code, rule in sorted(_rules().by_code.items())
            if page.after is None or code.value > page.after.id
        ]
    shown = rest[: page.limit]
    items = [
        {
            "code": rule.code,
            "name_zh": rule.name_zh,
            "name_en": rule.name_en,
            "severity": rule.severity,
            "judges": rule.judges,
            "in_doubt": rule.in_doubt,
            "limits": [
                {"name": name, "value": limit.text, "unit": limit.unit, "meaning": limit.meaning}
                for name, limit in rule.limits.items()
            ],
            "source": rule.source,
            "confidence": rule.confidence,
        }
        for rule in shown
    ]
    return list_answer(items, page.next(0, shown[-1].code.value) if len(rest) > len(shown) else None)

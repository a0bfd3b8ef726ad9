"""Publishing a quarter's grades (试算 → 告知 → 生效), ending objections, and the indicative grades of closed months."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

from accounting.factors.load import load as load_factors
from accounting.grades.inputs import month_text
from api import grading
from api.context import Context, Session, open_pool
from api.settings import ApiSettings
from domain.clock import Clock, SystemClock
from domain.errors import Refused
from domain.signing import Signer
from storage import grades, services
from storage.database import Connection

log = logging.getLogger("carbonmeter.grades")

STAGES = ("TRIAL", "NOTIFIED", "EFFECTIVE")
GRACE_US = 3_600_000_000  # after a month's end: what comes later than that is late
LOOK_S = 5.0  # between two looks at whether a month has been closed
GRADES_LOCK = 0x6772_6164_6573  # "grades": one process grades


def advance(
    context: Context, month: int, stage: str, signer: Signer | None, by: str, why: str
) -> dict[str, Any]:
    """Take a quarter to its next stage; a trial makes the records. Refused where it isn't the next one."""
    with context.session(None) as session, context.pool.connection() as conn, conn.transaction():
        _lock(conn)
        reached = [each.stage for each in grades.stages(conn, month)]
        following = STAGES[len(reached)] if len(reached) < len(STAGES) else None
        if stage != following:
            now = f"is {reached[-1]}" if reached else "has no trial yet"
            raise Refused(
                f"{month_text(month)} {now}: " + (f"{following} comes next" if following else "it is done")
            )
        until = None
        if stage == "TRIAL":
            grading.run(session, conn, month, grading.PUBLISHED, signer)
        elif stage == "NOTIFIED":
            days = grading.scheme_in_force(conn, month).publication.objection_workdays
            until = grading.workdays_after(_today(session), days)
        else:
            _check_open(session, conn, month)
        grades.add_stage(conn, month, stage, until, by, why)
        records = grades.records(conn, kinds=[grading.PUBLISHED], first=month, last=month, superseded=False)
    return {
        "month": month_text(month),
        "stage": stage,
        "until": None if until is None else until.isoformat(),
        "records": len(records),
    }


def _check_open(session: Session, conn: Connection, month: int) -> None:
    """Refused while objections may still be raised, or aren't decided."""
    notified = next(each for each in grades.stages(conn, month) if each.stage == "NOTIFIED")
    if notified.until is not None and _today(session) <= notified.until:
        raise Refused(f"objections to {month_text(month)} may be raised until {notified.until}")
    undecided = [each.id for each in grades.objections(conn, month=month) if each.outcome is None]
    if undecided:
        raise Refused(f"objections {', '.join(map(str, undecided))} to {month_text(month)} aren't decided")


def decide(
    context: Context, number: int, outcome: str, signer: Signer | None, by: str, why: str
) -> dict[str, Any]:
    """End an objection. CORRECTED grades the enterprise anew, as the books and statements are now; the new record takes
    the place of the one that was objected to.
    """
    with context.session(None) as session, context.pool.connection() as conn, conn.transaction():
        _lock(conn)
        found = grades.objections(conn, id_=number)
        if not found:
            raise Refused(f"there is no objection {number}")
        objection = found[0]
        if objection.outcome is not None:
            raise Refused(f"objection {number} is decided: {objection.outcome}")
        new: int | None = None
        if outcome == "CORRECTED":
            before = grades.record(conn, objection.record_id)
            assert before is not None
            for each in grading.compute(session, before.month, before.kind):
                if session.registry.enterprises[each.inputs.uscc].id == objection.enterprise_id:
                    [new] = grading.record(
                        conn, session, [each], before.kind, signer, supersedes={each.inputs.uscc: before.id}
                    )
        grades.decide(conn, objection, outcome, new, by, why)
    return {"id": number, "outcome": outcome, "new_grade": new}


def _today(session: Session) -> date:
    return session.calendar.date(session.calendar.day(session.now_us))


def _lock(conn: Connection) -> None:
    conn.execute("SELECT pg_advisory_xact_lock(%s)", [GRADES_LOCK])


class Grader:
    """Makes the indicative grades of each month once it has closed: an hour after its end, when accounting is there.
    Each day, whose inputs have changed since is graded anew. A notified quarter becomes effective when its time ends.
    """

    def __init__(self, settings: ApiSettings, signer: Signer, clock: Clock | None = None) -> None:
        self._pool = open_pool(settings)
        self._context = Context(settings, self._pool, clock or SystemClock(), load_factors())
        self._signer = signer
        self._done: tuple[int, int, int] | None = None  # month, day and registry version that were graded

    def __enter__(self) -> Grader:
        self._pool.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def step(self) -> float:
        """What is due; how long to rest then [s]."""
        with self._context.session(None) as session:
            today = _today(session)
            month = grading.last_closed_month(session)
            now = (month, session.calendar.day(session.now_us - GRACE_US), session.registry.version)
            is_over = session.now_us - GRACE_US >= session.calendar.day_start(
                grading.first_day(session, month + 1)
            )
            if self._done != now and is_over and _is_accounted(session.conn):
                with self._pool.connection() as conn, conn.transaction():
                    _lock(conn)
                    kept, graded = grading.run(
                        session, conn, month, grading.INDICATIVE, self._signer, is_again=True
                    )
                if kept:
                    log.info("%s: %d graded, %d new records", month_text(month), graded, kept)
                self._done = now
        self._make_effective(today)
        return LOOK_S

    def _make_effective(self, today: date) -> None:
        with self._pool.connection() as conn:
            stages = grades.stages(conn)
        done = {each.month for each in stages if each.stage == "EFFECTIVE"}
        for each in stages:
            if each.stage != "NOTIFIED" or each.month in done or each.until is None or today <= each.until:
                continue
            why = "the time to object is over"
            try:
                advance(self._context, each.month, "EFFECTIVE", self._signer, "carbonmeter", why)
            except Refused as error:
                log.debug("%s", error)  # an objection is open: looked at again


def _is_accounted(conn: Connection) -> bool:
    """Whether accounting is there, and ready: it has taken in what was committed."""
    found = [each for each in services.services(conn) if each.name.startswith("accounting") and each.fresh]
    return bool(found) and all(each.ready for each in found)

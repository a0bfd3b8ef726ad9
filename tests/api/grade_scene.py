"""Grade records put into a city's books as a run puts them, from inputs written by hand."""

from __future__ import annotations

from datetime import date

from accounting.factors.load import load as load_library
from accounting.grades.grade import grade_many
from accounting.grades.scheme_read import default_scheme
from api import grading
from api.context import Context, open_pool
from api.settings import ApiSettings
from domain.signing import Ed25519Signer
from storage import grades
from tests.accounting.grades.cases import enterprise, peers
from tests.api.conftest import STEEL, City, FixedClock

MONTH = 653  # 2024-06


def add_grades(city: City, uscc: str = STEEL) -> list[int]:
    """An indicative record of an enterprise, and a published one that is open to objections; their ids."""
    settings = ApiSettings(city.database.url, connections_max=2)
    inputs = enterprise(9_000, 1_000, uscc=uscc)
    shift = MONTH - inputs.month
    moved = enterprise(
        9_000,
        1_000,
        uscc=uscc,
        month=MONTH,
        emissions={month + shift: mg for month, mg in inputs.emissions.items()},
        figures={},
    )
    [found] = grade_many([moved, *peers()], default_scheme())[:1]
    with open_pool(settings) as pool:
        context = Context(settings, pool, FixedClock(), load_library())
        with context.session(None) as session, pool.connection() as conn, conn.transaction():
            signer = Ed25519Signer.new()
            ids = [
                grading.record(conn, session, [found], kind, signer)[0]
                for kind in ("INDICATIVE", "PUBLISHED")
            ]
            grades.add_stage(conn, MONTH, "TRIAL", None, "tests", "a trial")
            grades.add_stage(conn, MONTH, "NOTIFIED", date(2199, 1, 1), "tests", "told")
    return ids

"""Findings: read for people, explained and settled by them; the days that validation still owes, and what it writes.

`findings_at` and `of_enterprise` read one moment; `explain` and `settle` commit with the caller's transaction.
`ValidationBooks` is what the validator of accounting asks of the database, within one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from psycopg.types.json import Jsonb

from domain.finding import RULES_ACTOR, Finding, FindingDay, Joined, Known, StateChange, Turn
from domain.ledger import EVERY_SHARD, SHARDS
from domain.validation import CheckRule, FindingState, Severity
from storage import changes, consumption, emissions
from storage.database import Connection
from storage.emissions import By, Filter, UsedFactor, Want

NOTED_MAX = 20_000  # days that a run writes and a process remembers to have noted; of more it forgets
_DAY_ZERO = 1 << 31  # days before 1970 are numbers too


class FindingFilter(NamedTuple):
    """Which findings: all that is given must hold.

    from_us, to_us  those whose period touches this range, half-open
    only            of these enterprises, by USCC; None: of all
    """

    uscc: str | None = None
    rule: str | None = None
    severity: str | None = None
    state: str | None = None
    from_us: int | None = None
    to_us: int | None = None
    only: Sequence[str] | None = None


_SELECT = """
    SELECT f.id, e.uscc, f.rule, f.severity, f.subject, f.channels, f.from_us, f.to_us, f.days, f.mg, f.holds, f.state,
           first.changed_at, last.changed_at, last.changed_by, last.why, said.changed_by, said.why
    FROM findings f
    JOIN enterprises e ON e.id = f.enterprise_id
    JOIN LATERAL (SELECT changed_at FROM finding_states s WHERE s.finding_id = f.id
                  ORDER BY s.id LIMIT 1) AS first ON true
    JOIN LATERAL (SELECT changed_at, changed_by, why FROM finding_states s WHERE s.finding_id = f.id
                  ORDER BY s.id DESC LIMIT 1) AS last ON true
    LEFT JOIN LATERAL (SELECT changed_by, why FROM finding_states s
                       WHERE s.finding_id = f.id AND s.state = 'explained' AND s.changed_by <> %(rules)s
                       ORDER BY s.id DESC LIMIT 1) AS said ON true
"""

_WHERE = """
    WHERE (%(uscc)s::text IS NULL OR e.uscc = %(uscc)s)
      AND (%(only)s::text[] IS NULL OR e.uscc = ANY (%(only)s))
      AND (%(rule)s::text IS NULL OR f.rule = %(rule)s)
      AND (%(severity)s::text IS NULL OR f.severity = %(severity)s)
      AND (%(state)s::text IS NULL OR f.state = %(state)s)
      AND (%(from)s::bigint IS NULL OR f.to_us > %(from)s)
      AND (%(to)s::bigint IS NULL OR f.from_us < %(to)s)
      AND (%(after_us)s::bigint IS NULL OR (f.from_us, f.id) > (%(after_us)s, %(after_id)s::bigint))
    ORDER BY f.from_us, f.id LIMIT %(limit)s
"""


def findings(
    conn: Connection, wanted: FindingFilter, after: tuple[int, int] | None, limit: int | None
) -> list[Finding]:
    """Findings by the beginning of their period, then id, beyond (beginning [µs], id)."""
    rows = conn.execute(
        _SELECT + _WHERE,
        {
            "rules": RULES_ACTOR,
            "uscc": wanted.uscc,
            "only": None if wanted.only is None else list(wanted.only),
            "rule": wanted.rule,
            "severity": wanted.severity,
            "state": wanted.state,
            "from": wanted.from_us,
            "to": wanted.to_us,
            "after_us": None if after is None else after[0],
            "after_id": None if after is None else after[1],
            "limit": limit,
        },
    )
    return [_finding(row) for row in rows]


def of_enterprise(conn: Connection, uscc: str, from_us: int, to_us: int) -> list[Finding]:
    """All findings of an enterprise whose period touches [from_us, to_us), settled ones too."""
    return findings(conn, FindingFilter(uscc, from_us=from_us, to_us=to_us), None, None)


def finding(conn: Connection, id_: int) -> Finding | None:
    row = conn.execute(f"{_SELECT} WHERE f.id = %(id)s", {"rules": RULES_ACTOR, "id": id_}).fetchone()
    return None if row is None else _finding(row)


def _finding(row: Sequence[Any]) -> Finding:
    id_, uscc, rule, severity, subject, channels, from_us, to_us, days, mg, holds, state, *rest = row
    return Finding(
        id_,
        uscc,
        CheckRule(rule),
        Severity(severity),
        subject,
        tuple(channels),
        from_us,
        to_us,
        days,
        int(mg),
        holds,
        FindingState(state),
        *rest,
    )


def evidence(conn: Connection, id_: int) -> list[dict[str, Any]]:
    """What the days of a finding show; the first and the last of them where they are many."""
    row = conn.execute("SELECT evidence FROM findings WHERE id = %s", [id_]).fetchone()
    return [] if row is None else list(row[0])


def states(conn: Connection, id_: int) -> list[StateChange]:
    """Every state that a finding came to, in order."""
    rows = conn.execute(
        """SELECT state, changed_at, changed_by, why FROM finding_states WHERE finding_id = %s ORDER BY id""",
        [id_],
    )
    return [StateChange(FindingState(state), at, by, why) for state, at, by, why in rows]


# -- what people say of them --------------------------------------------------------------------------


def explain(conn: Connection, id_: int, by: str, text: str) -> bool:
    """Keep a person's explanation; False where the finding is settled, and then nothing changes."""
    return _put(conn, id_, FindingState.EXPLAINED, by, text)


def settle(conn: Connection, id_: int, by: str, text: str) -> bool:
    """Settle a finding for as far as it reaches now; False where it is settled already."""
    return _put(conn, id_, FindingState.SETTLED, by, text)


def _put(conn: Connection, id_: int, state: FindingState, by: str, why: str) -> bool:
    row = conn.execute(
        """UPDATE findings SET state = %(state)s,
                  settled_end_day = CASE WHEN %(state)s = 'settled' THEN end_day ELSE settled_end_day END
           WHERE id = %(id)s AND state <> 'settled' RETURNING id""",
        {"state": state.value, "id": id_},
    ).fetchone()
    if row is None:
        return False
    _write_state(conn, id_, state, by, why)
    return True


def _write_state(conn: Connection, id_: int, state: FindingState, by: str, why: str) -> None:
    conn.execute(
        """INSERT INTO finding_states (finding_id, state, changed_at, changed_by, why)
           VALUES (%s, %s, clock_timestamp(), %s, %s)""",
        [id_, state.value, by, why],
    )
    changes.announce_finding(conn, id_, state.value, why)


# -- what the validator asks --------------------------------------------------------------------------


class Due(NamedTuple):
    """Days [first_day, end_day) of an enterprise that are to be judged."""

    id: int
    enterprise_id: int
    first_day: int
    end_day: int


def mark_due(conn: Connection, ranges: Iterable[tuple[int, int, int]]) -> None:
    """Note (enterprise id, first day, end day) as to be judged, in the caller's transaction."""
    rows = list(ranges)
    if rows:
        conn.execute(
            """INSERT INTO validation_due (enterprise_id, first_day, end_day)
               SELECT * FROM unnest(%s::integer[], %s::integer[], %s::integer[])""",
            [[row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]],
        )


class ValidationBooks:
    """The books as validation reads them, and its own tables, within one transaction of `conn`.

    shards  what is due is told of these alone
    """

    def __init__(self, conn: Connection, shards: Collection[int] = EVERY_SHARD) -> None:
        self._conn = conn
        self._shards = list(shards)

    def state(self) -> tuple[int, str] | None:
        """(registry version, hash of the rules) that what isn't due was judged by; None before the first time."""
        row = self._conn.execute("SELECT registry_version, rules_hash FROM validation_state").fetchone()
        return None if row is None else (row[0], row[1])

    def put_state(self, registry_version: int, rules_hash: str) -> None:
        self._conn.execute(
            """INSERT INTO validation_state (registry_version, rules_hash) VALUES (%s, %s)
               ON CONFLICT (one) DO UPDATE SET registry_version = excluded.registry_version,
                   rules_hash = excluded.rules_hash""",
            [registry_version, rules_hash],
        )

    def accounted_registry(self) -> int | None:
        """The version of the registry that the books stand on; None before the first run."""
        row = self._conn.execute("SELECT min(registry_version) FROM cursors").fetchone()
        return None if row is None else row[0]

    def changed_since(self, registry_version: int) -> set[str]:
        """The enterprises of which anything that findings rest on was registered after a version."""
        rows = self._conn.execute(
            """SELECT DISTINCT uscc FROM registry_changes
               WHERE version > %s AND uscc <> '' AND kind <> 'gateway'""",
            [registry_version],
        )
        return {uscc for (uscc,) in rows}

    def mark_whole(self, enterprise_ids: Sequence[int]) -> None:
        """Note every day of these enterprises that the books know."""
        self._conn.execute(
            """INSERT INTO validation_due (enterprise_id, first_day, end_day)
               SELECT e.id, min(d.low), max(d.high) + 1
               FROM unnest(%s::integer[]) AS e (id)
               JOIN points p ON p.enterprise_id = e.id
               CROSS JOIN LATERAL (SELECT min(day) AS low, max(day) AS high FROM consumption_days
                                   WHERE channel_id = p.id) AS d
               WHERE d.low IS NOT NULL GROUP BY e.id""",
            [list(enterprise_ids)],
        )

    def due(self, closed_day: int) -> list[Due]:
        """The days before `closed_day` that are due, of one enterprise: the one of its shards that waited longest."""
        rows = self._conn.execute(
            f"""SELECT id, enterprise_id, first_day, end_day FROM validation_due
               WHERE first_day < %(closed)s AND enterprise_id = (
                   SELECT enterprise_id FROM validation_due
                   WHERE first_day < %(closed)s AND enterprise_id %% {SHARDS} = ANY(%(shards)s)
                   ORDER BY id LIMIT 1)
               ORDER BY id""",
            {"closed": closed_day, "shards": self._shards},
        )
        return [Due(*row) for row in rows]

    def done(self, due: Sequence[Due], until_day: int) -> None:
        """Days before `until_day` of these are judged; what lies beyond stays due."""
        self._conn.execute("DELETE FROM validation_due WHERE id = ANY(%s)", [[each.id for each in due]])
        mark_due(
            self._conn,
            {
                (each.enterprise_id, max(each.first_day, until_day), each.end_day)
                for each in due
                if each.end_day > until_day
            },
        )

    def is_due(self, enterprise_id: int, closed_day: int) -> bool:
        """Whether days of an enterprise before `closed_day` are due."""
        row = self._conn.execute(
            "SELECT EXISTS (SELECT 1 FROM validation_due WHERE enterprise_id = %s AND first_day < %s)",
            [enterprise_id, closed_day],
        ).fetchone()
        return row == (True,)

    def subjects(self, enterprise_id: int) -> set[tuple[CheckRule, str]]:
        """The rules and subjects of an enterprise that have finding days, or findings that hold."""
        rows = self._conn.execute(
            """SELECT rule, subject FROM finding_days WHERE enterprise_id = %(id)s
               UNION SELECT rule, subject FROM findings WHERE enterprise_id = %(id)s AND holds""",
            {"id": enterprise_id},
        )
        return {(CheckRule(rule), subject) for rule, subject in rows}

    def consumption(self, channel_ids: Sequence[int], first_day: int, end_day: int) -> npt.NDArray[Any]:
        """Records (channel_id, day, exponent, amounts (96,), states (96,))."""
        return consumption.consumption(self._conn, channel_ids, [(first_day, end_day)])

    def entries(self, enterprise_id: int, first_day: int, end_day: int) -> npt.NDArray[Any]:
        """What the account counts: records (key: source id, day, factor_id, mg (96,), states (96,))."""
        wanted = Filter("account", By.SOURCE)
        return emissions.entries(self._conn, [Want(enterprise_id, first_day, end_day)], wanted)

    def used_factors(self, factor_ids: Iterable[int]) -> dict[int, UsedFactor]:
        return emissions.used_factors(self._conn, factor_ids)

    def reading_counts(
        self, channel_ids: Sequence[int], first_day: int, end_day: int
    ) -> dict[int, dict[int, int]]:
        """Stored readings by channel and day."""
        rows = self._conn.execute(
            """SELECT channel_id, day, sum(size)::bigint FROM channel_days
               WHERE channel_id = ANY(%s) AND day >= %s AND day < %s GROUP BY channel_id, day""",
            [list(channel_ids), first_day, end_day],
        )
        result: dict[int, dict[int, int]] = {}
        for channel_id, day, size in rows:
            result.setdefault(channel_id, {})[day] = size
        return result

    # -- what it writes ---------------------------------------------------------------------------------

    def replace_days(
        self,
        enterprise_id: int,
        rules: Sequence[CheckRule],
        first_day: int,
        end_day: int,
        days: Sequence[FindingDay],
    ) -> set[tuple[CheckRule, str]]:
        """Put what these rules find on [first_day, end_day) in the place of what they found there before.

        The rules and subjects of which anything is another now.
        """
        before = {
            (each.rule, each.subject, each.day): each
            for each in self._days(
                "AND day >= %s AND day < %s AND rule = ANY(%s)",
                enterprise_id,
                [first_day, end_day, [rule.value for rule in rules]],
            )
        }
        after = {(each.rule, each.subject, each.day): each for each in days}
        gone = [key for key, each in before.items() if after.get(key) != each]
        new = [each for key, each in after.items() if before.get(key) != each]
        if gone:
            self._conn.execute(
                """DELETE FROM finding_days t
                   USING unnest(%s::text[], %s::text[], %s::integer[]) AS old (rule, subject, day)
                   WHERE t.enterprise_id = %s AND t.rule = old.rule AND t.subject = old.subject AND t.day = old.day""",
                [
                    [key[0].value for key in gone],
                    [key[1] for key in gone],
                    [key[2] for key in gone],
                    enterprise_id,
                ],
            )
        if new:
            with self._conn.cursor() as cursor:
                cursor.executemany(
                    """INSERT INTO finding_days (enterprise_id, rule, subject, day, end_day, from_us, to_us, channels,
                                                 evidence, mg)
                       VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                    [
                        (
                            enterprise_id,
                            each.rule.value,
                            each.subject,
                            each.day,
                            each.end_day,
                            each.from_us,
                            each.to_us,
                            list(each.channels),
                            Jsonb(each.evidence),
                            each.mg,
                        )
                        for each in new
                    ],
                )
        return {(key[0], key[1]) for key in gone} | {(each.rule, each.subject) for each in new}

    def days(self, enterprise_id: int, rule: CheckRule, subject: str) -> list[FindingDay]:
        """All finding days of a rule and subject."""
        return self._days("AND rule = %s AND subject = %s", enterprise_id, [rule.value, subject])

    def _days(self, where: str, enterprise_id: int, values: Sequence[Any]) -> list[FindingDay]:
        rows = self._conn.execute(
            f"""SELECT rule, subject, day, end_day, from_us, to_us, channels, evidence, mg FROM finding_days
                WHERE enterprise_id = %s {where} ORDER BY rule, subject, day""",
            [enterprise_id, *values],
        )
        return [
            FindingDay(
                CheckRule(rule), subject, day, end_day, from_us, to_us, tuple(channels), shown, int(mg)
            )
            for rule, subject, day, end_day, from_us, to_us, channels, shown, mg in rows
        ]

    def known(self, enterprise_id: int, rule: CheckRule, subject: str) -> list[Known]:
        """The findings of a rule and subject, those that no longer hold too; locked until the transaction ends."""
        rows = self._conn.execute(
            """SELECT id, state, holds, settled_end_day,
                      EXISTS (SELECT 1 FROM finding_states s WHERE s.finding_id = f.id AND s.state = 'explained'),
                      first_day, end_day, from_us, to_us, channels, days, mg, evidence
               FROM findings f WHERE enterprise_id = %s AND rule = %s AND subject = %s
               ORDER BY first_day FOR UPDATE""",
            [enterprise_id, rule.value, subject],
        )
        result = []
        for (
            id_,
            state,
            holds,
            settled_end,
            explained,
            first,
            end,
            from_us,
            to_us,
            channels,
            days,
            mg,
            shown,
        ) in rows:
            joined = Joined(first, end, from_us, to_us, tuple(channels), days, int(mg), tuple(shown))
            result.append(Known(id_, FindingState(state), holds, explained, settled_end, joined))
        return result

    def add(
        self,
        enterprise_id: int,
        rule: CheckRule,
        subject: str,
        severity: Severity,
        found: Joined,
        turned: Turn,
    ) -> None:
        """A new finding."""
        row = self._conn.execute(
            """INSERT INTO findings (enterprise_id, rule, subject, severity, first_day, end_day, from_us, to_us,
                                     channels, days, mg, evidence, holds, state)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, true, %s) RETURNING id""",
            [enterprise_id, rule.value, subject, severity.value, *_columns(found), turned.state.value],
        ).fetchone()
        assert row is not None
        _write_state(self._conn, row[0], turned.state, RULES_ACTOR, turned.why or "")

    def change(self, known: Known, severity: Severity, found: Joined | None, turned: Turn) -> None:
        """What the rules find now of a known finding; None: nothing, and then it keeps what it showed last."""
        shown = known.joined if found is None else found
        self._conn.execute(
            """UPDATE findings SET severity = %s, first_day = %s, end_day = %s, from_us = %s, to_us = %s, channels = %s,
                      days = %s, mg = %s, evidence = %s, state = %s, holds = %s,
                      settled_end_day = CASE WHEN %s = 'settled' THEN settled_end_day END
               WHERE id = %s""",
            [
                severity.value,
                *_columns(shown),
                turned.state.value,
                found is not None,
                turned.state.value,
                known.id,
            ],
        )
        if turned.why is not None:
            _write_state(self._conn, known.id, turned.state, RULES_ACTOR, turned.why)


def _columns(found: Joined) -> list[Any]:
    return [
        found.first_day,
        found.end_day,
        found.from_us,
        found.to_us,
        list(found.channels),
        found.days,
        found.mg,
        Jsonb(list(found.evidence)),
    ]


def day_keys(enterprise_ids: npt.NDArray[Any], days: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """A number for each enterprise's day, in the order of enterprise and day."""
    return (enterprise_ids.astype(np.int64) << 32) + days.astype(np.int64) + _DAY_ZERO


def ranges_of(keys: npt.NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """(enterprise id, first day, end day) of the runs of consecutive days among ordered, unique keys."""
    if not len(keys):
        return []
    breaks = np.flatnonzero(np.diff(keys) != 1)
    firsts, lasts = keys[np.append(0, breaks + 1)], keys[np.append(breaks, len(keys) - 1)]
    return [
        (first >> 32, (first & 0xFFFFFFFF) - _DAY_ZERO, (last & 0xFFFFFFFF) - _DAY_ZERO + 1)
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
    ]

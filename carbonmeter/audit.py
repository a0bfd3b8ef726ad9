"""The promises that README.md makes, walked over a live database: what `carbonmeter verify` and the demo's check run.

Each check compares two things that were written apart: an account and the rows that it counts, the log and the
channel-days, a sum and its parts, an entry and what its readings give when they are computed again. Reading is in
pages and as of one moment, so that it may run beside a working server.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from accounting.channel import READING_DTYPE
from accounting.due import all_of
from accounting.factors import load as factors
from accounting.report.document import canonical
from accounting.report.forms import ReportFormat
from accounting.report.texts import Language
from accounting.run import Accountant, Restated, rules_of
from accounting.settings import AccountingSettings
from accounting.work import Cause
from api.history import unlike_their_digest, unlike_their_rows
from carbonmeter import evidence_audit
from carbonmeter.check import Check
from domain.errors import Unavailable
from domain.interval import DAY_US, Calendar
from domain.reading import Flag, Quality, round_half_even
from storage import audit, consumption, read_log, registry
from storage.database import Connection, connect

_COMPACT_ROWS = 2_000_000
_RETRIES = 20
_RETRY_S = 0.5

Rows = npt.NDArray[Any]
UInt64 = npt.NDArray[np.uint64]
Int64 = npt.NDArray[np.int64]


def run(
    url: str, settings: AccountingSettings, tell: Callable[[str], None], *, recompute: bool = True
) -> Iterator[Check]:
    """All checks, one after the other. `tell` hears how far the long ones are.

    recompute  compute the whole ledger again from the channel-days, in a transaction that is rolled back:
               it takes as long as a restatement, and accounting waits for it
    """
    with connect(url, "carbonmeter verify", autocommit=True) as conn:
        audit.summarize(conn)
        with conn.transaction():
            audit.begin(conn)
            yield _balanced(conn)
            log_counts = Check(1, "each batch has its rows in the log")
            days = Check(1, "the channel-days hold what the log holds")
            by_gateway = _walk_log(conn, log_counts, days, tell)
            yield log_counts
            yield _accounts(conn, by_gateway)
            yield days
            entries, sums = _ledger(conn, tell)
            yield entries
            yield sums
            yield _months(conn)
            yield _history(conn)
            yield _years(conn)
            yield _statements(conn)
            yield _published(conn)
            yield _reads(conn)
            tell("reading the evidence log")
            yield from evidence_audit.run(conn)
        if recompute:
            tell("computing the ledger again")
            yield _recomputed(conn, settings, entries.compared)


def _balanced(conn: Connection) -> Check:
    check = Check(1, "received = stored + held + rejected in every batch")
    check.compared, faults = audit.unbalanced_batches(conn)
    for fault in faults:
        check.fault(fault)
    return check


def _months(conn: Connection) -> Check:
    check = Check(3, "months are the sums of their days")
    check.compared, faults = audit.months_unlike_their_days(conn)
    for fault in faults:
        check.fault(fault)
    return check


def _history(conn: Connection) -> Check:
    check = Check(4, "what was superseded is older than what supersedes it")
    check.compared, faults = audit.history_out_of_order(conn)
    for fault in faults:
        check.fault(fault)
    return check


def _years(conn: Connection) -> Check:
    check = Check(5, "years of history are what their rows give when computed again")
    check.compared, wrong = unlike_their_rows(conn, factors.load())
    for enterprise_id, year in wrong:
        check.fault(f"year {year} of enterprise {enterprise_id} differs from what its rows give")
    return check


def _statements(conn: Connection) -> Check:
    check = Check(4, "statements of history are what was sent")
    check.compared, wrong = unlike_their_digest(conn)
    for enterprise_id, year in wrong:
        check.fault(f"the statement of {year} of enterprise {enterprise_id} isn't the one that was sent")
    return check


def _published(conn: Connection) -> Check:
    """Published reports: each form kept, with the bytes that were written, and the document as its own hash says."""
    check = Check(4, "files of published reports are those that went out")
    wanted = {(str(ReportFormat.JSON), "")} | {
        (str(form), str(language)) for form in (ReportFormat.XLSX, ReportFormat.PDF) for language in Language
    }
    for report in audit.published_files(conn):
        check.compared += len(report.kept)
        for form in sorted(wanted - report.kept.keys()):
            check.fault(f"report {report.id}: {' '.join(form).strip()} is missing")
        for form, same in report.kept.items():
            if not same:
                name = " ".join(form).strip()
                check.fault(f"report {report.id}: {name} has other bytes than it was written with")
        if report.document is not None:
            for fault in document_faults(report.document, report.sha256, report.totals):
                check.fault(f"report {report.id}: {fault}")
    return check


def document_faults(content: bytes, sha256: str, totals: Mapping[str, str | None]) -> list[str]:
    """What is wrong with the JSON of a published report, beside what lists tell of it.

    Its hash is computed again from the JSON as it is, without the types of this version, so that reports of any
    version can be checked.
    """
    try:
        document = json.loads(content)
        said = document.pop("sha256")
        told = {each["boundary"]: each["kg"] for each in document["totals"]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ["its JSON is no report"]
    faults = []
    if hashlib.sha256(canonical({**document, "sha256": ""})).hexdigest() != said:
        faults.append("its JSON isn't the one that its own hash is of")
    if said != sha256:
        faults.append("lists tell another hash than its JSON does")
    if told != totals:
        faults.append("lists tell other totals than its JSON does")
    return faults


def _reads(conn: Connection) -> Check:
    check = Check(4, "the log of reads is an unbroken chain")
    for _, broken in read_log.walk(conn):
        check.compared += 1
        if broken is not None:
            check.fault(f"entry {broken.number} {broken.fault}")
    return check


def _accounts(conn: Connection, logged: dict[int, int]) -> Check:
    """The accounts beside the rows in the log, the held readings and the dead letters."""
    check = Check(1, "accounts agree with log, held readings and dead letters")
    held, rejected = audit.held_counts(conn), audit.rejected_counts(conn)
    for id_, account in audit.accounts(conn).items():
        check.compared += 1
        found = (logged.get(id_, 0), held.get(id_, 0), rejected.get(id_, 0))
        said = (account.stored, account.held, account.rejected)
        for word, count, number in zip(("stored", "held", "rejected"), said, found, strict=True):
            if count != number:
                check.fault(f"gateway {account.name}: the account says {count} {word}, there are {number}")
        if account.received != sum(said):
            check.fault(
                f"gateway {account.name}: received {account.received} is not {' + '.join(map(str, said))}"
            )
    return check


# -- the log and the channel-days ---------------------------------------------------------------------


class DayDigests:
    """An order-independent digest of the readings of each (channel, day): their number and two 64-bit sums of hashes.

    Two sets of readings with equal digests are equal, but for one chance in 2^128.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[Int64, Int64, UInt64, UInt64]] = []
        self._pending = 0

    def add(self, channels: Int64, days: Int64, readings: Rows) -> None:
        """readings: READING_DTYPE (n,), of these channels on these local days."""
        if not len(readings):
            return
        keys = (channels.astype(np.int64) << 32) + days
        first, second = _hashes(readings, 1), _hashes(readings, 2)
        self._parts.append(_summed(keys, np.ones(len(keys), np.int64), first, second))
        self._pending += len(self._parts[-1][0])
        if self._pending > _COMPACT_ROWS:
            self._compact()

    def result(self) -> tuple[Int64, Int64, UInt64, UInt64]:
        """Keys (channel << 32 + day) in order, numbers, and the two sums."""
        self._compact()
        if not self._parts:
            return (
                np.empty(0, np.int64),
                np.empty(0, np.int64),
                np.empty(0, np.uint64),
                np.empty(0, np.uint64),
            )
        return self._parts[0]

    def _compact(self) -> None:
        if len(self._parts) > 1:
            columns = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
            self._parts = [_summed(columns[0], columns[1], columns[2], columns[3])]
        self._pending = 0


def _summed(keys: Int64, counts: Int64, first: UInt64, second: UInt64) -> tuple[Int64, Int64, UInt64, UInt64]:
    """Sums by key, modulo 2^64."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    return (
        keys[starts],
        np.add.reduceat(counts[order], starts),
        np.add.reduceat(first[order], starts),
        np.add.reduceat(second[order], starts),
    )


def _hashes(readings: Rows, seed: int) -> UInt64:
    """A 64-bit hash of each reading: its fields, one after the other, through the finalizer of splitmix64."""
    result = np.full(len(readings), seed * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF, np.uint64)
    for name in READING_DTYPE.names or ():
        result ^= readings[name].astype(np.int64).view(np.uint64)
        result = (result ^ (result >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        result = (result ^ (result >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        result ^= result >> np.uint64(31)
    return result


def _walk_log(conn: Connection, batches: Check, days: Check, tell: Callable[[str], None]) -> dict[int, int]:
    """Read the log once, beside the batches and the channel-days; rows by gateway."""
    calendar = registry.calendar(conn)
    accounted = consumption.accounted_commits(conn)
    by_gateway: dict[int, int] = {}
    logged = DayDigests()
    seen = 0
    for page in audit.batch_pages(conn):
        rows = audit.logged(conn, page)
        _count_batches(page, rows, batches)
        for gateway, count in zip(*np.unique(rows["gateway"], return_counts=True), strict=True):
            by_gateway[int(gateway)] = by_gateway.get(int(gateway), 0) + int(count)
        readings, channels = _as_readings(page, rows, accounted)
        logged.add(channels, _days(calendar, readings["at"]), readings)
        seen += len(rows)
        tell(f"log: {seen:,} readings")
    kept = _channel_days(conn, days, tell)
    _compare_days(conn, calendar, days, logged, kept)
    return by_gateway


def _count_batches(page: audit.BatchPage, rows: Rows, check: Check) -> None:
    ids, counts = np.unique(rows["batch"], return_counts=True)
    found = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    check.compared += len(page.rows)
    for id_, count in page.rows.items():
        if found.get(id_, 0) != count:
            check.fault(f"batch {id_}: it says {count} rows, the log has {found.get(id_, 0)}")
    for id_ in found.keys() - page.rows.keys():
        check.fault(f"batch {id_}: the log has {found[id_]} rows of it, and there is no such batch")


def _as_readings(page: audit.BatchPage, rows: Rows, accounted: Mapping[int, int]) -> tuple[Rows, Int64]:
    """Log rows that accounting has read, as channel-days keep them, and their channels.

    accounted  by channel: up to which batch it has
    """
    slowest = min(accounted.values(), default=0)
    rows = rows[
        _each(rows["batch"], page.commit_nos, np.iinfo(np.int64).max)
        <= _each(rows["channel"], accounted, slowest)
    ]
    readings = np.zeros(len(rows), READING_DTYPE)
    for name in READING_DTYPE.names or ():
        if name != "committed_at":
            readings[name] = rows[name]
    if len(rows):
        ids, places = np.unique(rows["batch"], return_inverse=True)
        readings["committed_at"] = np.array([page.committed_us[id_] for id_ in ids.tolist()], np.int64)[
            places
        ]
    return readings, rows["channel"].astype(np.int64)


def _each(keys: Rows, values: Mapping[int, int], otherwise: int) -> Int64:
    """The value of each key; `otherwise` of those that have none."""
    different, places = np.unique(keys, return_inverse=True)
    return np.array([values.get(key, otherwise) for key in different.tolist()], np.int64)[places]


def _days(calendar: Calendar, at: Int64) -> Int64:
    return np.asarray((at + calendar.offset_us) // DAY_US, np.int64)


def _channel_days(conn: Connection, check: Check, tell: Callable[[str], None]) -> DayDigests:
    kept = DayDigests()
    chunks: list[audit.ChannelDay] = []
    seen = 0
    for chunk in audit.channel_days(conn):
        if chunk.size * READING_DTYPE.itemsize != len(chunk.readings):
            check.fault(
                f"channel {chunk.channel_id}, day {chunk.day}: a chunk says {chunk.size} readings and has others"
            )
            continue
        chunks.append(chunk)
        seen += chunk.size
        if len(chunks) >= 5_000:
            _add_chunks(kept, chunks)
            tell(f"channel-days: {seen:,} readings")
            chunks = []
    _add_chunks(kept, chunks)
    return kept


def _add_chunks(kept: DayDigests, chunks: list[audit.ChannelDay]) -> None:
    sizes = np.array([chunk.size for chunk in chunks], np.int64)
    kept.add(
        np.repeat(np.array([chunk.channel_id for chunk in chunks], np.int64), sizes),
        np.repeat(np.array([chunk.day for chunk in chunks], np.int64), sizes),
        np.frombuffer(b"".join(chunk.readings for chunk in chunks), READING_DTYPE),
    )


def _compare_days(
    conn: Connection, calendar: Calendar, check: Check, logged: DayDigests, kept: DayDigests
) -> None:
    said, found = logged.result(), kept.result()
    check.compared = int(said[1].sum())
    keys = np.union1d(said[0], found[0])
    columns = []
    for part in (said, found):
        places = np.searchsorted(part[0], keys)
        places[places == len(part[0])] = 0
        present = part[0][places] == keys if len(part[0]) else np.zeros(len(keys), bool)
        columns.append(
            [
                np.where(present, column[places], 0) if len(column) else np.zeros(len(keys), np.int64)
                for column in part[1:]
            ]
        )
    unlike = np.zeros(len(keys), bool)
    for one, other in zip(*columns, strict=True):
        unlike |= one != other
    names = audit.point_names(conn) if unlike.any() else {}
    for place in np.flatnonzero(unlike).tolist():
        channel, day = int(keys[place]) >> 32, int(keys[place]) & 0xFFFFFFFF
        day -= (day >> 31) << 32
        counts = int(columns[0][0][place]), int(columns[1][0][place])
        what = f"{counts[0]} readings in the log, {counts[1]} in the channel-day"
        if counts[0] == counts[1]:
            what = f"{counts[0]} readings in the log, others in the channel-day"
        check.fault(f"{names.get(channel, channel)}, {calendar.date(day)}: {what}")


# -- the ledger -----------------------------------------------------------------------------------------


def _ledger(conn: Connection, tell: Callable[[str], None]) -> tuple[Check, Check]:
    entries = Check(3, "each entry is its consumption times its factor, rounded once")
    sums = Check(3, "days are the sums of their entries")
    used = audit.used_factors(conn)
    names = audit.source_names(conn)
    seen = 0
    for page in audit.ledger_pages(conn):
        for row in np.flatnonzero(_wrong_sums(page)).tolist():
            sums.fault(f"{_where(page[row], names)}: its sums aren't those of its entries")
        sums.compared += len(page)
        for key in np.unique(page[["factor_id", "exponent"]]):
            rows = page[(page["factor_id"] == key["factor_id"]) & (page["exponent"] == key["exponent"])]
            _check_entries(rows, used.get(int(key["factor_id"])), int(key["exponent"]), names, entries)
        seen += len(page)
        tell(f"ledger: {seen:,} days")
    return entries, sums


def _where(row: Any, names: dict[int, str]) -> str:
    day = Calendar().date(int(row["day"]))
    return f"{names.get(int(row['source_id']), row['source_id'])}, {day}, series {row['series']}"


def _wrong_sums(page: Rows) -> npt.NDArray[np.bool_]:
    quality, flags = page["states"] & 3, page["states"] >> 2
    known = quality != Quality.MISSING
    wrong = page["mg_sum"] != np.where(known, page["mg"], 0).sum(axis=1)
    wrong |= page["known"] != known.sum(axis=1)
    for name in ("measured", "interpolated", "estimated"):
        wrong |= page[name] != (quality == Quality[name.upper()]).sum(axis=1)
    wrong |= page["substituted"] != (known & (flags & Flag.SUBSTITUTED != 0)).sum(axis=1)
    return np.asarray(wrong | (page["flags"] != np.bitwise_or.reduce(np.where(known, flags, 0), axis=1)))


def _check_entries(
    rows: Rows, factor: Fraction | None, exponent: int, names: dict[int, str], check: Check
) -> None:
    """Rows under one factor and exponent: mg = consumption × 10^exponent × factor, half to even."""
    known = (rows["states"] & 3) != Quality.MISSING
    check.compared += int(known.sum())
    if factor is None:
        for row in np.flatnonzero(known.any(axis=1)).tolist():
            check.fault(f"{_where(rows[row], names)}: entries without a factor")
        return
    ratio = factor * Fraction(10) ** exponent
    expected = emissions_mg(rows["consumption"], ratio)
    wrong = known & (rows["mg"] != expected)
    for row, place in np.argwhere(wrong).tolist():
        check.fault(
            f"{_where(rows[row], names)}, interval {place}: {rows['consumption'][row, place]} × {ratio} mg is"
            f" {expected[row, place]} mg, the entry says {rows['mg'][row, place]} mg"
        )


def emissions_mg(consumption: Int64, ratio: Fraction) -> Int64:
    """consumption × ratio, half to even: exact. Written apart from the kernel that accounting uses."""
    numerator, denominator = ratio.numerator, ratio.denominator
    largest = max(abs(int(consumption.min(initial=0))), int(consumption.max(initial=0)))
    if largest * abs(numerator) < 1 << 62 and denominator < 1 << 61:
        quotient, rest = np.divmod(consumption * numerator, denominator)
        twice = 2 * rest
        return np.asarray(quotient + ((twice > denominator) | ((twice == denominator) & (quotient & 1 == 1))))
    flat = [round_half_even(int(value) * numerator, denominator) for value in consumption.ravel()]
    return np.array(flat, np.int64).reshape(consumption.shape)


# -- promise 2 --------------------------------------------------------------------------------------------


def _recomputed(conn: Connection, settings: AccountingSettings, entries: int) -> Check:
    """Compute all of it again from the channel-days, under the registry and factors in force: nothing may change."""
    check = Check(2, "the ledger is what its readings give when computed again", entries)
    result = _try_restating(conn, settings)
    if result.entries or result.superseded:
        check.fault(f"{result.entries} entries would be written anew, {result.superseded} of them superseded")
    return check


def _try_restating(conn: Connection, settings: AccountingSettings) -> Restated:
    """A whole restatement, rehearsed. Accounting may have to take a registry change in first: then again."""
    accountant = Accountant(conn, factors.load(), rules_of(settings))
    cause = Cause("rules", None, "verify", "verify")
    for _ in range(_RETRIES):
        try:
            return accountant.rehearse(lambda registry: all_of(registry.enterprises.values(), cause))
        except Unavailable:
            time.sleep(_RETRY_S)
    return accountant.rehearse(lambda registry: all_of(registry.enterprises.values(), cause))

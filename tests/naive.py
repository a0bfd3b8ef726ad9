"""The slow, obvious twin of the kernels: `docs/rules.md` in fractions and plain loops.

Written from the text, reading by reading and interval by interval; nothing is clever, nothing is kept from one
interval to the next. Where the text leaves something open, `accounting/README.md` decides, and so does this.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor

from domain.interval import DAY_US, HOUR_US, INTERVAL_US, Calendar
from domain.reading import Flag, Quality, round_half_even
from domain.registry import ChannelVersion, Kind, Point
from domain.unit import consumption_unit, conversion

BOUND = 2**62
MINUTE_US = 60_000_000
FOREVER = 10**20
NO_FLAGS = Flag(0)


@dataclass(frozen=True)
class Sent:
    """A stored reading as a test writes it."""

    at: int
    value: Fraction
    revision: int = 0
    quality: int = 0
    flags: Flag = NO_FLAGS
    gateway: int = 1
    committed_at: int = 0
    batch: int = 1


@dataclass(frozen=True)
class Interval:
    amount: int | None
    quality: Quality
    flags: Flag


@dataclass(frozen=True)
class Standing:
    at: int
    count: int
    is_estimate: bool
    flags: Flag


@dataclass(frozen=True)
class Span:
    """Something to be said of what overlaps (start, end): the ends belong to it where `closed` says so."""

    start: int
    end: int
    flags: Flag
    start_closed: bool = False
    end_closed: bool = False

    def overlaps(self, start: int, end: int) -> bool:
        """Whether [start, end) and this have a moment in common (of more than no length, where it is open)."""
        after_start = end > self.start
        before_end = start <= self.end if self.end_closed else start < self.end
        return after_start and before_end


def half_even(value: Fraction) -> int:
    return round_half_even(value.numerator, value.denominator)


def scale(point: Point, version: ChannelVersion) -> Fraction:
    """Ledger units of one count."""
    unit = consumption_unit(version.unit)
    size = version.resolution * version.multiplier * conversion(unit, point.unit)
    return size / Fraction(10) ** point.exponent


def end_of(version: ChannelVersion) -> int:
    return FOREVER if version.valid_to_us is None else version.valid_to_us


# -- which readings stand -------------------------------------------------------------------------------


def standing(
    sents: list[Sent], versions: list[ChannelVersion], point: Point
) -> tuple[list[Standing], dict[int, Flag]]:
    """What stands by stamp, and the stamps where none stands though something might, with the reason."""
    at_stamp: dict[int, list[Sent]] = defaultdict(list)
    for sent in sents:
        at_stamp[sent.at].append(sent)
    stands, fails = [], {}
    for at, here in sorted(at_stamp.items()):
        able: list[tuple[int, Sent]] = []
        unable = False
        for sent in here:
            if sent.quality not in (0, 1):
                continue
            count = half_even(sent.value / versions[0].resolution)
            if can_stand(count, versions, point):
                able.append((count, sent))
            else:
                unable = True
        if not able:
            if unable:
                fails[at] = Flag.IMPLAUSIBLE
            continue
        highest = max(sent.revision for _, sent in able)
        winners = {count for count, sent in able if sent.revision == highest}
        if len(winners) > 1:
            fails[at] = Flag.CONFLICT
            continue
        winner = winners.pop()
        same = [sent for count, sent in able if count == winner]
        flags = Flag.RECEIPT_TIME if all(sent.flags & Flag.RECEIPT_TIME for sent in same) else Flag(0)
        stands.append(Standing(at, winner, min(sent.quality for sent in same) == 1, flags))
    return stands, fails


def can_stand(count: int, versions: list[ChannelVersion], point: Point) -> bool:
    if any(abs(count) > BOUND // abs(scale(point, version)) for version in versions):
        return False
    if point.kind is not Kind.REGISTER:
        return True
    modulus = versions[0].modulus
    return count >= 0 and (modulus is None or count < modulus / versions[0].resolution)


# -- registers ------------------------------------------------------------------------------------------


def dials(point: Point) -> list[list[ChannelVersion]]:
    """Versions that are one register: no replacement, no gap, the same counts and the same end of the dial."""
    result: list[list[ChannelVersion]] = []
    for version in point.versions:
        if result:
            last = result[-1][-1]
            if (
                last.valid_to_us == version.valid_from_us
                and last.closing is None
                and version.opening is None
                and last.resolution == version.resolution
                and last.modulus == version.modulus
            ):
                result[-1].append(version)
                continue
        result.append([version])
    return result


class Register:
    """One dial: its standing readings judged one after the other."""

    def __init__(self, point: Point, versions: list[ChannelVersion], sents: list[Sent], look_ahead_us: int):
        self.point = point
        self.versions = versions
        self.look_ahead_us = look_ahead_us
        opens, closes = versions[0].valid_from_us, end_of(versions[-1])
        opening, closing = versions[0].opening, versions[-1].closing
        taken = [
            sent
            for sent in sents
            if opens <= sent.at <= closes
            and not (opening is not None and sent.at == opens)
            and not (closing is not None and sent.at == closes)
        ]
        self.readings, self.fails = standing(taken, versions, point)
        resolution = versions[0].resolution
        if opening is not None:
            self.readings.insert(0, Standing(opens, half_even(opening / resolution), False, Flag(0)))
        if closing is not None:
            self.readings.append(Standing(closes, half_even(closing / resolution), False, Flag(0)))
        self.good: list[int] = []
        self.how: dict[int, Flag] = {}  # of what was believed by rule 2, 3 or 5
        self.judge()

    def version(self, at: int) -> ChannelVersion:
        """The version that a stamp closes or belongs to."""
        return next(version for version in self.versions if at <= end_of(version))

    def allowed(self, since: int, until: int) -> Fraction:
        """Counts that may be consumed between: max_rate × elapsed, version by version."""
        total = Fraction(0)
        for version in self.versions:
            elapsed = min(until, end_of(version)) - max(since, version.valid_from_us)
            if elapsed > 0:
                assert version.max_rate is not None
                counts_an_hour = version.max_rate / (version.multiplier * version.resolution)
                total += counts_an_hour * elapsed / HOUR_US
        return total

    def continues(self, later: Standing, earlier: Standing) -> bool:
        return 0 <= later.count - earlier.count <= self.allowed(earlier.at, later.at)

    def look_ahead(self, at: int) -> Fraction:
        version = self.version(at)
        if version.modulus is None or not version.max_rate:
            return Fraction(self.look_ahead_us)
        half = version.modulus * version.multiplier / (2 * version.max_rate) * HOUR_US
        return min(Fraction(self.look_ahead_us), half)

    def judge(self) -> None:
        readings = self.readings
        i = 0
        while i < len(readings):
            if not self.good or self.continues(readings[i], readings[self.good[-1]]):
                self.good.append(i)
                i += 1
                continue
            a, r = readings[self.good[-1]], readings[i]
            truth = self.truth_after(i, a)
            if truth is not None:
                self.good.append(truth)
                i = truth + 1
                continue
            allowed = self.allowed(a.at, r.at)
            version = self.version(r.at)
            assert version.max_rate is not None
            modulus = None if version.modulus is None else version.modulus / version.resolution
            hour = version.max_rate / (version.multiplier * version.resolution)
            if r.count < a.count and modulus is not None and r.count + modulus - a.count <= allowed:
                self.how[i] = Flag.ROLLOVER
            elif r.count < a.count and 0 <= 2 * r.count <= a.count and r.count <= allowed:
                self.how[i] = Flag.RESET
            elif 0 < a.count - r.count < hour:
                i += 1
                continue
            else:
                self.how[i] = Flag.RESTART
            self.good.append(i)
            i += 1

    def truth_after(self, i: int, a: Standing) -> int | None:
        for j in range(i + 1, len(self.readings)):
            if self.readings[j].at - self.readings[i].at > self.look_ahead(self.readings[i].at):
                return None
            if not self.continues(self.readings[j], self.readings[j - 1]) and self.continues(
                self.readings[j], a
            ):
                return j
        return None

    def consumed(self, g: int) -> Fraction | None:
        """Counts consumed from the g-th good reading to the next; None where that is unknown."""
        a, b = self.readings[self.good[g]], self.readings[self.good[g + 1]]
        how = self.how.get(self.good[g + 1])
        if how == Flag.RESTART:
            return None
        if how == Flag.RESET:
            return Fraction(b.count)
        if how == Flag.ROLLOVER:
            version = self.version(b.at)
            assert version.modulus is not None
            return b.count + Fraction(half_even(version.modulus / version.resolution)) - a.count
        return Fraction(b.count - a.count)

    def position(self, moment: int) -> tuple[int, int, bool, list[Standing]] | None:
        """(good reading at or before, counts since it, whether exact, what it rests on); None: no value."""
        before = [g for g, i in enumerate(self.good) if self.readings[i].at <= moment]
        if not before:
            return None
        g = before[-1]
        a = self.readings[self.good[g]]
        if a.at == moment:
            return g, 0, True, [a]
        if g + 1 == len(self.good):
            return None
        consumed = self.consumed(g)
        if consumed is None:
            return None
        b = self.readings[self.good[g + 1]]
        on_dial = half_even(a.count + consumed * Fraction(moment - a.at, b.at - a.at))
        return g, on_dial - a.count, False, [a, b]

    def spans(self) -> list[Span]:
        """Flags of the ways between good readings, and of what was set aside before and after them."""
        aside = {r.at: Flag.IMPLAUSIBLE for i, r in enumerate(self.readings) if i not in self.good}
        events = {**self.fails, **aside}
        return ways(
            [self.readings[i].at for i in self.good],
            events,
            [self.how.get(i, Flag(0)) for i in self.good],
            lambda at: self.version(at).max_gap_us,
        )

    def piece(self, start: int, end: int, spans: list[Span]) -> tuple[int | None, Quality, Flag]:
        """(counts, quality, flags) of [start, end)."""
        flags = Flag(0)
        for span in spans:
            if span.overlaps(start, end):
                flags |= span.flags
        at_start, at_end = self.position(start), self.position(end)
        if at_start is None or at_end is None:
            return None, Quality.MISSING, flags
        counts = at_end[1] - at_start[1]
        for g in range(at_start[0], at_end[0]):
            consumed = self.consumed(g)
            if consumed is None:
                return None, Quality.MISSING, flags
            counts += int(consumed)
        rests_on = at_start[3] + at_end[3]
        for reading in rests_on:
            flags |= reading.flags
        if flags & (Flag.GAP | Flag.RESET) or any(reading.is_estimate for reading in rests_on):
            quality = Quality.ESTIMATED
        else:
            quality = Quality.MEASURED if at_start[2] and at_end[2] else Quality.INTERPOLATED
        return counts, quality, flags


def ways(stamps: list[int], events: dict[int, Flag], how: list[Flag], max_gap) -> list[Span]:  # type: ignore[no-untyped-def]
    """Spans between neighbouring readings, with what lies between them that doesn't stand."""
    if not stamps:
        if not events:
            return []
        flags = Flag(0)
        for flag in events.values():
            flags |= flag
        return [Span(min(events), max(events), flags, True, True)]
    result = []
    for g in range(len(stamps) - 1):
        flags = how[g + 1]
        gap = max_gap(stamps[g + 1])
        if gap is not None and stamps[g + 1] - stamps[g] > gap:
            flags |= Flag.GAP
        for at, flag in events.items():
            if stamps[g] < at < stamps[g + 1]:
                flags |= flag
        if stamps[g] < stamps[g + 1]:  # a change has two readings at once
            result.append(Span(stamps[g], stamps[g + 1], flags))
    early = {at: flag for at, flag in events.items() if at < stamps[0]}
    late = {at: flag for at, flag in events.items() if at > stamps[-1]}
    for some, start, end in (
        (early, min(early, default=0), stamps[0]),
        (late, stamps[-1], max(late, default=0)),
    ):
        flags = Flag(0)
        for flag in some.values():
            flags |= flag
        if some:
            result.append(Span(start, end, flags, some is early, some is late))
    return result


# -- rates ----------------------------------------------------------------------------------------------


def runs(point: Point) -> list[list[ChannelVersion]]:
    """Versions that touch."""
    result: list[list[ChannelVersion]] = []
    for version in point.versions:
        if result and result[-1][-1].valid_to_us == version.valid_from_us:
            result[-1].append(version)
        else:
            result.append([version])
    return result


class Rate:
    """Readings of touching versions, in ledger units an hour; two at a change, of both."""

    def __init__(self, point: Point, versions: list[ChannelVersion], sents: list[Sent]):
        self.versions = versions
        self.points: list[tuple[int, Fraction, Standing]] = []
        self.fails: dict[int, Flag] = {}
        for version in versions:
            taken = [sent for sent in sents if version.valid_from_us <= sent.at <= end_of(version)]
            stands, fails = standing(taken, [version], point)
            self.points += [(each.at, each.count * scale(point, version), each) for each in stands]
            self.fails.update(fails)
        self.is_mean = versions[0].unit == consumption_unit(versions[0].unit)

    def spans(self) -> list[Span]:
        return ways(
            [at for at, _, _ in self.points],
            self.fails,
            [Flag(0)] * len(self.points),
            lambda at: next(version for version in self.versions if at <= end_of(version)).max_gap_us,
        )

    def piece(self, start: int, end: int, spans: list[Span]) -> tuple[int | None, Quality, Flag]:
        flags = Flag(0)
        for span in spans:
            if span.overlaps(start, end):
                flags |= span.flags
        covered = 0
        area = Fraction(0)
        used: list[Standing] = []
        for (at0, value0, reading0), (at1, value1, reading1) in zip(
            self.points, self.points[1:], strict=False
        ):
            low, high = max(start, at0), min(end, at1)
            if low >= high:
                continue
            covered += high - low
            used += [reading0, reading1]
            slope = (value1 - value0) / (at1 - at0)
            area += (2 * value0 + slope * (low - at0 + high - at0)) / 2 * (high - low)
        if covered != end - start or flags & Flag.GAP:
            return None, Quality.MISSING, flags
        # What stands at the start but belongs to the version that closed there says nothing of this piece.
        for reading in used:
            flags |= reading.flags
        stamps = {at for at, _, _ in self.points}
        if any(reading.is_estimate for reading in used):
            quality = Quality.ESTIMATED
        else:
            quality = Quality.MEASURED if start in stamps and end in stamps else Quality.INTERPOLATED
        return half_even(area / ((end - start) if self.is_mean else HOUR_US)), quality, flags


# -- deltas ---------------------------------------------------------------------------------------------


def local(us: int, calendar: Calendar) -> datetime:
    """Local time as if it were UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us + calendar.offset_us)


def moment(when: datetime, calendar: Calendar) -> int:
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) - calendar.offset_us


def grid_points(us: int, version: ChannelVersion, calendar: Calendar) -> list[int]:
    """Points of the local grid of a period around a moment."""
    period = version.period
    assert period is not None
    if period.months:
        when = local(us, calendar)
        index = when.year * 12 + when.month - 1
        starts = [
            i for i in range(index - period.months, index + period.months + 2) if i % period.months == 0
        ]
        return [moment(datetime(i // 12, i % 12 + 1, 1, tzinfo=UTC), calendar) for i in starts]
    origin = 4 * DAY_US if period.us % (7 * DAY_US) == 0 else 0  # whole weeks begin on Mondays
    number = (us + calendar.offset_us - origin) // period.us
    return [(number + k) * period.us + origin - calendar.offset_us for k in (0, 1)]


def period_of(at: int, version: ChannelVersion, calendar: Calendar) -> tuple[int, int]:
    """The period that a value covers whose stamp this is."""
    period = version.period
    assert period is not None
    end = at
    if version.snap:
        tolerance = (
            Fraction(MINUTE_US) if period.months else min(Fraction(MINUTE_US), Fraction(period.us, 10))
        )
        for candidate in grid_points(at, version, calendar):
            if abs(candidate - at) <= tolerance:
                end = candidate
    if not period.months:
        return end - period.us, end
    when = local(end, calendar)
    index = when.year * 12 + when.month - 1 - period.months
    first = datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)
    after = datetime((index + 1) // 12, (index + 1) % 12 + 1, 1, tzinfo=UTC)
    begin = first.replace(day=min(when.day, (after - first).days))
    return moment(begin + (when - when.replace(hour=0, minute=0, second=0, microsecond=0)), calendar), end


def split(amount: int, start: int, end: int) -> dict[int, int]:
    """By start of interval: shares in proportion to time, by the rule of the largest remainder."""
    edges = range(start - start % INTERVAL_US, end, INTERVAL_US)
    quotas = {
        edge: Fraction(abs(amount) * (min(end, edge + INTERVAL_US) - max(start, edge)), end - start)
        for edge in edges
    }
    shares = {edge: floor(quota) for edge, quota in quotas.items()}
    left = abs(amount) - sum(shares.values())
    by_remainder = sorted(edges, key=lambda edge: (shares[edge] - quotas[edge], edge))
    for edge in by_remainder[:left]:
        shares[edge] += 1
    return {edge: -share if amount < 0 else share for edge, share in shares.items()}


def delta_intervals(
    point: Point, sents: list[Sent], first: int, end: int, calendar: Calendar
) -> list[Interval]:
    values: list[tuple[int, int, int, Standing]] = []
    failed: list[tuple[int, int, Flag]] = []
    previous: ChannelVersion | None = None
    for version in point.versions:
        touches = previous is not None and previous.valid_to_us == version.valid_from_us
        taken = [
            sent
            for sent in sents
            if version.valid_from_us <= sent.at <= end_of(version)
            and not (touches and sent.at == version.valid_from_us)
        ]
        stands, fails = standing(taken, [version], point)
        for each in stands:
            amount = each.count * scale(point, version)
            assert amount.denominator == 1
            values.append((*period_of(each.at, version, calendar), int(amount), each))
        failed += [(*period_of(at, version, calendar), flag) for at, flag in fails.items()]
        previous = version
    clear = []
    for i, value in enumerate(values):
        if any(value[0] < other[1] and other[0] < value[1] for j, other in enumerate(values) if j != i):
            failed.append((value[0], value[1], Flag.CONFLICT))
        else:
            clear.append((value, split(value[2], value[0], value[1])))
    result = []
    for edge in range(first, end, INTERVAL_US):
        stop = edge + INTERVAL_US
        expected = valid_time(point, edge, stop)
        if expected == 0:
            result.append(Interval(None, Quality.MISSING, Flag(0)))
            continue
        flags = Flag(0)
        for begin, until, flag in failed:
            if begin < stop and edge < until:
                flags |= flag
        amount, covered, quality, too_large = 0, 0, Quality.MEASURED, False
        for (begin, until, _, each), shares in clear:
            if edge not in shares:
                continue
            amount += shares[edge]
            if abs(amount) > BOUND:
                too_large = True
                amount = 0
            covered += valid_time(point, max(edge, begin), min(stop, until))
            flags |= each.flags
            if each.is_estimate:
                quality = Quality.ESTIMATED
            elif begin < edge or until > stop:
                quality = min(quality, Quality.INTERPOLATED)
        if too_large:
            flags |= Flag.IMPLAUSIBLE
        if too_large or covered != expected:
            result.append(Interval(None, Quality.MISSING, flags))
        else:
            result.append(Interval(amount, quality, flags | (Flag.NEGATIVE if amount < 0 else Flag(0))))
    return result


def valid_time(point: Point, start: int, end: int) -> int:
    return sum(max(0, min(end, end_of(v)) - max(start, v.valid_from_us)) for v in point.versions)


# -- a point --------------------------------------------------------------------------------------------


def intervals(
    point: Point, sents: list[Sent], first: int, end: int, look_ahead_us: int, calendar: Calendar
) -> list[Interval]:
    """Consumption of a point over [first, end), in ledger units."""
    if point.kind is Kind.DELTA:
        return mark_replacements(point, delta_intervals(point, sents, first, end, calendar), first)
    parts: list[tuple[ChannelVersion | None, int, int, Register | Rate, list[Span]]] = []
    if point.kind is Kind.REGISTER:
        for versions in dials(point):
            register = Register(point, versions, sents, look_ahead_us)
            spans = register.spans()
            parts += [(v, v.valid_from_us, end_of(v), register, spans) for v in versions]
    else:
        for versions in runs(point):
            rate = Rate(point, versions, sents)
            parts.append((None, versions[0].valid_from_us, end_of(versions[-1]), rate, rate.spans()))
    result = []
    for edge in range(first, end, INTERVAL_US):
        amount, quality, flags, any_part = Fraction(0), Quality.MEASURED, Flag(0), False
        for version, begin, until, series, spans in parts:
            start, stop = max(edge, begin), min(edge + INTERVAL_US, until)
            if start >= stop:
                continue
            any_part = True
            counts, part_quality, part_flags = series.piece(start, stop, spans)
            quality = min(quality, part_quality)
            flags |= part_flags
            if counts is not None:
                amount += counts * (1 if version is None else scale(point, version))
        if not any_part or quality == Quality.MISSING:
            result.append(Interval(None, Quality.MISSING, flags))
            continue
        is_mean = point.kind is Kind.RATE and point.versions[0].unit == point.unit
        if amount < 0 and not is_mean:
            flags |= Flag.NEGATIVE
        assert amount.denominator == 1
        result.append(Interval(int(amount), quality, flags))
    return mark_replacements(point, result, first)


def mark_replacements(point: Point, result: list[Interval], first: int) -> list[Interval]:
    for previous, version in zip(point.versions, point.versions[1:], strict=False):
        number = (version.valid_from_us - first) // INTERVAL_US
        if (previous.closing is not None or version.opening is not None) and 0 <= number < len(result):
            result[number] = replace(result[number], flags=result[number].flags | Flag.REPLACED)
    return result


# -- accounts of gateways -------------------------------------------------------------------------------


def tallies(point: Point, sents: list[Sent]) -> dict[int, tuple[int, int]]:
    """(duplicates, conflicts) by gateway."""
    result = {sent.gateway: [0, 0] for sent in sents}
    at_stamp: dict[int, list[Sent]] = defaultdict(list)
    for sent in sents:
        at_stamp[sent.at].append(sent)
    for at, here in at_stamp.items():
        takers = [version for version in point.versions if version.valid_from_us <= at <= end_of(version)]
        version = None if not takers else takers[0] if point.kind is Kind.DELTA else takers[-1]
        seen = set()
        for sent in sorted(here, key=lambda s: (s.committed_at, s.batch, s.gateway)):
            key: object = sent.value
            if version is not None:
                count = half_even(sent.value / version.resolution)
                if abs(count) <= BOUND // abs(scale(point, version)):
                    key = ("count", count)
            if key in seen:
                result[sent.gateway][0] += 1
            seen.add(key)
        if version is None:
            continue
        if point.kind is Kind.REGISTER and (
            (version.opening is not None and at == version.valid_from_us)
            or (version.closing is not None and at == end_of(version))
        ):
            continue
        _, fails = standing(here, [version], point)
        if fails.get(at) == Flag.CONFLICT:
            for gateway in {sent.gateway for sent in here}:
                result[gateway][1] += 1
    return {gateway: (duplicates, conflicts) for gateway, (duplicates, conflicts) in result.items()}


# -- emissions ------------------------------------------------------------------------------------------


def emission_mg(amount: int, factor: Fraction) -> int:
    return half_even(amount * factor)


def trailing_sum(values: list[int], known: list[bool], place: int, width: int) -> tuple[int, int]:
    window = range(max(0, place - width + 1), place + 1)
    return sum(values[i] for i in window if known[i]), sum(known[i] for i in window)

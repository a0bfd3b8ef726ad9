"""What the channel functions promise beside exactness: conservation, packing, plain Python, refusals."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.channel import (
    NO_ANCHOR,
    READING_DTYPE,
    Rules,
    channel_intervals,
    gateway_tallies,
    standing_readings,
)
from accounting.channel_plan import compile_point
from accounting.kernels import warm
from accounting.kernels.emission import emission, trailing_sums
from accounting.packed import Packing
from domain.interval import DAY_US, HOUR_US, INTERVAL_US, Calendar
from domain.reading import Flag, Quality
from domain.registry import Derivation, Point
from tests.accounting.channel_cases import (
    CALENDAR,
    START_US,
    as_intervals,
    delta,
    deltas,
    point,
    rate,
    rates,
    register,
    registers,
    stored,
    window,
)
from tests.naive import Sent

MINUTE_US = 60_000_000


def amounts(point_: Point, sents: list[Sent], first: int, end: int) -> list[int | None]:
    result = channel_intervals(point_, stored(sents), first, end, Rules(), CALENDAR)
    return [interval.amount for interval in as_intervals(result)]


# -- conservation ---------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from([7, 15, 15, 30, 61]), st.integers(0, 1999)), min_size=1, max_size=40),
    st.sampled_from([None, 100_000]),
    st.data(),
)
def test_energy_survives_rollovers_lies_and_replacement(
    steps: list[tuple[int, int]], modulus: int | None, data: st.DataObject
) -> None:
    """What a meter counted between two boundaries that it hit is what the intervals between add up to."""
    resolution = Fraction("0.01")
    near_the_end = st.one_of(st.integers(0, 999), st.integers(95_000, 99_999))
    at, true = START_US, data.draw(near_the_end)
    times = [(at, true)]
    for minutes, share in steps:
        at += minutes * MINUTE_US
        true += 100 * 100 * minutes * share // 60 // 2000  # at most half of 100 kW
        times.append((at, true))
    end = -(-at // INTERVAL_US) * INTERVAL_US
    if end > at:
        times.append((end, true))  # it stands still until the last boundary
    change = data.draw(st.sampled_from([None, *[stamp for stamp, _ in times[1:-1]]]))
    opening = data.draw(near_the_end)
    versions = [register(modulus=None if modulus is None else modulus * resolution, max_rate=Fraction(100))]
    sents, dial = [], 0
    for stamp, count in times:
        if stamp == change:
            shown = count - dial if modulus is None else (count - dial) % modulus
            first, second = (replace(versions[0]) for _ in range(2))
            versions = [
                replace(first, valid_to_us=change, closing=shown * resolution),
                replace(second, valid_from_us=change, opening=opening * resolution),
            ]
            dial = count - opening
            continue
        shown = count - dial if modulus is None else (count - dial) % modulus
        sents.append(Sent(stamp, shown * resolution))
    # Spikes, each taken back by the next reading; not on a rollover, which no reading continues.
    for sent, after in [*itertools.pairwise(sents)][1::3]:
        same_dial = change is None or not sent.at < change < after.at
        if same_dial and after.value >= sent.value and after.at > sent.at + 1:
            spike = sent.value + 500
            sents.append(Sent(sent.at + 1, spike if modulus is None else spike % (modulus * resolution)))
    known = amounts(point(versions), sents, START_US, end)
    assert None not in known
    assert sum(amount or 0 for amount in known) == times[-1][1] - times[0][1]


@given(registers())
def test_what_is_known_telescopes(case: tuple[Point, list[Sent], int]) -> None:
    """Hours are differences of the same boundary values as quarters: no remainder at any size of period."""
    point_, sents, look_ahead = case
    first, end = window(sents)
    whole = channel_intervals(point_, stored(sents), first, end, Rules(look_ahead_us=look_ahead), CALENDAR)
    for place in range(0, len(whole.amounts), 7):
        edge = first + place * INTERVAL_US
        part = channel_intervals(point_, stored(sents), edge, end, Rules(look_ahead_us=look_ahead), CALENDAR)
        assert (part.amounts == whole.amounts[place:]).all()
        assert (part.states == whole.states[place:]).all()


@given(deltas())
def test_a_split_value_adds_up(case: tuple[Point, list[Sent], int]) -> None:
    point_, sents, _ = case
    lone = [replace(sents[0], quality=0)]
    version = point_.version_at(lone[0].at)
    if version is None:
        return
    period = version.period
    assert period is not None
    reach = 2 * (period.us + 31 * DAY_US * period.months)
    first = lone[0].at // INTERVAL_US * INTERVAL_US - reach // INTERVAL_US * INTERVAL_US
    known = amounts(
        replace(point_, versions=(replace(version, valid_from_us=0, valid_to_us=None),)),
        lone,
        first,
        first + (2 * reach // INTERVAL_US + 4) * INTERVAL_US,
    )
    total = sum(amount for amount in known if amount is not None)
    count = standing_readings(point_, stored(lone), Rules(), CALENDAR).counts[0]
    exact = count * version.resolution * version.multiplier / Fraction(10) ** point_.exponent
    covered = [amount for amount in known if amount is not None]
    whole_intervals = abs(exact - total) <= abs(exact)
    assert whole_intervals  # the cut first and last interval aren't covered, so they are missing, not zero
    if covered:
        assert max(covered) - min(covered) <= 1


@given(st.one_of(registers(), rates(), deltas()))
def test_the_missing_is_never_an_amount(case: tuple[Point, list[Sent], int]) -> None:
    first, end = window(case[1])
    result = channel_intervals(case[0], stored(case[1]), first, end, Rules(), CALENDAR)
    assert (result.amounts[(result.states & 3) == Quality.MISSING] == 0).all()
    nothing = channel_intervals(case[0], stored([]), first, end, Rules(), CALENDAR)
    assert not (nothing.states & 3).any() or any(
        version.opening is not None or version.closing is not None for version in case[0].versions
    )


# -- many channels --------------------------------------------------------------------------------------


@given(st.lists(st.one_of(registers(), rates(), deltas()), max_size=5), st.sampled_from([1, 2]))
def test_many_at_once_are_each_alone(cases: list[tuple[Point, list[Sent], int]], threads: int) -> None:
    first, end = START_US - START_US % INTERVAL_US, START_US + DAY_US
    arrays = [stored(sents) for _, sents, _ in cases]
    points = [each for each, _, _ in cases]
    offsets = np.cumsum([0, *map(len, arrays)])
    readings = np.concatenate([*arrays, np.zeros(0, READING_DTYPE)])
    packing = Packing(points, first, end, Rules(), CALENDAR)
    packed = packing.intervals(readings, offsets, threads=threads)
    for i, (each, array) in enumerate(zip(points, arrays, strict=True)):
        alone = channel_intervals(each, array, first, end, Rules(), CALENDAR)
        here = slice(*packed.interval_offsets[i : i + 2])
        assert (packed.amounts[here] == alone.amounts).all()
        assert (packed.states[here] == alone.states).all()
        days = slice(*packed.day_offsets[i : i + 2])
        assert (packed.anchor_days[days] == alone.anchor_days).all()
        assert (packed.anchors[days] == alone.anchors).all()
        assert packed.tail_anchors[i] == alone.tail_anchor
    factors, widths = [Fraction(7, 3 << 20), Fraction(10**40, 3), Fraction(-1, 2 << 20)] * 2, (3, 1, 200)
    # Written over an earlier result, block by block; the second factor takes more than 64 bits.
    into = packing.empty_emissions(len(widths))
    into.mg[:] = into.sums[:] = -1
    into.counts[:] = 7
    emitted = packing.emissions(readings, offsets, factors[: len(cases)], widths, threads=threads, into=into)
    for i in range(len(cases)):
        here = slice(*packed.interval_offsets[i : i + 2])
        assert (emitted.intervals.amounts[here] == packed.amounts[here]).all()
        mg, within = emission(packed.amounts[here], factors[i])
        assert (emitted.mg[here] == mg).all()
        states = np.where(within, packed.states[here], packed.states[here] & ~3 | int(Flag.IMPLAUSIBLE) << 2)
        assert (emitted.intervals.states[here] == states).all()
        for place, width in enumerate(widths):
            sums, counts = trailing_sums(mg, emitted.intervals.states[here], width)
            assert (emitted.sums[place, here] == sums).all()
            assert (emitted.counts[place, here] == counts).all()


def test_readings_may_be_read_only_bytes_or_every_other_record() -> None:
    sents = [Sent(START_US + i * INTERVAL_US, Fraction(i)) for i in range(8)]
    array, point_ = stored(sents), point([register()])
    first, end = START_US, START_US + 7 * INTERVAL_US
    expected = channel_intervals(point_, array, first, end, Rules(), CALENDAR).amounts
    frozen = np.frombuffer(b"x" + array.tobytes(), READING_DTYPE, offset=1)
    spaced = np.repeat(array, 2)[::2]
    for other in (frozen, spaced):
        assert (channel_intervals(point_, other, first, end, Rules(), CALENDAR).amounts == expected).all()


def test_a_stored_reading_is_small() -> None:
    assert READING_DTYPE.itemsize <= 48


# -- readings one by one --------------------------------------------------------------------------------


def listed(point_: Point, sents: list[Sent]) -> list[tuple[int, bool, Flag]]:
    result = standing_readings(point_, stored(sents), Rules(), CALENDAR)
    assert [sents[i].at for i in result.order] == sorted(sent.at for sent in sents)
    flags = [Flag(int(flag)) for flag in result.flags]
    return [*zip(result.counts.tolist(), result.stands.tolist(), flags, strict=True)]


def quarters(values: list[str], **changes: object) -> list[Sent]:
    return [Sent(START_US + i * INTERVAL_US, Fraction(value), **changes) for i, value in enumerate(values)]  # type: ignore[arg-type]


def test_listing_a_register() -> None:
    # 1000 is off the dial; 998 is noise; over the dial to 5; 700 is a lie
    sents = quarters(["990", "1000", "990.004", "989", "5", "700", "6.5"])
    point_ = point([register(modulus=Fraction(1000))])
    none = Flag(0)
    assert listed(point_, sents) == [
        (99000, True, none),
        (100000, False, Flag.IMPLAUSIBLE),
        (99000, True, none),
        (98900, False, Flag.IMPLAUSIBLE),
        (500, True, Flag.ROLLOVER),
        (70000, False, Flag.IMPLAUSIBLE),
        (650, True, none),
    ]


def test_listing_repeats_conflicts_and_replacements() -> None:
    old = register(valid_from_us=START_US, valid_to_us=START_US + HOUR_US, closing=Fraction(50))
    new = register(valid_from_us=START_US + HOUR_US, opening=Fraction(0))
    at = START_US + INTERVAL_US
    sents = [
        Sent(START_US - 1, Fraction(7)),
        Sent(START_US, Fraction(10), committed_at=2),
        Sent(START_US, Fraction(10), committed_at=1),
        Sent(START_US, Fraction(11), quality=2, committed_at=3),
        Sent(at, Fraction(20), revision=1),
        Sent(at, Fraction(21), revision=1),
        Sent(at, Fraction(22)),
        Sent(START_US + HOUR_US, Fraction(49)),
        Sent(START_US + HOUR_US + INTERVAL_US, Fraction(3), flags=Flag.RECEIPT_TIME),
    ]
    point_ = point([old, new])
    none = Flag(0)
    assert listed(point_, sents) == [
        (0, False, none),
        (1000, True, none),
        (1000, False, none),
        (1100, False, none),
        (2000, False, Flag.CONFLICT),
        (2100, False, Flag.CONFLICT),
        (2200, False, none),
        (4900, False, Flag.REPLACED),
        (300, True, Flag.RECEIPT_TIME),
    ]
    result = standing_readings(point_, stored(sents), Rules(), CALENDAR)
    assert result.version.tolist() == [-1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert result.known.tolist() == [False] + [True] * 8
    later = standing_readings(point_, stored(sents), Rules(), CALENDAR, START_US + HOUR_US)
    assert later.counts.tolist() == [4900, 300]


def test_listing_overlapping_amounts() -> None:
    sents = [Sent(START_US, Fraction(1)), Sent(START_US + 10 * MINUTE_US, Fraction(2))]
    assert listed(point([delta()]), sents) == [(100, False, Flag.CONFLICT), (200, False, Flag.CONFLICT)]


def test_listing_a_restart_and_a_reset() -> None:
    sents = quarters(["900", "10", "5000", "5010"])
    assert [flags for _, _, flags in listed(point([register()]), sents)] == [
        Flag(0),
        Flag.RESET,
        Flag.RESTART,
        Flag(0),
    ]


@given(st.one_of(registers(), rates(), deltas()))
def test_listing_agrees_with_what_stands(case: tuple[Point, list[Sent], int]) -> None:
    """A reading that is left out changes nothing exactly where the listing says that it doesn't count."""
    point_, sents, look_ahead = case
    rules = Rules(look_ahead_us=look_ahead)
    array = stored(sents)
    first, end = window(sents)
    listing = standing_readings(point_, array, rules, CALENDAR)
    assert sorted(listing.order.tolist()) == list(range(len(sents)))
    stamps = [sents[i].at for i in listing.order]
    at_change = {version.valid_from_us for version in point_.versions}
    for at in set(stamps) - at_change:
        assert sum(stands for stamp, stands in zip(stamps, listing.stands, strict=True) if stamp == at) <= 1
    whole = channel_intervals(point_, array, first, end, rules, CALENDAR)
    never = [
        i
        for i, (known, flag) in enumerate(zip(listing.known, listing.flags, strict=True))
        if not known and not flag
    ]
    kept = np.delete(array, listing.order[never])
    without = channel_intervals(point_, kept, first, end, rules, CALENDAR)
    assert (whole.amounts == without.amounts).all()
    assert (whole.states == without.states).all()


def test_tallies_by_hand() -> None:
    """Gateway 2 repeats what 1 sent, at another revision; both are in conflict at the second stamp."""
    at = START_US + INTERVAL_US
    sents = [
        Sent(START_US, Fraction(10), gateway=1, committed_at=1),
        Sent(START_US, Fraction("10.001"), gateway=2, committed_at=2, revision=3),
        Sent(START_US, Fraction(10), gateway=1, committed_at=3, quality=2),
        Sent(at, Fraction(20), gateway=1),
        Sent(at, Fraction(21), gateway=2),
        Sent(at, Fraction(-5), gateway=3),
        Sent(START_US - 1, Fraction("7.50"), gateway=4, committed_at=1),
        Sent(START_US - 1, Fraction("7.5"), gateway=4, committed_at=2),
    ]
    point_ = point([register(valid_from_us=START_US)])
    assert gateway_tallies(point_, stored(sents)) == {1: (1, 1), 2: (1, 1), 3: (0, 1), 4: (1, 0)}


# -- plain Python, compiling, refusals ------------------------------------------------------------------


def test_the_same_without_the_compiler() -> None:
    """A sample of the twins' examples with numba switched off, warnings of wrapping arithmetic let pass."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(root)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--no-cov",
        "-W",
        "ignore::RuntimeWarning",
        "-p",
        "no:cacheprovider",
    ]
    tests = ["tests/accounting/test_channel_golden.py", "tests/accounting/test_kernels_arithmetic.py"]
    done = subprocess.run(
        [*command, *tests],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_warm_compiles_everything_that_is_called() -> None:
    warm()
    from accounting.kernels.channels import run_channels

    before = len(run_channels.signatures) if hasattr(run_channels, "signatures") else 0
    for versions in ([register()], [rate()], [delta()]):
        channel_intervals(point(versions), stored([]), START_US, START_US, Rules(), CALENDAR)
    assert before == (len(run_channels.signatures) if before else 0)


def test_refusals() -> None:
    plain, none = point([register()]), stored([])
    with pytest.raises(ValueError, match="not edges of intervals"):
        channel_intervals(plain, none, 1, INTERVAL_US, Rules(), CALENDAR)
    with pytest.raises(ValueError, match="not edges of intervals"):
        channel_intervals(plain, none, INTERVAL_US, 0, Rules(), CALENDAR)
    with pytest.raises(ValueError, match="READING_DTYPE"):
        channel_intervals(plain, np.zeros(2, "i8"), 0, INTERVAL_US, Rules(), CALENDAR)
    derived = replace(plain, derivation=Derivation("product", ()))
    with pytest.raises(ValueError, match="not measured"):
        channel_intervals(derived, none, 0, INTERVAL_US, Rules(), CALENDAR)
    packing = Packing([plain], 0, INTERVAL_US, Rules(), CALENDAR)
    with pytest.raises(ValueError, match="offsets"):
        packing.intervals(none, np.array([0]))
    with pytest.raises(ValueError, match="anchors"):
        packing.intervals(none, np.array([0, 0]), [1, 2])
    with pytest.raises(ValueError, match="factors"):
        packing.emissions(none, np.array([0, 0]), [], ())
    with pytest.raises(ValueError, match="write 1 into"):
        packing.intervals(none, np.array([0, 0]), into=Packing([], 0, 0, Rules(), CALENDAR).empty_intervals())
    for broken, message in (
        (replace(plain, exponent=0), "whole number"),
        (point([register(max_rate=None)]), "max_rate"),
        (replace(point([delta()]), versions=(delta(period=None),)), "period"),
        (point([register(opening=Fraction(-1))]), "dial"),
        (replace(plain, versions=()), "not measured"),
    ):
        with pytest.raises(ValueError, match=message):
            compile_point(broken, DAY_US)


def test_nothing_to_do() -> None:
    nothing = channel_intervals(point([register()]), stored([]), START_US, START_US, Rules(), CALENDAR)
    assert len(nothing.amounts) == 0
    assert nothing.tail_anchor == NO_ANCHOR
    empty = Packing([], START_US, START_US, Rules(), CALENDAR).intervals(stored([]), np.array([0]))
    assert len(empty.amounts) == 0


def test_another_look_ahead_is_another_rules_version() -> None:
    assert Rules().version != Rules(look_ahead_us=HOUR_US).version
    assert Rules().version == Rules(late_us=1).version  # no amount depends on it


def test_an_absurd_rate_keeps_amounts_within_bounds() -> None:
    """Resets of a register without a plausible limit can't add up beyond 2^62."""
    wild = register(resolution=Fraction(1), max_rate=Fraction(10**30))
    values = [2**61, 2**60, 2**59, 2**61, 2**60]
    sents = [Sent(START_US + i * MINUTE_US, Fraction(value)) for i, value in enumerate(values)]
    known = amounts(
        point([wild]),
        [*sents, Sent(START_US + INTERVAL_US, Fraction(2**60))],
        START_US,
        START_US + INTERVAL_US,
    )
    assert all(amount is None or abs(amount) <= 2**62 for amount in known)


def test_the_zone_decides_where_days_begin() -> None:
    sents = quarters(["1", "2", "3"])
    end = START_US + DAY_US  # from 22:00 local, 14:00 in UTC
    for calendar, day in ((CALENDAR, 19676), (Calendar(0), 19676)):
        result = channel_intervals(point([register()]), stored(sents), START_US, end, Rules(), calendar)
        assert result.anchor_days.tolist() == [day]
        assert START_US < calendar.day_start(day) <= end

"""What is missing, estimated for long, or measured by a meter whose calibration has ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from accounting.validation.rules import Rule
from accounting.validation.view import View, exact_sum, judged, lasting, limits_of
from domain.finding import FindingDay
from domain.interval import DAY_US, INTERVALS_PER_DAY
from domain.reading import Quality
from domain.registry import Calibration, Kind, Point


def siblings_present(view: View, days: range, rule: Rule) -> Iterator[FindingDay]:
    """Subject: the channel that is missing."""
    for points in view.by_meter().values():
        if len(points) < 2:
            continue
        known = {point.id: view.known(point) for point in points}
        for point in points:
            check = limits_of(view.enterprise, rule.code, point.name)
            if not judged(check) or _is_slow(point):
                continue
            others = np.logical_or.reduce([known[each.id] for each in points if each is not point])
            missing = lasting(view.valid(point) & ~known[point.id] & others, rule.shortest(check))
            for day in days:
                mask = missing[view.slice_of(day)]
                if not mask.any():
                    continue
                present = [
                    each.name
                    for each in points
                    if each is not point and known[each.id][view.slice_of(day)][mask].any()
                ]
                mg = view.usual_mg((point.name,), day, int(mask.sum()))
                evidence = {"missing": point.name, "present": present}
                yield view.found(rule, point.name, day, mask, (point.name, *present), mg, evidence)


def _is_slow(point: Point) -> bool:
    """Whether its values come less often than every day, so that a day's end can't tell that one is missing."""
    return point.kind is Kind.DELTA and any(
        version.period is not None and (version.period.months > 0 or version.period.us > DAY_US)
        for version in point.versions
    )


def prolonged_estimation(view: View, days: range, rule: Rule) -> Iterator[FindingDay]:
    """Subject: the channel that is estimated, or the source whose entries are substituted."""
    for point in view.measured_points():
        check = limits_of(view.enterprise, rule.code, point.name)
        if not judged(check):
            continue
        estimated = lasting(view.quality(point) == Quality.ESTIMATED, rule.shortest(check))
        for day in days:
            mask = estimated[view.slice_of(day)]
            if mask.any():
                mg = view.entered_mg((point.name,), day, mask)
                yield view.found(rule, point.name, day, mask, (point.name,), mg, {"estimated": point.name})
    check = limits_of(view.enterprise, rule.code, None)
    if not judged(check):
        return
    for code, source in sorted(view.enterprise.sources.items()):
        account = view.accounts.get(source.id)
        if account is None:
            continue
        substituted = lasting(account.substituted, rule.shortest(check))
        for day in days:
            mask = substituted[view.slice_of(day)]
            if mask.any():
                mg = exact_sum(account.sizes[view.slice_of(day)][mask])
                yield view.found(rule, code, day, mask, view.terms_of(source, day), mg, {"substituted": code})


def out_of_calibration(view: View, days: range, rule: Rule) -> Iterator[FindingDay]:
    """Subject: the meter."""
    if not judged(limits_of(view.enterprise, rule.code, None)):
        return
    meters = view.by_meter()
    for meter, calibrations in sorted(view.enterprise.calibrations.items()):
        points = meters.get(meter, [])
        for day in days:
            ended = expired(calibrations, day)
            if ended is None:
                continue
            mask = np.zeros(INTERVALS_PER_DAY, bool)
            for point in points:
                mask |= view.known(point)[view.slice_of(day)]
            if not mask.any():
                continue
            names = [point.name for point in points]
            evidence = {"meter": meter, "calibrated_until": str(view.calendar.date(ended))}
            yield view.found(rule, meter, day, mask, names, view.entered_mg(names, day, mask), evidence)


def expired(calibrations: tuple[Calibration, ...], day: int) -> int | None:
    """The last day that a calibration covers, where a day lies after it and no other covers that day."""
    begun = [each for each in calibrations if each.from_day <= day]
    ends = [each.until_day for each in begun if each.until_day is not None]
    if not begun or len(ends) < len(begun) or max(ends) >= day:
        return None
    return max(ends)

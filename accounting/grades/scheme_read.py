"""Reading schemes: JSON to `Scheme`, every fault by its place, and the hash of the canonical JSON."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from accounting.grades.curves import Curve
from accounting.grades.scheme import (
    CITY_STEPS,
    DENOMINATORS,
    NOT_RATED,
    TABLE_STEPS,
    Adjustments,
    DataRules,
    Dimension,
    Discount,
    DiscountScheme,
    Hysteresis,
    Label,
    LevelsDimension,
    Override,
    PeerDimension,
    Publication,
    Scheme,
    Side,
    TableRatio,
    Track,
    TrendDimension,
)
from accounting.methods.data_file import CONFIDENCES, parse_date, parse_decimal
from domain.errors import Fault, FaultyDocument

FOLDER = Path(__file__).parent / "schemes"
DEFAULT = "xt-default"
OVERRIDES = ("LIMIT3", "FALSE_DATA", "QUOTA_DUE")
_STEPS = (*CITY_STEPS, *TABLE_STEPS)
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}\Z", re.ASCII)
_ZERO = Fraction(0)


def canonical(document: Mapping[str, Any]) -> bytes:
    """The JSON that is hashed: keys sorted, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def scheme_hash(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(document)).hexdigest()


@cache
def shipped() -> Mapping[str, Scheme | DiscountScheme]:
    """Those that come with this version, by `id version`. FaultyDocument with every fault by file and place."""
    found: dict[str, Scheme | DiscountScheme] = {}
    faults: list[Fault] = []
    for path in sorted(FOLDER.glob("*.json")):
        try:
            scheme = read_scheme(json.loads(path.read_text("utf-8")))
        except FaultyDocument as error:
            faults += [Fault(f"{path.name}: {fault.place}", fault.message) for fault in error.faults]
            continue
        if path.stem != f"{scheme.id}-{scheme.version}":
            faults.append(Fault(path.name, f"holds {scheme.name}"))
        found[scheme.name] = scheme
    if faults:
        raise FaultyDocument(faults)
    return found


@cache
def default_scheme() -> Scheme:
    """The newest shipped version of the default."""
    versions = [each for each in shipped().values() if each.id == DEFAULT and isinstance(each, Scheme)]
    return max(versions, key=lambda each: tuple(int(part) for part in each.version.split(".")))


def read_scheme(document: Any) -> Scheme | DiscountScheme:
    """Of a JSON document. FaultyDocument with every fault."""
    reader = _Reader()
    if not isinstance(document, Mapping):
        raise FaultyDocument([Fault("", "a scheme is a JSON object")])
    try:
        if b"\\u0000" in canonical(document):
            raise FaultyDocument([Fault("", "holds a null character")])
    except UnicodeEncodeError:
        raise FaultyDocument([Fault("", "holds half of a surrogate pair")]) from None
    scheme = reader.scheme(document)
    if reader.faults or scheme is None:
        raise FaultyDocument(reader.faults)
    return scheme


_HEAD = {"id", "version", "title_zh", "title_en", "origin", "valid_from", "jurisdiction"}
_GRADING = {
    *("period", "electricity", "labels", "label_names", "dimensions", "tracks", "data", "hysteresis"),
    *("overrides", "publication", "side", "ranking", "adjustments"),
}


class _Reader:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, place: str, message: str) -> None:
        self.faults.append(Fault(place, message))

    # -- values

    def table(self, value: Any, place: str, known: set[str] | None = None) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.fault(place, "must be an object")
            return {}
        if known is not None:
            for name in sorted(set(value) - known):
                self.fault(f"{place}.{name}" if place else name, "isn't known")
        return value

    def items(self, value: Any, place: str) -> Sequence[Any]:
        if not isinstance(value, list) or not value:
            self.fault(place, "must be a list with entries")
            return []
        return value

    def text(
        self, table: Mapping[str, Any], name: str, place: str, pattern: re.Pattern[str] | None = None
    ) -> str:
        value = table.get(name)
        if not isinstance(value, str) or not value.strip() or (pattern and not pattern.match(value)):
            self.fault(_at(place, name), f"{value!r} is no {'valid ' if pattern else ''}text")
            return ""
        return value

    def number(self, value: Any, place: str) -> Fraction:
        """A decimal in quotes or an integer; a JSON float isn't exact and is refused."""
        if isinstance(value, int) and not isinstance(value, bool):
            return Fraction(value)
        parsed = parse_decimal(value) if isinstance(value, str) and len(value) <= 40 else None
        if parsed is None:
            self.fault(place, f"{value!r} is no integer and no decimal in quotes")
        return parsed if parsed is not None else _ZERO

    def share(self, value: Any, place: str) -> Fraction:
        share = self.number(value, place)
        if not 0 <= share <= 1:
            self.fault(place, f"{value!r} must be within 0 to 1")
        return share

    def count(self, value: Any, place: str, at_least: int = 1) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not at_least <= value <= 1000:
            self.fault(place, f"{value!r} must be a whole number of {at_least} to 1000")
            return at_least
        return value

    def choices(self, value: Any, place: str, allowed: Sequence[str]) -> tuple[str, ...]:
        found = []
        for index, each in enumerate(self.items(value, place)):
            if each not in allowed:
                self.fault(f"{place}[{index}]", f"{each!r} is none of {', '.join(allowed)}")
            elif each in found:
                self.fault(f"{place}[{index}]", f"{each!r} stands twice")
            else:
                found.append(each)
        return tuple(found)

    # -- parts

    def scheme(self, document: Mapping[str, Any]) -> Scheme | DiscountScheme | None:
        discount = document.get("discount")
        self.table(document, "", _HEAD | ({"discount"} if discount is not None else _GRADING))
        self.head(document)
        digest = scheme_hash(document)
        name, version = str(document.get("id")), str(document.get("version"))
        if discount is not None:
            return DiscountScheme(name, version, digest, document, self.discount(discount))
        if document.get("period") != "R12":
            self.fault("period", f"{document.get('period')!r} is none of R12")
        if document.get("electricity") != "location":
            self.fault("electricity", f"{document.get('electricity')!r} is none of location")
        labels = self.labels(document)
        codes = tuple(label.code for label in labels)
        dimensions = self.dimensions(document.get("dimensions"))
        return Scheme(
            name,
            version,
            digest,
            document,
            labels,
            dimensions,
            self.tracks(document.get("tracks"), dimensions, codes),
            self.data(document.get("data"), codes),
            self.hysteresis(document.get("hysteresis")),
            self.overrides(document.get("overrides", []), codes),
            self.publication(document.get("publication")),
            self.side(document.get("side")),
            self.ranking(document.get("ranking"), codes),
            self.adjustments(document.get("adjustments")),
        )

    def head(self, document: Mapping[str, Any]) -> None:
        self.text(document, "id", "", _ID)
        self.text(document, "version", "", _VERSION)
        self.text(document, "title_zh", "")
        self.text(document, "title_en", "")
        self.text(document, "jurisdiction", "", re.compile(r"\d{6}\Z", re.ASCII))
        if parse_date(str(document.get("valid_from"))) is None:
            self.fault("valid_from", f"{document.get('valid_from')!r} is not a date such as 2023-01-31")
        origin = self.table(document.get("origin"), "origin", {"status", "source", "confidence", "note"})
        self.text(origin, "status", "origin")
        self.text(origin, "source", "origin")
        if origin.get("confidence") not in CONFIDENCES:
            self.fault("origin.confidence", f"{origin.get('confidence')!r} is none of H, M, L")

    def labels(self, document: Mapping[str, Any]) -> tuple[Label, ...]:
        by_rank = document.get("ranking") is not None
        names = self.table(document.get("label_names", {}), "label_names")
        found: list[Label] = []
        entries = self.items(document.get("labels"), "labels")
        for index, entry in enumerate(entries):
            place = f"labels[{index}]"
            if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str):
                self.fault(place, "must be [code, lowest score or null]")
                continue
            is_last = index == len(entries) - 1
            if (entry[1] is None) != (is_last or by_rank):
                self.fault(
                    place, "the last label alone has no lowest score; none has where labels go by rank"
                )
            at_least = None if entry[1] is None else self.number(entry[1], place)
            before = found[-1].at_least if found else None
            if at_least is not None and before is not None and at_least >= before:
                self.fault(place, "labels go from best to worst")
            if entry[0] == NOT_RATED or entry[0] in [label.code for label in found]:
                self.fault(place, f"{entry[0]!r} stands twice or is kept for who isn't rated")
            found.append(Label(entry[0], at_least, str(names.get(entry[0], entry[0]))))
        return tuple(found)

    def dimensions(self, value: Any) -> dict[str, Dimension]:
        found: dict[str, Dimension] = {}
        for code, given in self.table(value, "dimensions").items():
            place = f"dimensions.{code}"
            dimension = self.table(given, place)
            match dimension.get("type"):
                case "levels":
                    found[code] = self.levels(code, dimension, place)
                case "peer_ratio":
                    found[code] = self.peer_ratio(code, dimension, place)
                case "trend":
                    self.table(dimension, place, {"type", "title_zh", "lag_months", "points", "steps"})
                    lag = self.count(dimension.get("lag_months"), f"{place}.lag_months")
                    found[code] = TrendDimension(code, lag, self.curve(dimension, place))
                case other:
                    self.fault(f"{place}.type", f"{other!r} is none of levels, peer_ratio, trend")
        if not found:
            self.fault("dimensions", "has no entries")
        return found

    def levels(self, code: str, given: Mapping[str, Any], place: str) -> LevelsDimension:
        self.table(given, place, {"type", "title_zh", "min_emission_share", "aggregate", "level_scores"})
        share = self.share(given.get("min_emission_share"), f"{place}.min_emission_share")
        if given.get("aggregate") not in ("emission_weighted", "worst"):
            self.fault(
                f"{place}.aggregate", f"{given.get('aggregate')!r} is none of emission_weighted, worst"
            )
        scores = None
        if "level_scores" in given:
            entries = self.items(given["level_scores"], f"{place}.level_scores")
            scores = tuple(self.score(each, f"{place}.level_scores") for each in entries)
            if len(scores) != 4 or sorted(scores, reverse=True) != list(scores):
                self.fault(f"{place}.level_scores", "must be four, none above the one before")
        return LevelsDimension(code, share, str(given.get("aggregate")), scores)

    def peer_ratio(self, code: str, given: Mapping[str, Any], place: str) -> PeerDimension:
        self.table(given, place, {"type", "title_zh", "denominators", "peers", "points", "steps"})
        known = {"steps", "min_n", "max_share", "leave_self_out", "tables"}
        peers = self.table(given.get("peers"), f"{place}.peers", known)
        if not isinstance(peers.get("leave_self_out"), bool):
            self.fault(f"{place}.peers.leave_self_out", "must be true or false")
        return PeerDimension(
            code,
            self.choices(given.get("denominators"), f"{place}.denominators", DENOMINATORS),
            self.choices(peers.get("steps"), f"{place}.peers.steps", _STEPS),
            self.count(peers.get("min_n"), f"{place}.peers.min_n"),
            self.share(peers.get("max_share"), f"{place}.peers.max_share"),
            peers.get("leave_self_out") is True,
            self.curve(given, place),
            tuple(self.ratios(peers.get("tables", []), f"{place}.peers.tables")),
        )

    def ratios(self, value: Any, place: str) -> list[TableRatio]:
        found = []
        for index, each in enumerate(value if isinstance(value, list) else [value]):
            here = f"{place}[{index}]"
            row = self.table(
                each, here, {"step", "code", "denominator", "ratio", "unit", "source", "confidence"}
            )
            for name, allowed in (
                ("step", TABLE_STEPS),
                ("denominator", DENOMINATORS),
                ("unit", ("tCO2e/10k_yuan",)),
                ("confidence", CONFIDENCES),
            ):
                if row.get(name) not in allowed:
                    self.fault(f"{here}.{name}", f"{row.get(name)!r} is none of {', '.join(allowed)}")
            ratio = self.number(row.get("ratio"), f"{here}.ratio")
            if ratio <= 0:
                self.fault(f"{here}.ratio", "must be above zero")
            digits = self.text(row, "code", here, re.compile(r"\d{2,4}\Z", re.ASCII))
            source = self.text(row, "source", here)
            found.append(
                TableRatio(
                    str(row.get("step")),
                    digits,
                    str(row.get("denominator")),
                    ratio,
                    source,
                    str(row.get("confidence")),
                )
            )
        return found

    def score(self, value: Any, place: str) -> Fraction:
        score = self.number(value, place)
        if not 0 <= score <= 100:
            self.fault(place, f"score {value!r} must be within 0 to 100")
        return score

    def curve(self, given: Mapping[str, Any], place: str) -> Curve:
        name = "steps" if "steps" in given else "points"
        if ("steps" in given) == ("points" in given):
            self.fault(place, "needs either points or steps")
        place = f"{place}.{name}"
        positions: list[Fraction] = []
        scores: list[Fraction] = []
        beyond = None
        entries = self.items(given.get(name), place)
        for index, entry in enumerate(entries):
            here = f"{place}[{index}]"
            if not isinstance(entry, list) or len(entry) != 2:
                self.fault(here, "must be [position, score]")
                continue
            score = self.score(entry[1], here)
            if entry[0] is None and name == "steps" and index == len(entries) - 1:
                beyond = score
            else:
                position = self.number(entry[0], here)
                if position <= (positions[-1] if positions else 0):
                    self.fault(here, "positions ascend from above zero")
                positions.append(position)
            if scores and score > scores[-1]:
                self.fault(here, "scores don't rise")
            scores.append(score)
        if name == "steps" and beyond is None:
            self.fault(place, "must end with [null, score]")
        if beyond is not None:
            scores.pop()
        if not positions:
            self.fault(place, "has no positions")
        return Curve(tuple(positions), tuple(scores), beyond)

    def tracks(
        self, value: Any, dimensions: Mapping[str, Dimension], codes: Sequence[str]
    ) -> tuple[Track, ...]:
        found: list[Track] = []
        names = tuple(dimensions)
        for index, each in enumerate(self.items(value, "tracks")):
            place = f"tracks[{index}]"
            given = self.table(each, place, {"id", "requires", "by_share", "denominators", "w", "ceiling"})
            weights = self.table(given.get("w"), f"{place}.w", set(names))
            read = {name: self.number(weight, f"{place}.w.{name}") for name, weight in weights.items()}
            if not read or min(read.values()) < 0 or not any(read.values()):
                self.fault(f"{place}.w", "needs weights, none below zero and one above")
            required = given.get("requires")
            levels = [name for name, each in dimensions.items() if isinstance(each, LevelsDimension)]
            if required is not None and required not in levels:
                self.fault(f"{place}.requires", f"{required!r} is no dimension of levels")
            found.append(
                Track(
                    self.text(given, "id", place),
                    required,
                    self.choices(given["by_share"], f"{place}.by_share", levels)
                    if "by_share" in given
                    else (),
                    self.choices(given["denominators"], f"{place}.denominators", DENOMINATORS)
                    if "denominators" in given
                    else (),
                    read,
                    self.label(given.get("ceiling"), f"{place}.ceiling", codes),
                )
            )
        return tuple(found)

    def label(self, value: Any, place: str, codes: Sequence[str]) -> str | None:
        if value is not None and value not in codes:
            self.fault(place, f"{value!r} is no label")
            return None
        return None if value is None else str(value)

    def data(self, value: Any, codes: Sequence[str]) -> DataRules:
        data = self.table(value, "data", {"coverage", "months", "matched", "reconcile"})
        coverage = self.table(data.get("coverage"), "data.coverage", {"full", "provisional", "ceiling"})
        months = self.table(data.get("months"), "data.months", {"full", "provisional"})
        matched = self.table(data.get("matched"), "data.matched", {"full", "provisional"})
        reconcile = self.table(data.get("reconcile"), "data.reconcile", {"flag", "freeze"})
        rules = DataRules(
            self.share(coverage.get("full"), "data.coverage.full"),
            self.share(coverage.get("provisional"), "data.coverage.provisional"),
            self.label(coverage.get("ceiling"), "data.coverage.ceiling", codes),
            self.count(months.get("full"), "data.months.full"),
            self.count(months.get("provisional"), "data.months.provisional"),
            self.count(matched.get("full"), "data.matched.full"),
            self.count(matched.get("provisional"), "data.matched.provisional"),
            self.share(reconcile.get("flag"), "data.reconcile.flag"),
            self.share(reconcile.get("freeze"), "data.reconcile.freeze"),
        )
        for place, low, high in (
            ("coverage", rules.coverage_provisional, rules.coverage_full),
            ("months", rules.months_provisional, rules.months_full),
            ("matched", rules.matched_provisional, rules.matched_full),
            ("reconcile", rules.reconcile_flag, rules.reconcile_freeze),
        ):
            if low > high:
                self.fault(f"data.{place}", "the weaker bound is above the stronger one")
        for place, count in (("months", rules.months_full), ("matched", rules.matched_full)):
            if count > 12:
                self.fault(f"data.{place}", "a period has twelve months")
        return rules

    def hysteresis(self, value: Any) -> Hysteresis | None:
        if value is None:
            return None
        given = self.table(value, "hysteresis", {"margin", "streak"})
        margin = self.number(given.get("margin"), "hysteresis.margin")
        if margin < 0:
            self.fault("hysteresis.margin", "must not be below zero")
        streak = given.get("streak")
        return Hysteresis(margin, None if streak is None else self.count(streak, "hysteresis.streak"))

    def overrides(self, value: Any, codes: Sequence[str]) -> dict[str, Override]:
        found: dict[str, Override] = {}
        known = {"id", "cap", "severe_excess", "severe_cap", "months", "rates_unrated"}
        if not isinstance(value, list):
            self.fault("overrides", "must be a list")
            return found
        for index, each in enumerate(value):
            place = f"overrides[{index}]"
            given = self.table(each, place, known)
            name = given.get("id")
            if name not in OVERRIDES or name in found:
                self.fault(f"{place}.id", f"{name!r} is none of {', '.join(OVERRIDES)}, or stands twice")
            cap = self.label(given.get("cap"), f"{place}.cap", codes)
            if cap is None:
                self.fault(f"{place}.cap", "is missing")
            excess, months = given.get("severe_excess"), given.get("months")
            found[str(name)] = Override(
                str(name),
                cap or "",
                None if excess is None else self.number(excess, f"{place}.severe_excess"),
                self.label(given.get("severe_cap"), f"{place}.severe_cap", codes),
                None if months is None else self.count(months, f"{place}.months"),
                given.get("rates_unrated") is True,
            )
        return found

    def publication(self, value: Any) -> Publication:
        if value is None:
            return Publication(15, 20)
        given = self.table(value, "publication", {"objection_workdays", "case_days"})
        return Publication(
            self.count(given.get("objection_workdays"), "publication.objection_workdays"),
            self.count(given.get("case_days"), "publication.case_days"),
        )

    def side(self, value: Any) -> Side | None:
        if value is None:
            return None
        given = self.table(value, "side", {"denominator", "unit", "steps"})
        if given.get("denominator") not in DENOMINATORS:
            self.fault(
                "side.denominator", f"{given.get('denominator')!r} is none of {', '.join(DENOMINATORS)}"
            )
        if given.get("unit") != "tCO2e/10k_yuan":
            self.fault("side.unit", f"{given.get('unit')!r} is none of tCO2e/10k_yuan")
        steps: list[tuple[Fraction | None, str]] = []
        entries = self.items(given.get("steps"), "side.steps")
        for index, entry in enumerate(entries):
            here = f"side.steps[{index}]"
            if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], str):
                self.fault(here, "must be [upper bound or null, label]")
                continue
            if (entry[0] is None) != (index == len(entries) - 1):
                self.fault(here, "the last step alone has no upper bound")
            steps.append((None if entry[0] is None else self.number(entry[0], here), entry[1]))
        return Side(str(given.get("denominator")), tuple(steps))

    def ranking(self, value: Any, codes: Sequence[str]) -> tuple[tuple[str, Fraction], ...] | None:
        if value is None:
            return None
        given = self.table(value, "ranking", {"up_to"})
        found: list[tuple[str, Fraction]] = []
        for index, entry in enumerate(self.items(given.get("up_to"), "ranking.up_to")):
            here = f"ranking.up_to[{index}]"
            if not isinstance(entry, list) or len(entry) != 2:
                self.fault(here, "must be [label, share]")
                continue
            share = self.share(entry[1], here)
            if found and share <= found[-1][1]:
                self.fault(here, "shares ascend")
            found.append((str(entry[0]), share))
        if [label for label, _ in found] != list(codes) or (found and found[-1][1] != 1):
            self.fault("ranking.up_to", "must name every label in its order and end at 1")
        return tuple(found)

    def adjustments(self, value: Any) -> Adjustments | None:
        if value is None:
            return None
        given = self.table(value, "adjustments", {"bonus_max", "accident"})
        return Adjustments(
            self.number(given.get("bonus_max"), "adjustments.bonus_max"),
            self.number(given.get("accident"), "adjustments.accident"),
        )

    def discount(self, value: Any) -> Discount:
        given = self.table(value, "discount", {"of", "s_base", "cap_bp", "bp_per_point"})
        return Discount(
            self.text(given, "of", "discount"),
            self.number(given.get("s_base"), "discount.s_base"),
            self.number(given.get("cap_bp"), "discount.cap_bp"),
            self.number(given.get("bp_per_point"), "discount.bp_per_point"),
        )


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name

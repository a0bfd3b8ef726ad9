"""The columns of a history file: what each is called, and which column a header means.

A header is matched by code (`uscc`, `ncv [GJ/t]`) or by its Chinese or English name, whatever its case, width and
spaces; a `*` for "required" may follow. A parameter's header may name any unit that its values come in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from accounting.factors.inputs import AMOUNT
from accounting.factors.names import name
from accounting.methods.load import load
from accounting.methods.method import Method, ParameterUnit
from domain.unit import UNITS, Form


@dataclass(frozen=True, slots=True)
class Column:
    """field: what it holds, `parameter` for one. unit: that its values are in; None: as the method has it."""

    field: str
    zh: str
    en: str
    parameter: str | None = None
    unit: str | None = None
    other_names: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        if self.parameter is None:
            return self.field
        return self.parameter if self.unit is None else f"{self.parameter} [{self.unit}]"


# In the order of a template. What of them a row needs is said by `rows.py`.
FIXED: Mapping[str, Column] = MappingProxyType(
    {
        column.field: column
        for column in (
            Column(
                "uscc",
                "统一社会信用代码",
                "unified social credit code",
                other_names=("enterprise", "企业代码"),
            ),
            Column("name", "企业名称", "enterprise name"),
            Column("industry", "行业", "industry"),
            Column("edition", "指南版本", "guideline edition"),
            Column("year", "年份", "calendar year", other_names=("年度",)),
            Column("from", "起始日", "first day", other_names=("开始日期", "起始日期")),
            Column("to", "截止日（不含）", "end (first day after)", other_names=("截止日", "截止日期")),
            Column("source", "排放源", "emission source"),
            Column("fuel", "燃料品种", "fuel type", other_names=("燃料",)),
            Column(
                "material",
                "原料、产品或工艺",
                "material, product or technology",
                other_names=("原料", "物料"),
            ),
            Column("amount", "活动数据", "activity data", other_names=("数量", "消耗量", "活动水平")),
            Column("unit", "计量单位", "unit of the amount", other_names=("单位",)),
            Column("provenance", "数据性质", "data provenance", other_names=("数据来源性质",)),
            Column("reference", "依据", "evidence", other_names=("凭证", "数据来源")),
            Column("note", "备注", "remark"),
        )
    }
)
UNKNOWN = Column(
    "", "", ""
)  # of a header that means nothing: told once, and not again for each cell below it

_BEFORE_PARAMETERS = ("uscc", "name", "edition", "year", "source", "fuel", "material", "amount", "unit")
_AFTER_PARAMETERS = ("provenance", "reference", "note")

_UNIT = re.compile(r"(.*?)\s*[\[(]([^\[\]]+?)[\])]\Z")


def template_columns(methods: Iterable[Method]) -> list[Column]:
    """The columns of a template for these sources: a parameter's for each unit that its values may be in."""
    parameters: dict[tuple[str, str], Column] = {}
    for method in methods:
        for spec in method.parameters.values():
            for unit in spec.units:
                parameters.setdefault((spec.name, unit), parameter_column(spec.name, unit))
    return [
        *(FIXED[field] for field in _BEFORE_PARAMETERS),
        *parameters.values(),
        *(FIXED[field] for field in _AFTER_PARAMETERS),
    ]


def parameter_column(parameter: str, unit: str | None) -> Column:
    """The column of a parameter's values in a unit, or in whichever the method has."""
    zh, en = name(parameter, "zh"), name(parameter, "en")
    if normal(zh) not in _known().by_name:  # a name that several parameters have
        zh = f"{zh} {parameter}"
    with_unit = "" if unit is None else f" [{unit}]"
    return Column("parameter", zh + with_unit, en + with_unit, parameter, unit)


def find(header: str) -> Column | None:
    """The column that a header means, or None."""
    known = _known()
    text = normal(header).rstrip("*").rstrip()
    if text in known.fixed:
        return known.fixed[text]
    for called, unit in ((text, None), *_with_unit(text)):
        parameter = known.by_name.get(called)
        if parameter is not None and (unit is None or (parameter, unit) in known.units):
            return parameter_column(parameter, None if unit is None else known.units[parameter, unit])
    return None


def similar(header: str) -> str:
    """What to do about a header that none is found for."""
    known = _known()
    for called, unit in _with_unit(header.strip().rstrip("*").rstrip()):
        parameter = known.by_name.get(normal(called))
        if parameter is not None:
            units = [
                unit
                for each in load().parameter_units
                if each.parameter == parameter
                for unit in _units(each)
            ]
            return f"{parameter} comes in {', '.join(dict.fromkeys(units))}, not in {unit!r}"
    return "take the headers of the template, or remove the column"


def normal(text: str) -> str:
    """Text as it is compared: of one width and case, with single spaces.

    >>> normal("  ＵＳＣＣ（必填） *")
    'uscc(必填) *'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _units(each: ParameterUnit) -> tuple[str, ...]:
    """The units that a header may name: of a stock, which is in the unit of the amount, any of an amount."""
    if each.unit != AMOUNT:
        return (each.unit,)
    return (AMOUNT, *(code for code, unit in UNITS.items() if unit.form is Form.AMOUNT))


def _with_unit(text: str) -> list[tuple[str, str]]:
    match = _UNIT.match(text)
    return [(match[1], match[2])] if match else []


@dataclass(frozen=True, slots=True)
class _Known:
    fixed: Mapping[str, Column]  # by normal text
    by_name: Mapping[str, str]  # normal name -> parameter, where only one has it
    units: Mapping[tuple[str, str], str]  # (parameter, normal unit) -> unit


@cache
def _known() -> _Known:
    fixed = {
        normal(text): column
        for column in FIXED.values()
        for text in (column.field, column.zh, column.en, *column.other_names)
    }
    owners: dict[str, set[str]] = {}
    for parameter in {each.parameter for each in load().parameter_units}:
        zh, en = name(parameter, "zh"), name(parameter, "en")
        for text in (parameter, en, zh, f"{zh} {parameter}"):
            owners.setdefault(normal(text), set()).add(parameter)
    by_name = {text: next(iter(found)) for text, found in owners.items() if len(found) == 1}
    units = {(each.parameter, normal(unit)): unit for each in load().parameter_units for unit in _units(each)}
    return _Known(fixed, by_name, units)

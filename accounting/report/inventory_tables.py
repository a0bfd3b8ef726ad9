"""The answer to an inventory document (docs/inventory.md) as titled tables in one language. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounting.factors.names import name as name_of
from accounting.report.layout import Cell, Column, Form, Paper, Table
from accounting.report.texts import Language, code_text, text


def inventory_paper(answer: Mapping[str, Any], language: str) -> Paper:
    """An inventory's answer in "zh" or "en". It has no moment of its own: what it is made from is in its factor set."""
    period = answer["period"]
    enterprise = answer.get("enterprise")
    return Paper(
        text("inventory_title", language),
        [
            *([str(enterprise)] if enterprise else []),
            f"{answer['industry']} · {answer['edition']} · {answer['document']}",
            text("period_half_open", language, first=period["from"], end=period["to"]),
        ],
        inventory_tables(answer, language),
        f"{text('factor_sets', language)}: {answer['factor_set']}",
        language,
        f"{period['to']}T00:00:00",
    )


def inventory_tables(answer: Mapping[str, Any], language: str) -> list[Table]:
    """Totals, activities with what they come to, and the figures behind them."""
    return [_totals(answer, language), _activities(answer, language), _figures(answer, language)] + (
        [_warnings(answer, language)] if answer.get("warnings") else []
    )


def _totals(answer: Mapping[str, Any], language: str) -> Table:
    exact, printed = answer["totals"], answer["reported"]
    rows: list[list[Cell]] = [
        [f"{text('total', language)}: {text(boundary, language)}", exact[key], printed[key]]
        for boundary, key in (("account", "account_tco2e"), ("ets", "ets_tco2e"))
    ]
    for heading, key in (("scope", "by_scope"), ("gas", "by_gas")):
        rows += [
            [f"{text(heading, language)}: {name}", amount, printed[key][name]]
            for name, amount in exact[key].items()
        ]
    rows.append([text("deductions", language), exact["deductions_tco2e"], printed["deductions_tco2e"]])
    if exact.get("uncertainty") is not None:
        rows.append([text("uncertainty", language), exact["uncertainty"], None])
    columns = [
        Column(text("item", language), 56),
        Column(text("tco2e", language), 24, Form.NUMBER),
        Column(text("reported_short", language), 20, Form.NUMBER),
    ]
    return Table(text("inventory_totals", language), columns, rows, (), frozenset({0, 1}))


def _activities(answer: Mapping[str, Any], language: str) -> Table:
    columns = [
        Column(text("number", language), 5),
        Column(text("source", language), 24),
        Column(text("fuel_or_material", language), 16),
        Column(text("amount", language), 16, Form.NUMBER),
        Column(text("unit", language), 8),
        Column(text("gas", language), 8),
        Column(text("scope", language), 6),
        Column(text("boundary", language), 22),
        Column(text("deduction", language), 8),
        Column(text("clause", language), 8),
        Column(text("tco2e", language), 22, Form.NUMBER),
        Column(text("formula", language), 40, only_sheet=True),
    ]
    rows: list[list[Cell]] = []
    for number, each in enumerate(answer["activities"], 1):
        code = each.get("fuel") or each.get("material")
        rows.append(
            [
                str(number),
                each["name"] if language == Language.ZH else each["source"].replace("_", " "),
                None if code is None else name_of(code, language),
                each["amount"],
                each["unit"],
                ", ".join(each["by_gas"]),
                str(each["scope"]),
                ", ".join(text(boundary, language) for boundary in each["boundaries"]),
                text("yes", language) if each["deduction"] else None,
                each["clause"],
                each["tco2e"],
                each["formula"],
            ]
        )
    return Table(text("inventory_activities", language), columns, rows)


def _figures(answer: Mapping[str, Any], language: str) -> Table:
    columns = [
        Column(text("number", language), 5),
        Column(text("figure", language), 24),
        Column(text("value", language), 16, Form.EXACT),
        Column(text("unit", language), 14),
        Column(text("origin", language), 22),
        Column(text("reference", language), 50),
        Column(text("mark", language), 8),
        Column(text("provisional", language), 9),
    ]
    rows: list[list[Cell]] = [
        [
            str(number),
            name_of(figure["name"], language),
            figure["value"],
            figure["unit"],
            code_text(figure["origin"], language),
            figure["reference"],
            figure.get("confidence"),
            text("yes", language) if figure.get("provisional") else None,
        ]
        for number, each in enumerate(answer["activities"], 1)
        for figure in each["factors"]
    ]
    return Table(text("inventory_figures", language), columns, rows, [text("marks_note", language)])


def _warnings(answer: Mapping[str, Any], language: str) -> Table:
    columns = [Column(text("place", language), 24), Column(text("message", language), 80)]
    rows: list[list[Cell]] = [[each["place"] or None, each["message"]] for each in answer["warnings"]]
    return Table(text("inventory_warnings", language), columns, rows)

"""A report as titled tables in one language. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from accounting.factors.names import name as name_of
from accounting.report.document import Replaced, Report
from accounting.report.inventory_tables import inventory_tables
from accounting.report.layout import Cell, Column, Form, Paper, Table
from accounting.report.texts import Language, code_text, text
from domain.unit import QUANTITIES


def paper(report: Report, language: str) -> Paper:
    """A report in "zh" or "en"."""
    its = _Tables(report, language)
    period = f"{report.period.first_day} – {report.period.last_day}"
    if not report.period.complete:
        period += f" ({its.t('not_complete')})"
    name = report.enterprise.name_zh if language == Language.ZH else report.enterprise.name_en
    return Paper(
        f"{its.t('title')} {report.period.year}",
        [f"{name} · {report.enterprise.uscc}", period, f"{its.t('as_of')} {report.provenance.as_of}"],
        [
            its.reporter(),
            its.totals(),
            its.sources(),
            its.activities(),
            its.months(),
            its.origins(),
            its.figures(),
            its.factors(),
            its.means(),
            its.energy(),
            its.products(),
            its.quality(),
            its.substitutions(),
            its.weak(),
            its.findings(),
            *its.statement(),
            its.provenance(),
        ],
        its.t("hash", hash=report.sha256),
        language,
        report.provenance.as_of,
    )


class _Tables:
    """The tables of one report in one language."""

    def __init__(self, report: Report, language: str) -> None:
        self.report, self.language = report, language

    def t(self, key: str, **values: object) -> str:
        return text(key, self.language, **values)

    def column(self, key: str, width: int, form: Form = Form.TEXT, *, only_sheet: bool = False) -> Column:
        return Column(self.t(key), width, form, only_sheet)

    def choose(self, zh: str, en: str) -> str:
        return zh if self.language == Language.ZH else en

    def what(self, fuel: str | None, material: str | None) -> Cell:
        code = fuel or material
        return None if code is None else name_of(code, self.language)

    def quantity(self, code: str) -> str:
        """Of the closed list, whose names are English, then Chinese."""
        english, _, chinese = QUANTITIES[code].name.rpartition(" ")
        return self.choose(chinese, english)

    def stated(self, provenance: str) -> str:
        return self.t("reported_provenance" if provenance == "reported" else provenance)

    def boundaries(self, codes: Iterable[str]) -> str:
        return ", ".join(self.t(code) for code in codes)

    def pairs(self, title: str, rows: Sequence[tuple[str, Cell]], notes: Sequence[str] = ()) -> Table:
        columns = [self.column("item", 34), self.column("value", 66)]
        return Table(self.t(title), columns, [list(row) for row in rows], notes)

    def reporter(self) -> Table:
        who, period = self.report.enterprise, self.report.period
        rows: list[tuple[str, Cell]] = [
            (self.t("name"), f"{who.name_zh} / {who.name_en}"),
            (self.t("uscc"), who.uscc),
            (self.t("industry"), f"{self.choose(who.industry_zh, who.industry_en)} ({who.industry})"),
            (self.t("gb_t_4754"), who.gb_t_4754),
            (self.t("district"), who.district),
            (self.t("park"), who.park),
            (self.t("grid"), code_text(who.grid, self.language)),
            (self.t("flags"), ", ".join(code_text(flag, self.language) for flag in who.flags) or None),
            (self.t("period"), f"{period.first_day} – {period.last_day} ({period.zone})"),
        ]
        for each in who.editions:
            days = f"{each.first_day} – {each.last_day}"
            rows.append(
                (
                    self.t("edition_of", boundary=self.t(each.boundary)),
                    f"{each.edition} · {each.document} · {days} · {each.confidence}",
                )
            )
        return self.pairs("reporter", rows)

    def totals(self) -> Table:
        account, ets = self.report.totals
        rows: list[list[Cell]] = [
            [self.t("total"), account.tco2e, ets.tco2e],
            [
                self.t("reported"),
                account.reported.tco2e if account.reported else None,
                ets.reported.tco2e if ets.reported else None,
            ],
            [self.t("gross"), _tonnes(account.gross_kg), _tonnes(ets.gross_kg)],
            [self.t("deductions"), _tonnes(account.deductions_kg), _tonnes(ets.deductions_kg)],
        ]
        for heading, of_account, of_ets in (
            ("scope", account.by_scope, ets.by_scope),
            ("gas", account.by_gas, ets.by_gas),
            ("method", account.by_method, ets.by_method),
        ):
            keys = sorted({each.key for each in (*of_account, *of_ets)})
            for key in keys:
                left = next((each for each in of_account if each.key == key), None)
                right = next((each for each in of_ets if each.key == key), None)
                one = left or right
                assert one is not None
                rows.append(
                    [
                        f"{self.t(heading)}: {self.choose(one.name_zh, one.name_en)}",
                        left.tco2e if left else None,
                        right.tco2e if right else None,
                    ]
                )
        for key in ("coverage", "estimated_share", "substituted_share", "estimated_or_substituted_share"):
            rows.append([self.t(key), getattr(account, key), getattr(ets, key)])
        for mark in ("H", "M", "L"):
            shares = [account.confidence_shares.get(mark), ets.confidence_shares.get(mark)]
            if any(shares):
                rows.append([self.t("confidence_share", mark=mark), *shares])
        columns = [
            self.column("item", 56),
            self.column("account", 22, Form.NUMBER),
            self.column("ets", 22, Form.NUMBER),
        ]
        notes = [self.t("exact_note"), self.t("shares_note")]
        return Table(self.t("table1"), columns, rows, notes, frozenset({0, 1}))

    def sources(self) -> Table:
        columns = [
            self.column("source", 14),
            self.column("method", 22),
            self.column("fuel_or_material", 16),
            self.column("scope", 6),
            self.column("gas", 8),
            self.column("deduction", 8),
            self.column("account_tco2e", 18, Form.NUMBER),
            self.column("ets_tco2e", 18, Form.NUMBER),
            self.column("account_kg", 24, Form.EXACT, only_sheet=True),
            self.column("ets_kg", 24, Form.EXACT, only_sheet=True),
        ]
        rows: list[list[Cell]] = [
            [
                each.source,
                self.choose(each.name_zh, each.name_en),
                self.what(each.fuel, each.material),
                str(each.scope),
                each.gas,
                self.t("yes") if each.deduction else None,
                each.account_tco2e,
                each.ets_tco2e,
                each.account_kg,
                each.ets_kg,
            ]
            for each in self.report.emissions
        ]
        account, ets = self.report.totals
        total: list[Cell] = [self.t("total"), None, None, None, None, None]
        rows.append([*total, account.tco2e, ets.tco2e, account.kg, ets.kg])
        return Table(self.t("table1_sources"), columns, rows, (), frozenset({len(rows) - 1}))

    def activities(self) -> Table:
        columns = [
            self.column("source", 14),
            self.column("method", 22),
            self.column("fuel_or_material", 14),
            self.column("expression", 30),
            self.column("amount", 18, Form.NUMBER),
            self.column("unit", 10),
            self.column("converted", 18, Form.NUMBER),
            self.column("unit", 10),
            self.column("substitution", 14),
        ]
        rows = [
            [
                each.source,
                self.choose(each.name_zh, each.name_en),
                self.what(each.fuel, each.material),
                each.expression,
                each.amount,
                each.unit,
                each.converted,
                each.converted_unit,
                each.substitution,
            ]
            for each in self.report.activities
        ]
        return Table(self.t("table2"), columns, rows)

    def months(self) -> Table:
        titles = [each.month for each in self.report.activities[0].months] if self.report.activities else []
        columns = [self.column("source", 14), self.column("unit", 10)]
        columns += [Column(title, 14, Form.NUMBER) for title in titles]
        rows = [
            [each.source, each.unit, *(month.amount for month in each.months)]
            for each in self.report.activities
        ]
        return Table(self.t("table2_months"), columns, rows)

    def origins(self) -> Table:
        columns = [
            self.column("source", 14),
            self.column("sign", 6),
            self.column("channel", 22),
            self.column("meter", 22),
            self.column("quantity", 18),
            self.column("kind", 10),
            self.column("unit", 10),
            self.column("multiplier", 10, Form.NUMBER),
            self.column("resolution", 10, Form.NUMBER),
            self.column("derived", 24),
        ]
        rows: list[list[Cell]] = [
            [
                each.source,
                "+" if origin.sign > 0 else "−",
                origin.channel,
                origin.meter,
                self.quantity(origin.quantity),
                code_text(origin.kind, self.language),
                origin.unit,
                origin.multiplier,
                origin.resolution,
                origin.derived,
            ]
            for each in self.report.activities
            for origin in each.origins
        ]
        return Table(self.t("table2_origins"), columns, rows)

    def figures(self) -> Table:
        columns = [
            self.column("source", 12),
            self.column("gas", 7),
            self.column("days", 22),
            self.column("figure", 20),
            self.column("value", 12, Form.EXACT),
            self.column("unit", 14),
            self.column("origin", 18),
            self.column("reference", 30),
            self.column("edition", 12),
            self.column("mark", 8),
            self.column("provisional", 9),
        ]
        rows: list[list[Cell]] = [
            [
                used.source,
                used.gas,
                f"{used.first_day} – {used.last_day}",
                name_of(each.name, self.language),
                each.value,
                each.unit,
                None if each.origin is None else code_text(each.origin, self.language),
                each.reference,
                each.edition,
                each.confidence,
                self.t("yes") if each.provisional else None,
            ]
            for used in self.report.factors
            for each in used.figures
        ]
        return Table(self.t("table3"), columns, rows, [self.t("marks_note")])

    def factors(self) -> Table:
        columns = [
            self.column("source", 12),
            self.column("boundary", 14),
            self.column("days", 22),
            self.column("formula", 30),
            self.column("clause", 8),
            self.column("edition", 18),
            self.column("mark", 6),
            self.column("amount", 16, Form.NUMBER),
            self.column("unit", 10),
            self.column("factor_value", 16, Form.EXACT),
            self.column("tco2e", 16, Form.NUMBER),
            self.column("document", 30, only_sheet=True),
            self.column("factor_sets", 30, only_sheet=True),
        ]
        rows: list[list[Cell]] = [
            [
                each.source,
                self.boundaries(each.boundaries),
                f"{each.first_day} – {each.last_day}",
                each.formula,
                each.clause,
                each.edition,
                each.confidence,
                each.amount,
                each.unit,
                None if each.tco2e_per_amount is None else f"{each.tco2e_per_amount} /{each.amount_unit}",
                each.tco2e,
                each.document,
                each.factor_set,
            ]
            for each in self.report.factors
        ]
        return Table(self.t("table3_factors"), columns, rows)

    def means(self) -> Table:
        columns = [
            self.column("source", 16),
            self.column("gas", 8),
            self.column("boundary", 24),
            self.column("figure", 24),
            self.column("values", 8, Form.NUMBER),
            self.column("mean", 22, Form.EXACT),
            self.column("unit", 16),
            self.column("weights", 30),
        ]
        rows: list[list[Cell]] = [
            [
                each.source,
                each.gas,
                self.boundaries(each.boundaries),
                name_of(each.name, self.language),
                str(each.values),
                each.mean,
                each.unit,
                each.weights,
            ]
            for each in self.report.means
        ]
        return Table(self.t("table3_means"), columns, rows)

    def energy(self) -> Table:
        columns = [
            self.column("source", 16),
            self.column("carrier", 14),
            self.column("direction", 14),
            self.column("amount", 20, Form.NUMBER),
            self.column("unit", 10),
            self.column("effective_factor", 22, Form.NUMBER),
            self.column("account_tco2e", 20, Form.NUMBER),
        ]
        rows: list[list[Cell]] = [
            [
                each.source,
                self.t(each.carrier),
                self.t(each.direction),
                each.amount,
                each.unit,
                each.tco2e_per_unit,
                each.account_tco2e,
            ]
            for each in self.report.energy
        ]
        strong = range(len(rows), len(rows) + len(self.report.net_energy))
        rows += [
            [None, self.t(each.carrier), self.t("net"), each.amount, each.unit, None, each.account_tco2e]
            for each in self.report.net_energy
        ]
        return Table(self.t("table4"), columns, rows, (), frozenset(strong))

    def products(self) -> Table:
        columns = [
            self.column("product", 18),
            self.column("amount", 20, Form.NUMBER),
            self.column("unit", 10),
            self.column("quality", 14),
            self.column("coverage", 12, Form.NUMBER),
            self.column("account_intensity", 22, Form.NUMBER),
            self.column("ets_intensity", 22, Form.NUMBER),
        ]
        rows: list[list[Cell]] = [
            [
                each.product,
                each.amount,
                each.unit,
                self.t(each.quality),
                each.coverage,
                each.account_kg_per_unit,
                each.ets_kg_per_unit,
            ]
            for each in self.report.products
        ]
        return Table(self.t("table5"), columns, rows)

    def quality(self) -> Table:
        columns = [
            self.column("source", 14),
            self.column("boundary", 14),
            self.column("expected", 10, Form.NUMBER),
            self.column("known_short", 10, Form.NUMBER),
            self.column("coverage", 10, Form.NUMBER),
            self.column("measured", 10, Form.NUMBER),
            self.column("interpolated", 10, Form.NUMBER),
            self.column("estimated", 10, Form.NUMBER),
            self.column("substituted", 10, Form.NUMBER),
            self.column("estimated_or_substituted_share", 20, Form.NUMBER),
            self.column("flags", 20),
        ]
        rows: list[list[Cell]] = [
            [
                each.source,
                self.t(each.boundary),
                str(each.expected),
                str(each.known),
                each.coverage,
                str(each.measured),
                str(each.interpolated),
                str(each.estimated),
                str(each.substituted),
                each.estimated_or_substituted_share,
                ", ".join(code_text(flag, self.language) for flag in each.flags) or None,
            ]
            for each in self.report.quality
        ]
        return Table(self.t("table6"), columns, rows)

    def substitutions(self) -> Table:
        columns = [
            self.column("source", 14),
            self.column("boundary", 20),
            self.column("substitution", 20),
            self.column("days", 22),
            self.column("replaced", 40),
            self.column("known_short", 10, Form.NUMBER),
            self.column("tco2e", 18, Form.NUMBER),
            self.column("effect", 18, Form.NUMBER),
        ]
        rows: list[list[Cell]] = [
            [
                each.source,
                self.boundaries(each.boundaries),
                each.rule,
                f"{each.first_day} – {each.last_day}",
                ", ".join(self.replaced(one) for one in each.replaced),
                str(each.intervals),
                each.tco2e,
                each.effect_tco2e,
            ]
            for each in self.report.substitutions
        ]
        return Table(self.t("table6_substitutions"), columns, rows, [self.t("substitutions_note")])

    def replaced(self, one: Replaced) -> str:
        name = self.t("amount") if one.name == "amount" else name_of(one.name, self.language)
        original = self.t("none") if one.original is None else f"{one.original} {one.unit or ''}".rstrip()
        return f"{name} ({self.t('original')}: {original})"

    def weak(self) -> Table:
        columns = [
            self.column("source", 16),
            self.column("figure", 26),
            self.column("value", 16, Form.EXACT),
            self.column("unit", 16),
            self.column("mark", 12),
            self.column("reference", 50),
        ]
        rows: list[list[Cell]] = [
            [
                each.source,
                name_of(each.name, self.language),
                each.value,
                each.unit,
                self.t(each.mark) if each.mark == "provisional" else each.mark,
                each.reference,
            ]
            for each in self.report.weak_figures
        ]
        return Table(self.t("table7"), columns, rows, [self.t("marks_note")])

    def findings(self) -> Table:
        columns = [
            self.column("finding", 28),
            self.column("severity", 8),
            self.column("subject", 18),
            self.column("finding_period", 32),
            self.column("finding_days", 7, Form.NUMBER),
            self.column("doubt", 16, Form.NUMBER),
            self.column("state", 10),
            self.column("explanation", 34),
        ]
        rows: list[list[Cell]] = [
            [
                self.choose(each.name_zh, each.name_en),
                self.t(each.severity),
                each.subject,
                f"{each.begins_at[:16]} – {each.ends_at[:16]}",
                str(each.days),
                each.doubt_tco2e,
                self.t(each.state),
                None if each.explanation is None else f"{each.explanation} ({each.said_by})",
            ]
            for each in self.report.findings
        ]
        return Table(self.t("table8"), columns, rows, [self.t("findings_note")])

    def statement(self) -> list[Table]:
        its = self.report.statement
        if its is None:
            return []
        told = self.t("table9_note", file=its.file or "–", by=its.by, at=its.at, number=its.number)
        tables = inventory_tables(its.answer, self.language)
        first = replace(
            tables[0], notes=[told, f"{self.t('statement_provenance')}: {self.stated(its.provenance)}"]
        )
        return [replace(each, title=f"{self.t('table9')} · {each.title}") for each in (first, *tables[1:])]

    def provenance(self) -> Table:
        its = self.report.provenance
        return self.pairs(
            "provenance",
            [
                (self.t("as_of"), its.as_of),
                (self.t("run"), None if its.run is None else str(its.run)),
                (self.t("run_committed_at"), its.run_committed_at),
                (self.t("registry_version"), str(its.registry_version)),
                (self.t("rules_versions"), ", ".join(its.rules_versions) or None),
                (self.t("factor_sets"), ", ".join(its.factor_sets) or None),
                (self.t("ledger_sha256"), its.ledger_sha256),
                (self.t("sha256"), self.report.sha256),
                (self.t("software"), its.software),
            ],
        )


def _tonnes(kg: str | None) -> Cell:
    """An exact amount in kilograms, with six decimals, in tonnes."""
    if kg is None:
        return None
    sign, digits = ("-", kg[1:]) if kg.startswith("-") else ("", kg)
    whole = digits.replace(".", "").rjust(10, "0")
    return f"{sign}{whole[:-9]}.{whole[-9:]}"

"""A small steelworks and the books of its 2023, by hand, with the factors that the library gives for it.

grid     1,000 MWh bought in January and 2,000 MWh in July; a tenth of July's estimated
sold     300 MWh passed on in July: a deduction
boiler   100 10k_nm3 of natural gas in January, 300 in July, with an NCV measured anew from July on
steel    5,000 t of crude steel in July, whose carbon is deducted; in the market too
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

from accounting.factors.load import SourceFactor
from accounting.factors.load import load as load_library
from accounting.report.build import build
from accounting.report.document import FindingLine, Report
from accounting.report.year import Books, LedgerFactor, ProductOutput
from domain.entry_sums import EntrySums
from domain.interval import to_us
from domain.reading import Flag
from domain.registry import (
    ChannelVersion,
    Dated,
    Enterprise,
    Kind,
    Parameter,
    Point,
    Source,
    SourceVersion,
    Term,
)
from tests.accounting.factor_cases import CALENDAR, day_of, enterprise, parameter

YEAR = 2023
AS_OF_US = to_us(datetime(2024, 3, 1, 2, 30, tzinfo=UTC))
JANUARY, JULY = day_of("2023-01-01"), day_of("2023-07-01")
QUARTER_HOURS = 35_040


def _point(id_: int, name: str, quantity: str, unit: str) -> Point:
    meter, _, channel = name.partition("/")
    version = ChannelVersion(
        to_us(datetime(2022, 12, 31, 16, tzinfo=UTC)),
        None,
        quantity,
        Kind.DELTA,
        unit,
        Fraction(1),
        Fraction("0.01"),
    )
    return Point(id_, "91430300MA4L0DEM8M", meter, channel, quantity, Kind.DELTA, unit, -2, (version,))


def _source(
    id_: int,
    code: str,
    method: str,
    point: str,
    *parameters: Parameter,
    fuel: str | None = None,
    material: str | None = None,
) -> Source:
    version = SourceVersion(method, fuel, material, (Term(1, point),), None)
    return Source(id_, "91430300MA4L0DEM8M", code, (Dated(None, version),), parameters)


def steelworks() -> Enterprise:
    points = [
        _point(1, "E-01/import_mwh", "electricity_import", "MWh"),
        _point(2, "E-02/export_mwh", "electricity_export", "MWh"),
        _point(3, "G-01/gas", "natural_gas", "10k_nm3"),
        _point(4, "P-01/steel_t", "product", "t"),
    ]
    sources = [
        _source(1, "grid", "purchased_electricity", "E-01/import_mwh"),
        _source(2, "sold", "exported_electricity", "E-02/export_mwh"),
        _source(
            3,
            "boiler",
            "fuel_combustion",
            "G-01/gas",
            parameter("ncv", "380", "GJ/10k_nm3", "2023-01-01", reference="lab report 1"),
            parameter("ncv", "400", "GJ/10k_nm3", "2023-07-01", reference="lab report 7"),
            fuel="natural_gas",
        ),
        _source(4, "steel", "carbon_fixed", "P-01/steel_t", material="crude_steel"),
    ]
    return replace(
        enterprise(),
        name_en="Steel & <Works>",
        points={each.name: each for each in points},
        meters={"E-01": "进线一", "E-02": "export", "G-01": "gas", "P-01": "caster"},
        sources={each.code: each for each in sources},
    )


def _entries(
    factor: SourceFactor, number: int, source: int, month: int, amount: int, *, estimated: int = 0
) -> EntrySums:
    """All quarter-hours of a month, `estimated` of its whole `amount` so, in hundredths of its unit."""
    mg = Fraction(amount, 100) * factor.mg_per_unit
    weak = Fraction(estimated, 100) * abs(factor.mg_per_unit)
    assert mg.denominator == weak.denominator == 1
    known = 31 * 96
    part = known * estimated // amount
    return EntrySums(
        source, month, factor.gas, factor.scope, factor.boundaries, factor.unit, -2, number, False, month, month + 30,
        amount, int(mg), 0, abs(int(mg)), int(weak), 0, int(weak), known, known - part, 0, part, 0,
        int(Flag.GAP) if estimated else 0,
    )  # fmt: skip


def books(owner: Enterprise) -> tuple[Books, dict[str, SourceFactor]]:
    library = load_library()

    def factor_of(code: str, day: int) -> SourceFactor:
        source = owner.sources[code]
        unit = owner.points[source.versions[0].value.terms[0].point].unit
        return library.source_factors(owner, source, unit, day, CALENDAR)[0]

    factors = {
        "grid": factor_of("grid", JANUARY),
        "sold": factor_of("sold", JULY),
        "gas_january": factor_of("boiler", JANUARY),
        "gas_july": factor_of("boiler", JULY),
        "steel": factor_of("steel", JULY),
    }
    numbers = {name: number for number, name in enumerate(factors, 1)}
    entries: Sequence[EntrySums] = [
        _entries(factors["grid"], numbers["grid"], 1, JANUARY, 100_000),
        _entries(factors["grid"], numbers["grid"], 1, JULY, 200_000, estimated=20_000),
        _entries(factors["sold"], numbers["sold"], 2, JULY, 30_000),
        _entries(factors["gas_january"], numbers["gas_january"], 3, JANUARY, 10_000),
        _entries(factors["gas_july"], numbers["gas_july"], 3, JULY, 30_000),
        _entries(factors["steel"], numbers["steel"], 4, JULY, 500_000),
    ]
    expected = {
        (code, boundary): QUARTER_HOURS
        for code, name in (("grid", "grid"), ("sold", "sold"), ("boiler", "gas_july"), ("steel", "steel"))
        for boundary in factors[name].boundaries
    }
    finding = FindingLine(
        7, "frozen_value", "读数冻结", "frozen value", "medium", "E-01/import_mwh", ["E-01/import_mwh"],
        "2023-07-02T00:00:00+08:00", "2023-07-03T00:00:00+08:00", 1, "1.500000000", "explained", "王工", "停电检修",
    )  # fmt: skip
    return (
        Books(
            entries,
            {numbers[name]: LedgerFactor("the set", factor.description) for name, factor in factors.items()},
            expected,
            [ProductOutput("crude_steel", Fraction(5000), "t", "measured", "0.084932")],
            [finding],
            None,
            AS_OF_US,
            12,
            AS_OF_US - 5_000_000,
            3,
            ["1"],
            "carbonmeter test",
        ),
        factors,
    )


def report() -> Report:
    owner = steelworks()
    return build(owner, YEAR, books(owner)[0], load_library().methods, CALENDAR, "园区")

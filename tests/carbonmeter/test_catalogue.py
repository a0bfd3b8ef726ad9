"""Registry documents checked against the factor library."""

from __future__ import annotations

import re
from typing import Any

import pytest

from accounting.factors import load as factors
from carbonmeter.catalogue import FactorCatalogue
from domain.industry import EDITIONS, INDUSTRIES
from tests.domain.documents import SAMPLE, faults, sample

E = "enterprises[0]"


@pytest.fixture(scope="module")
def catalogue() -> FactorCatalogue:
    return FactorCatalogue(factors.load())


def test_domain_and_the_library_know_the_same_industries_and_editions() -> None:
    library = factors.load()
    editions: dict[str, set[str]] = {}
    for industry, edition in library.methods.by_edition:
        editions.setdefault(industry, set()).add(edition)
    assert {code: set(each.editions) for code, each in INDUSTRIES.items()} == editions
    assert {each for known in editions.values() for each in known} == set(EDITIONS)
    for code, known_industry in INDUSTRIES.items():
        assert library.methods.own_edition(code) == known_industry.editions[0]


def test_the_sample_has_no_faults(catalogue: FactorCatalogue) -> None:
    assert faults(SAMPLE, catalogue=catalogue) == []


def test_every_industry_has_sources(catalogue: FactorCatalogue) -> None:
    assert {code: bool(catalogue.source_codes(code)) for code in INDUSTRIES} == dict.fromkeys(
        INDUSTRIES, True
    )
    assert "purchased_electricity" in catalogue.source_codes("steel")
    units = catalogue.parameter_units("steel", "fuel_combustion")
    assert units is not None
    assert {"GJ/t", "GJ/10k_nm3"} <= set(units["ncv"])
    assert catalogue.parameter_units("steel", "magic") is None


@pytest.mark.parametrize(
    ("path", "value", "place", "words"),
    [
        ("grid", "CN-XX", f"{E}.grid", "CN-XX"),
        ("grid", [{"code": "province"}, {"code": "990000", "from": "2024-01-01"}], f"{E}.grid[1].code", "990000"),
        ("sources.0.method", "purchased_electricty", f"{E}.sources[0].method",
         "'purchased_electricty' is no source of steel; did you mean 'purchased_electricity'?"),
        ("sources.0.expression", "G-01/gas_nm3", f"{E}.sources[0]", "nm3 can't be converted to MWh"),
        ("sources.1.fuel", "unobtainium", f"{E}.sources[1]", "unobtainium"),
        ("sources.1.parameters.0.name", "ncw", f"{E}.sources[1].parameters[0].name", "did you mean 'ncv'?"),
        ("sources.1.parameters.0.unit", "GJ/kWh", f"{E}.sources[1].parameters[0].unit",
         "'GJ/kWh' is no unit of ncv, which is in GJ/t or GJ/10k_nm3"),
        ("sources.1.parameters.1.value", "1.2", f"{E}.sources[1].parameters[1].value",
         "oxidation_rate (1.2) must be within 0 and 1"),
    ],
)  # fmt: skip
def test_what_accounting_does_not_know(
    catalogue: FactorCatalogue, path: str, value: Any, place: str, words: str
) -> None:
    document: Any = sample()
    here = document["enterprises"][0]
    *keys, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for key in keys:
        here = here[key]
    here[last] = value
    found = faults(document, catalogue=catalogue)
    assert len(found) == 1
    assert re.match(re.escape(place) + r": .*", found[0])
    assert words in found[0]


def test_a_fraction_without_its_unit_is_judged_too(catalogue: FactorCatalogue) -> None:
    document = sample()
    document["enterprises"][0]["sources"][1]["parameters"][1] = {"name": "oxidation_rate", "value": "99"}
    assert faults(document, catalogue=catalogue) == [
        f"{E}.sources[1].parameters[1].value: oxidation_rate (99) must be within 0 and 1"
    ]


def test_a_source_accounted_under_one_of_its_editions_passes(catalogue: FactorCatalogue) -> None:
    """public_buildings knows the common sources only; flux_decomposition is steel's, of both its editions."""
    document = sample()
    enterprise = document["enterprises"][0]
    enterprise["edition"] = [{"code": "ndrc-2013"}, {"code": "mee-2025", "from": "2025-01-01"}]
    assert faults(document, catalogue=catalogue) == []


def test_metered_gas_needs_its_state(catalogue: FactorCatalogue) -> None:
    """A cubic metre as metered is no normal cubic metre; gas_at_normal makes one of it."""
    text = SAMPLE.replace("unit: nm3,", "unit: m3,")
    assert [
        each
        for each in faults(text, catalogue=catalogue)
        if "sources[1]" in each and "state of the gas" in each
    ]
    derived = text.replace(
        "    sources:",
        """
      - {id: G-01/normal, function: gas_at_normal, unit: nm3,
         inputs: {volume: G-01/gas_nm3, pressure: S-01/bar, temperature: S-01/degc}}
    sources:""",
    ).replace('expression: "G-01/gas_nm3"', 'expression: "G-01/normal"')
    assert faults(derived, catalogue=catalogue) == []

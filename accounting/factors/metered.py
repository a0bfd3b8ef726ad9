"""What differs where amounts come from meters: a factor holds for one unit of consumption, so that no absolute
amount of a period can be a parameter; it goes into the expression instead. These are the ways to say so.
"""

from __future__ import annotations

from collections.abc import Iterable

_HINTS = {
    "sf6_equipment": 'take it off in the expression: "Q-01/capacity_kg - Q-01/recovered_kg"',
    "equipment_stock": (
        'give them as 0 and count them in the expression: "Q-01/bought_kg - Q-01/shipped_kg - Q-01/stock_change_kg"'
    ),
    "acid_gas_removal": (
        "count CO2 itself: derived channels of function product (flow × CO2 share) in the expression "
        '"A-01/co2_nm3 - A-02/co2_nm3", with co2_fraction_in 1, outlet_amount 0 and co2_fraction_out 0'
    ),
    "hcfc22_production": (
        "count HFC-23 itself: a derived channel of function product (HCFC-22 × HFC-23 share), less what is recovered, "
        "in the expression, with emission_factor 1"
    ),
    "hfc23_destruction": (
        'give outlet as 0, count what was destroyed in the expression: "D-01/in_kg - D-01/out_kg", and add '
        "D-01/out_kg to the expression of hcfc22_production"
    ),
}
_WASTEWATER = {
    "ch4_recovered": (
        "register what is recovered as a source of its own of the same method, with the expression "
        '"- R-01/ch4_kg" and the parameters b0 1 and mcf 1'
    ),
    "cod_removed": (
        "count COD itself: an expression in kg, of derived channels of function product (water × COD): "
        '"W-01/cod_kg - W-02/cod_kg"'
    ),
    "cod_sludge": (
        "count COD itself: an expression in kg, of derived channels of function product (water × COD), less what "
        'leaves with the sludge: "W-01/cod_kg - W-02/cod_kg - W-03/sludge_cod_kg"'
    ),
}


def absolute_fault(method: str, kind: str, names: Iterable[str]) -> str:
    """Why parameters that are amounts of a period can't be registered, and how the same is said with meters."""
    names = list(names)
    hints = [_WASTEWATER[name] for name in names if name in _WASTEWATER] or [
        _HINTS.get(kind, "measure what is taken off and put it into the expression")
    ]
    return (
        f"method {method!r}: {', '.join(names)} {'is an amount' if len(names) == 1 else 'are amounts'} of a period, "
        f"which a meter's factor can't hold; {'; '.join(hints)}"
    )

"""What two factors of the ledger differ by, as people read it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Described = Mapping[str, Any]  # `SourceFactor.description`

# What a description says beside its values and what follows from them.
_FIELDS = (
    "edition", "method", "kind", "formula", "clause", "fuel", "material", "gas", "scope", "boundaries", "deduction",
    "unit",
)  # fmt: skip
# What tells where a value is from; the rest of it (confidence, place in a table) stays in the derivation.
_VALUE_FIELDS = (
    "value",
    "unit",
    "origin",
    "reference",
    "edition",
    "valid_from",
    "valid_to",
    "area",
    "provisional",
)


def factor_change(before: Described, after: Described) -> dict[str, Any]:
    """What is another in the second: its values by name with their origin, and which other fields.

    {"values": [{"name", "before": {"value", "unit", "origin", "reference", "edition", …} or None, "after": …}],
     "fields": [{"name", "before", "after"}], "mg_per_unit": {"before", "after"}}
    """
    old, new = ({value["name"]: value for value in each.get("factors", ())} for each in (before, after))
    values = [
        {"name": name, "before": _value(old.get(name)), "after": _value(new.get(name))}
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]
    fields = [
        {"name": name, "before": before.get(name), "after": after.get(name)}
        for name in _FIELDS
        if before.get(name) != after.get(name)
    ]
    return {
        "values": values,
        "fields": fields,
        "mg_per_unit": {"before": before.get("mg_per_unit"), "after": after.get("mg_per_unit")},
    }


def _value(value: Described | None) -> dict[str, Any] | None:
    return (
        None
        if value is None
        else {name: value[name] for name in _VALUE_FIELDS if value.get(name) is not None}
    )


def change_in_words(change: Mapping[str, Any]) -> str:
    """A change of factors in one line.

    >>> change_in_words({"values": [{"name": "ncv", "before": {"value": "20.1", "unit": "GJ/t"}, "after":
    ...                              {"value": "21", "unit": "GJ/t", "reference": "lab 7"}}], "fields": []})
    'ncv 20.1 GJ/t -> 21 GJ/t (lab 7)'
    """
    parts = [
        f"{each['name']} {_in_words(each['before'])} -> {_in_words(each['after'])}"
        for each in change["values"]
    ]
    parts += [f"{each['name']} {each['before']} -> {each['after']}" for each in change["fields"]]
    return "; ".join(parts)


def _in_words(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "none"
    origin = value.get("reference") or value.get("edition")
    unit = value.get("unit")
    return f"{value['value']}{' ' + unit if unit else ''}{f' ({origin})' if origin else ''}"

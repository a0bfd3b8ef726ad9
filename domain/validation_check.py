"""Whether a check between channels says what its rule needs, and names what there is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from domain.channel_check import Merged, Report
from domain.document_fields import suggestion
from domain.registry_items import fraction
from domain.validation import CHECK_FIELDS, CheckRule


class SumCheck(Protocol):
    """Checks the sum in a field, and gives its unit (None: it can't be said)."""

    def __call__(self, each: Merged, target: str | None = None, name: str = ...) -> str | None: ...


_MEANINGS = {
    "main": "the sum of the main meter",
    "subs": "the sum of the meters below it",
    "product": "the product that flows",
    "consumption": "what is consumed whenever it does",
}
_OWN = frozenset({"main", "subs", "product", "consumption", "channel", "tolerance", "shortest"})


def check_check(
    each: Merged,
    products: Collection[str],
    units: Mapping[str, str | None],
    check_sum: SumCheck,
    fault: Report,
) -> None:
    """Report the faults of one check.

    products  codes of the enterprise's products
    units     of its points, by METER/CHANNEL
    """
    if (code := each.get("rule")) is None:
        return
    rule = CheckRule(code)
    known = CHECK_FIELDS[rule]
    for name in known.required:
        if each.lacks(name):
            fault(each.at(name), f"is missing: {rule} has {_MEANINGS[name]}")
    for name in sorted(_OWN & set(each.spec) - {*known.required, *known.optional}):
        takes = ", ".join((*known.required, *known.optional, "active"))
        fault(each.at(name), f"is no field of a check of {rule}, which has {takes}")
    _check_names(each, products, units, fault)
    tolerance = each.get("tolerance")
    if tolerance is not None and fraction(tolerance) >= 1:
        fault(each.at("tolerance"), f"{tolerance} must be below 1: it is a share")
    if rule is CheckRule.MAIN_AGAINST_SUBS and not each.lacks("main") and not each.lacks("subs"):
        check_sum(each, check_sum(each, None, "main"), "subs")
    if rule is CheckRule.NO_CONSUMPTION and not each.lacks("consumption"):
        check_sum(each, None, "consumption")


def _check_names(
    each: Merged,
    products: Collection[str],
    units: Mapping[str, str | None],
    fault: Callable[[str, str], None],
) -> None:
    product, channel = each.get("product"), each.get("channel")
    if product is not None and product not in products:
        fault(
            each.at("product"),
            f"{product!r} is no product of this enterprise{suggestion(product, sorted(products))}",
        )
    if channel is not None and channel not in units:
        fault(
            each.at("channel"),
            f"{channel!r} is no channel of this enterprise{suggestion(channel, sorted(units))}",
        )

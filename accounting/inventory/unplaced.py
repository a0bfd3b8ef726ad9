"""What is wrong with an activity whatever its industry, edition or source: for documents that name an unknown one.

An activity is tried under every method that it could be meant for; what is wrong in all of them is wrong. Where there
is none to try, its parameters are judged by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile

from accounting.factors.inputs import AMOUNT, in_unit, range_fault, upper_of
from accounting.inventory.document import Activity
from accounting.methods.load import Methods
from accounting.methods.method import Method, ParameterSpec, Place
from domain.document_fields import suggestion
from domain.document_text import joined
from domain.errors import FactorNotFound, Fault

TRIALS_MAX = 4_000  # a document; up to two seconds of computing


class Unplaced:
    """Judges the activities of one document. `industry`, `edition`: as given; either may be unknown."""

    def __init__(self, methods: Methods, industry: str | None, edition: str | None) -> None:
        self.methods = methods
        self.industry = industry if industry in methods.industries else None
        known = {code for _, code in methods.by_edition}
        self.edition = edition if edition in known else None
        self.trials = 0

    def candidates(self, source: str) -> list[Method]:
        """The methods of that code under the industry and edition, where they are known, else under any."""
        both = (self.industry, self.edition) in self.methods.by_edition
        return [
            listed[source]
            for (industry, edition), listed in self.methods.by_edition.items()
            if source in listed
            and self.industry in (None, industry)
            and (self.edition in (None, edition) or (self.industry is not None and not both))
        ]

    def faults(self, given: Activity, tried: Callable[[Method], Sequence[Fault]]) -> list[Fault]:
        """tried: the faults of the activity under a method, beyond those of its fields"""
        if given.source is None:
            return self.faults_of_parameters(given)
        candidates = self.candidates(given.source)
        if not candidates:
            codes = sorted({code for listed in self.methods.by_edition.values() for code in listed})
            message = f"{given.source!r} is no source of any industry{suggestion(given.source, codes)}"
            if self.industry is not None:
                message = f"{given.source!r} is no source of {self.industry} under any edition"
            return [Fault(joined(given.place, "source"), message), *self.faults_of_parameters(given)]
        common: dict[str, list[str]] | None = None
        for method in candidates:
            if self.trials >= TRIALS_MAX:
                return self.faults_of_parameters(given)
            self.trials += 1
            found: dict[str, str] = {}
            for fault in tried(method):
                found.setdefault(fault.place, fault.message)
            if common is None:
                common = {place: [message] for place, message in found.items()}
            else:
                common = {
                    place: [*messages, found[place]] for place, messages in common.items() if place in found
                }
            if not common:
                return []
        first = candidates[0].industry
        return [Fault(place, _shared(messages, first)) for place, messages in (common or {}).items()]

    def faults_of_parameters(self, given: Activity) -> list[Fault]:
        """Parameters that no source has, negative ones, and fractions that can't be one."""
        bases: dict[str, list[str]] = {}
        for each in self.methods.parameter_units:
            if each.unit == each.base:
                bases.setdefault(each.parameter, []).append(each.base)
        result: list[Fault] = []
        for name, parameter in given.parameters.items():
            fault = None
            if name not in bases:
                fault = f"is no parameter of any source{suggestion(name, bases)}"
            elif parameter.parameter is not None:
                value, unit, units = parameter.parameter.value, parameter.parameter.unit, tuple(bases[name])
                if unit is not None and AMOUNT not in units:
                    spec = ParameterSpec(name, units, Place.REQUIRED)
                    try:
                        value, unit = in_unit(parameter.parameter, spec, self.methods.parameter_units)
                        fault = range_fault(name, value, unit)
                    except FactorNotFound as error:
                        fault = str(error)
                elif value < 0 or len({upper_of(each) for each in units}) == 1:
                    fault = range_fault(name, value, units[0])
            if fault:
                result.append(Fault(joined(f"{given.place}.parameters", name), fault))
        return result


def _shared(messages: list[str], industry: str) -> str:
    """What messages have in common: whole clauses, else the first as an example."""
    clauses = [message.split("; ") for message in messages]
    common = [each[0] for each in takewhile(lambda same: len(set(same)) == 1, zip(*clauses, strict=False))]
    return "; ".join(common) or f"in every industry, as in {industry}: {messages[0]}"

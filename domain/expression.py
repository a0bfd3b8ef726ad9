"""The signed sum of a source or product: "E-01/import_kwh - E-02/import_kwh".

Operators stand between spaces, since ids may contain `-`. A sum may begin with an operator.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from domain.identity import is_identifier
from domain.registry import Term

TERMS_MAX = 1_000

_TOKEN = re.compile(r"\S+")
_SIGNS = {"+": 1, "-": -1}


def point_name_fault(name: str) -> str | None:
    """What is wrong with a METER/CHANNEL, or None.

    >>> point_name_fault("E-01/import_kwh")
    >>> point_name_fault("E-01")
    "'E-01' is no METER/CHANNEL"
    """
    parts = name.split("/")
    if len(parts) != 2:
        return f"{name[:140]!r} is no METER/CHANNEL"
    for part in parts:
        if not is_identifier(part):
            return f"{name[:140]!r}: {part[:70]!r} is no id of 1 to 64 letters, digits, '.', '_' or '-'"
    return None


def parse_expression(text: str) -> tuple[tuple[Term, ...], list[str]]:
    """(terms, faults); each fault says where in the text it is, counted in characters from 1.

    >>> parse_expression("A/x - B-2/y")
    ((Term(sign=1, point='A/x'), Term(sign=-1, point='B-2/y')), [])
    >>> parse_expression("A/x B/y")[1]
    ["character 5: '+' or '-' is expected before 'B/y'"]
    """
    terms: list[Term] = []
    faults: list[str] = []
    seen: set[str] = set()
    sign: int | None = 1  # None: an operator is expected
    operator_at = 0
    for match in _TOKEN.finditer(text):
        token, at = match[0], match.start() + 1
        if token in _SIGNS:
            if operator_at:
                faults.append(f"character {at}: {token!r} follows another operator")
            sign, operator_at = _SIGNS[token], at
            continue
        if sign is None:
            faults.append(f"character {at}: '+' or '-' is expected before {token[:140]!r}")
        fault = point_name_fault(token)
        if fault:
            hint = "; operators stand between spaces" if re.search(r"/.*[+-]|[+*]", token) else ""
            faults.append(f"character {at}: {fault}{hint}")
        elif token in seen:
            faults.append(f"character {at}: {token!r} stands in the sum twice")
        else:
            seen.add(token)
            terms.append(Term(sign or 1, token))
        sign, operator_at = None, 0
    if operator_at:
        faults.append(f"character {operator_at}: nothing follows the operator")
    elif not terms and not faults:
        faults.append("is empty; a sum such as 'E-01/import_kwh - E-02/import_kwh' is expected")
    if len(terms) > TERMS_MAX:
        faults.append(f"has {len(terms)} parts, at most {TERMS_MAX} are allowed")
    return tuple(terms), faults


def expression_text(terms: Sequence[Term]) -> str:
    """The sum as text, which reads back as the same terms.

    >>> expression_text([Term(-1, "A/x"), Term(1, "B/y")])
    '- A/x + B/y'
    """
    parts = [f"{'+' if term.sign > 0 else '-'} {term.point}" for term in terms]
    return " ".join(parts).removeprefix("+ ")

"""Identifiers: the unified social credit code of an enterprise and the names on the wire."""

from __future__ import annotations

from domain.reading import IDENTIFIER

_USCC_SYMBOLS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def is_identifier(text: str) -> bool:
    """1 to 64 of letters, digits, `.`, `_`, `-`."""
    return IDENTIFIER.match(text) is not None


def uscc_fault(uscc: str) -> str | None:
    """What is wrong with a unified social credit code (GB 32100-2015), or None.

    Both check digits are verified: the eighteenth of the whole, and the ninth of the organisation code
    (GB 11714) in positions 9 to 17.
    """
    if len(uscc) != 18:
        return f"{uscc!r} has {len(uscc)} characters, a USCC has 18"
    for position, symbol in enumerate(uscc, 1):
        if symbol not in _USCC_SYMBOLS:
            return f"{uscc!r} has {symbol!r} at position {position}; allowed are digits and A–Y without I O S V Z"
    total = sum(
        _USCC_SYMBOLS.index(symbol) * weight for symbol, weight in zip(uscc, _USCC_WEIGHTS, strict=False)
    )
    expected = _USCC_SYMBOLS[(31 - total % 31) % 31]
    if uscc[17] != expected:
        return f"{uscc!r} has check digit {uscc[17]!r}, expected {expected!r}"
    organisation = uscc[8:17]
    total = sum(
        int(symbol, 36) * weight for symbol, weight in zip(organisation, _ORGANISATION_WEIGHTS, strict=False)
    )
    expected = {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))
    if organisation[8] != expected:
        return (
            f"{uscc!r} has check digit {organisation[8]!r} of the organisation code at position 17, "
            f"expected {expected!r}"
        )
    return None


def district_prefix(code: str) -> str:
    """The digits that the codes within a district share: GB/T 2260 has two digits a level, zeros where it has none.

    >>> district_prefix("430300"), district_prefix("500000"), district_prefix("430310")
    ('4303', '50', '430310')
    """
    while len(code) > 2 and len(code) % 2 == 0 and code.endswith("00"):
        code = code[:-2]
    return code

"""The shapes of consents and of the log of reads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas import Date, Page, Shape, Time
from domain.access import Part


class ConsentPeriod(Shape):
    from_: Date = Field(alias="from", description="A local day.")
    to: Date = Field(description="The first day after it.")


class ConsentItem(Shape):
    id: int
    uscc: str
    consumer: str = Field(description="Code of the bank.")
    purpose: str
    fields: list[Part]
    periods: list[ConsentPeriod] = Field(description="That may be read of; none: all.")
    granted_by: str
    legal_text_alg: str
    legal_text_hash: str = Field(description="Hexadecimal, of the text that was agreed to.")
    recorded_at: Time
    recorded_by: str
    valid_from: Time
    valid_to: Time | None
    revoked_at: Time | None
    revoked_by: str | None
    revoked_why: str | None
    state: Literal["valid", "not yet", "ended", "revoked"]


class ConsentsPage(Page):
    items: list[ConsentItem]


class ReadItem(Shape):
    number: int = Field(description="Of the entry in the log; between two there are reads of others.")
    at: Time
    request_id: str
    who: str
    key: str | None = Field(description="Prefix of the key; null: a visitor, where reading is open.")
    role: str | None
    tenant: list[str]
    what: str = Field(description="Method and route.")
    part: str = Field(description="Part of the account.")
    object: str = Field(description="What of it: a channel, a source, a report, a year.")
    period: dict[Literal["from", "to"], Time] | None
    basis: str = Field(description="By what right; none: it was refused.")
    status: int = Field(description="Of the answer.")
    alg: str
    digest: str = Field(description="Hexadecimal, of this entry and the digest before it.")


class ReadLogPage(Page):
    items: list[ReadItem]

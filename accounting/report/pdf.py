"""A paper as a PDF: A4 landscape, headings repeated on each page, the hash and the page's number at its foot.

Chinese is set in STSong-Light, a font that PDF readers bring or replace by one of the system's: no font file travels
with the server. The same paper gives the same bytes: its only time is that of the books.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle
from reportlab.platypus.flowables import Flowable

from accounting.report.layout import Column, Form, Paper, Table
from accounting.report.texts import Language, text

MEDIA_TYPE = "application/pdf"
_CHINESE, _LATIN, _LATIN_BOLD = "STSong-Light", "Helvetica", "Helvetica-Bold"
_PAGE = landscape(A4)
_MARGIN, _FRAME = 13 * mm, 6.0  # reportlab's frames keep six points clear within their edges
_SIZE, _LEADING, _PADDING = 7.0, 8.6, 2.5  # points
_HEADING = colors.HexColor("#E8EEF4")
_RULE = colors.HexColor("#9AA7B4")
_CELL_MAX = 2_000  # characters; the JSON has the rest of longer texts
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")
_INTEGERS = re.compile(r"\B(?=(\d{3})+(?!\d))")

registerFont(UnicodeCIDFont(_CHINESE))


def pdf(paper: Paper) -> bytes:
    """The document."""
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer, pagesize=_PAGE, title=paper.title, author="carbonmeter", subject=paper.footer,
        leftMargin=_MARGIN - _FRAME, rightMargin=_MARGIN - _FRAME, topMargin=_MARGIN, bottomMargin=_MARGIN + 4 * mm,
        invariant=1,
    )  # fmt: skip
    styles = _Styles(paper.language)
    story: list[Flowable] = [Paragraph(_marked(paper.title), styles.title)]
    story += [Paragraph(_marked(line), styles.line) for line in paper.lines]
    for table in paper.tables:
        story += _laid_out(table, paper.language, _PAGE[0] - 2 * _MARGIN, styles)
    document.build(story, canvasmaker=lambda *of, **more: _Numbered(paper, *of, **more))
    return buffer.getvalue()


class _Styles:
    """How the texts of a language are set."""

    def __init__(self, language: str) -> None:
        wrap = "CJK" if language == Language.ZH else None
        base = ParagraphStyle("base", fontName=_CHINESE, fontSize=_SIZE, leading=_LEADING, wordWrap=wrap)
        self.title = ParagraphStyle("title", base, fontSize=16, leading=22)
        self.line = ParagraphStyle("line", base, fontSize=9, leading=13)
        self.heading = ParagraphStyle(
            "heading", base, fontSize=10.5, leading=14, spaceBefore=9, spaceAfter=3, keepWithNext=1
        )
        self.note = ParagraphStyle("note", base, textColor=colors.HexColor("#445566"))
        self.cell = base
        self.right = ParagraphStyle("right", base, alignment=2)


class _Numbered(Canvas):
    """A canvas that knows the number of its pages when it writes their feet."""

    def __init__(self, paper: Paper, *of: Any, **more: Any) -> None:
        super().__init__(*of, **more)
        self._paper = paper
        self._pages: list[dict[str, Any]] = []
        made_at = datetime.fromisoformat(paper.made_at)
        zone = made_at.strftime("%z") or "+0000"
        stamp = f"D:{made_at:%Y%m%d%H%M%S}{zone[:3]}'{zone[3:5]}'"
        self.setDateFormatter(lambda *_: stamp)

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        self._pages.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]

    def save(self) -> None:
        pages = self._pages
        for number, page in enumerate(pages, 1):
            self.__dict__.update(page)
            self.setFont(_CHINESE, 7)
            self.drawString(_MARGIN, 8 * mm, self._paper.footer)
            self.drawRightString(
                _PAGE[0] - _MARGIN, 8 * mm, text("page", self._paper.language, page=number, pages=len(pages))
            )
            super().showPage()
        super().save()


def _laid_out(table: Table, language: str, width: float, styles: _Styles) -> list[Flowable]:
    places = [place for place, column in enumerate(table.columns) if not column.only_sheet]
    columns = [table.columns[place] for place in places]
    scale = width / sum(column.width for column in columns)
    widths = [column.width * scale for column in columns]
    story: list[Flowable] = [Paragraph(_marked(table.title), styles.heading)]
    if table.rows:
        heads = [
            Paragraph(_marked(column.title), styles.cell if column.form is Form.TEXT else styles.right)
            for column in columns
        ]
        body = [
            [
                _cell(row[place], table.columns[place], own, styles)
                for place, own in zip(places, widths, strict=True)
            ]
            for row in table.rows
        ]
        laid = LongTable(
            [heads, *body], colWidths=widths, repeatRows=1, splitInRow=1
        )  # a long text goes on overleaf
        laid.setStyle(TableStyle(_style(table, columns)))
        story.append(laid)
    else:
        story.append(Paragraph(_marked(text("none", language)), styles.cell))
    story += [Paragraph(_marked(note), styles.note) for note in table.notes]
    return [*story, Spacer(0, 4)]


def _style(table: Table, columns: Sequence[Column]) -> list[tuple[Any, ...]]:
    commands: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), _LATIN, _SIZE, _LEADING),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("BACKGROUND", (0, 0), (-1, 0), _HEADING),
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, _RULE),
        ("LEFTPADDING", (0, 0), (-1, -1), _PADDING),
        ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 1.2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.8),
    ]
    for place, column in enumerate(columns):
        if column.form is not Form.TEXT:
            commands.append(("ALIGN", (place, 1), (place, -1), "RIGHT"))
    for number in sorted(table.strong):
        commands.append(("FONT", (0, number + 1), (-1, number + 1), _LATIN_BOLD, _SIZE, _LEADING))
    return commands


def _cell(cell: str | None, column: Column, width: float, styles: _Styles) -> Any:
    """A short Latin text is drawn as it is, which is much faster; others are wrapped."""
    if cell is None:
        return "" if column.form is Form.TEXT else "–"
    shown = _grouped(cell) if column.form is Form.NUMBER else cell
    if len(shown) > _CELL_MAX:
        shown = f"{shown[:_CELL_MAX]}…"
    if shown.isascii() and stringWidth(shown, _LATIN_BOLD, _SIZE) <= width - 2 * _PADDING:
        return shown
    return Paragraph(_marked(shown), styles.cell if column.form is Form.TEXT else styles.right)


def _grouped(number: str) -> str:
    """A decimal with a comma between thousands.

    >>> _grouped("-1234567.125")
    '-1,234,567.125'
    """
    whole, point, decimals = number.partition(".")
    return _INTEGERS.sub(",", whole) + point + decimals


def _marked(words: str) -> str:
    """Words as reportlab's markup: Latin runs in Helvetica, the rest in the Chinese font, powers raised."""
    result = []
    place = 0
    for match in _SUPERSCRIPT.finditer(words):
        result += [_runs(words[place : match.start()]), f"<super>{_runs(match[0])}</super>"]
        place = match.end()
    return "".join([*result, _runs(words[place:])])


def _runs(words: str) -> str:
    result: list[str] = []
    latin: list[str] = []
    for sign in words.translate(_PLAIN):
        try:
            sign.encode("cp1252")
        except UnicodeEncodeError:
            result += [_latin(latin), escape(sign)]
            latin = []
        else:
            latin.append(sign)
    return "".join([*result, _latin(latin)])


def _latin(run: Sequence[str]) -> str:
    return f'<font name="{_LATIN}">{escape("".join(run))}</font>' if run else ""

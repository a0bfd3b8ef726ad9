"""The forms that a report goes out in. Pure: a report in, bytes out; the same report, the same bytes."""

from __future__ import annotations

from enum import StrEnum

from accounting.report import pdf, xlsx
from accounting.report.document import Report, to_json
from accounting.report.layout import Paper
from accounting.report.tables import paper
from accounting.report.texts import Language


class ReportFormat(StrEnum):
    JSON = "json"
    XLSX = "xlsx"
    PDF = "pdf"


MEDIA_TYPES = {
    ReportFormat.JSON: "application/json",
    ReportFormat.XLSX: xlsx.MEDIA_TYPE,
    ReportFormat.PDF: pdf.MEDIA_TYPE,
}


def rendered(its: Paper, form: ReportFormat) -> bytes:
    """A paper as a workbook or a PDF."""
    return pdf.pdf(its) if form is ReportFormat.PDF else xlsx.xlsx(its)


def written(report: Report, form: ReportFormat, language: Language) -> bytes:
    """A report in a form; its JSON has both languages."""
    return to_json(report) if form is ReportFormat.JSON else rendered(paper(report, language), form)


def every_form(report: Report) -> list[tuple[ReportFormat, str, bytes]]:
    """(form, language, bytes) of all that is kept of a published report; the JSON is in no one language."""
    files = [(ReportFormat.JSON, "", to_json(report))]
    for language in Language:
        its = paper(report, language)
        files += [
            (form, str(language), rendered(its, form)) for form in (ReportFormat.XLSX, ReportFormat.PDF)
        ]
    return files

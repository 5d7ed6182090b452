"""The report: one HTML page, one Markdown table."""

from edgezoo.report.data import ArtifactEntry, QuantizationFacts, ReportData
from edgezoo.report.read import read_report_data
from edgezoo.report.write import write_report

__all__ = [
    "ArtifactEntry",
    "QuantizationFacts",
    "ReportData",
    "read_report_data",
    "write_report",
]

"""The report: one HTML page, one Markdown table."""

"""A monthly report as one HTML file."""

from jobs.publish.monthly.view import Report
from jobs.publish.paper.page import page_of


def page_html(report: Report) -> bytes:
    """Return the page: the same bytes for the same report."""
    return page_of(__package__, "monthly.html.j2", r=report, w=report.words)

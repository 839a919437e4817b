"""The situation as one HTML file."""

from jobs.publish.paper.page import page_of
from jobs.publish.situation.view import Situation


def page_html(situation: Situation) -> bytes:
    """Return the page: the same bytes for the same situation."""
    return page_of(__package__, "situation.html.j2", s=situation, w=situation.words)

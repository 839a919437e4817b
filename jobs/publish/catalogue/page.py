"""The catalogue as one HTML file: no network, no script, and a content security policy that forbids both."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby

from jinja2 import DictLoader, Environment, StrictUndefined

from jobs.publish.catalogue.breaks import Break
from jobs.publish.catalogue.document import revoked_keys
from jobs.publish.catalogue.reading import Listed
from jobs.publish.errata import Notice
from jobs.publish.paper.page import content_policy
from privacy.approval import Trust

_TEMPLATE, _STYLE = "catalogue.html.j2", "catalogue.css"

_MARKS = {"current": "✓", "corrected": "✎", "superseded": "↷", "withdrawn": "✕"}
"""A sign beside every colour: nobody has to tell colours apart."""


@dataclass(frozen=True)
class Calendar:
    """The periods of one kind, and what was published of each product in them.

    Args:
        kind: day, week or month.
        periods: Every period of which anything was published, in order.
        rows: A product, and its newest release of each period; nothing where there is none.
    """

    kind: str
    periods: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Listed | None, ...]], ...]


def page_html(
    releases: Sequence[Listed],
    breaks: Sequence[Break],
    notices: Sequence[Notice],
    trust: Trust | None,
    shared: int,
) -> bytes:
    """Return the page: the same bytes for the same bundles, errata and keys."""
    style = _resource(_STYLE)
    text = (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            releases=releases,
            calendars=calendars(releases),
            breaks=breaks,
            notices=notices,
            revoked=revoked_keys(trust),
            keys_known=trust is not None,
            shared=shared,
            marks=_MARKS,
            style=style,
            policy=content_policy(style),
        )
    )
    return text.encode()


def calendars(releases: Sequence[Listed]) -> tuple[Calendar, ...]:
    """Return a calendar for each kind of period: the newest revision of every product and period."""

    def kind_of(one: Listed) -> str:
        return one.series.partition("/")[2]

    by_kind = groupby(sorted(releases, key=lambda one: (kind_of(one), one.order)), key=kind_of)
    return tuple(_calendar(kind, list(of_kind)) for kind, of_kind in by_kind)


def _calendar(kind: str, releases: Sequence[Listed]) -> Calendar:
    periods = tuple(dict.fromkeys(one.card.period for one in sorted(releases, key=lambda one: one.order[1])))
    newest = {(one.card.product, one.card.period): one for one in releases}
    products = sorted({product for product, _ in newest})
    rows = tuple((name, tuple(newest.get((name, period)) for period in periods)) for name in products)
    return Calendar(kind, periods, rows)


def _environment() -> Environment:
    # Titles and reasons come from bundles and errata that a stranger may have sent: everything is escaped.
    return Environment(
        loader=DictLoader({_TEMPLATE: _resource(_TEMPLATE)}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")

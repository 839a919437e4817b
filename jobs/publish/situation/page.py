"""The situation as one HTML file: no network, no script, and a content security policy that forbids both."""

import base64
import hashlib
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined

from jobs.publish.situation.view import Situation

_TEMPLATE, _STYLE = "situation.html.j2", "situation.css"


def page_html(situation: Situation) -> bytes:
    """Return the page: the same bytes for the same situation."""
    style = _resource(_STYLE)
    page = _environment().get_template(_TEMPLATE)
    text = page.render(s=situation, w=situation.words, style=style, policy=content_policy(style))
    return text.encode()


def content_policy(style: str) -> str:
    """Return the policy of a page that may show itself, with this style sheet alone, and fetch and run nothing."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _environment() -> Environment:
    # Event names, zones and titles come from a bundle that a stranger may have sent: everything is escaped.
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

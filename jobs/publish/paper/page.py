"""A paper as one HTML file: no network, no script, and a content security policy that forbids both."""

import base64
import hashlib
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined

_MACROS, _STYLE = "paper.j2", "paper.css"


def page_of(package: str, template: str, **told: object) -> bytes:
    """Return a page: the same bytes for the same content.

    Args:
        package: Where the template lies.
        template: Its name; it may import the macros of `paper.j2`, and knows `style` and `policy`.
        told: What it sets.
    """
    style = files(__package__).joinpath(_STYLE).read_text(encoding="utf-8")
    page = _environment(package, template).get_template(template)
    return page.render(style=style, policy=content_policy(style), **told).encode()


def content_policy(style: str) -> str:
    """Return the policy of a page that may show itself, with this style sheet alone, and fetch and run nothing."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _environment(package: str, template: str) -> Environment:
    sources = {_MACROS: files(__package__).joinpath(_MACROS), template: files(package).joinpath(template)}
    # Event names, zones and titles come from a bundle that a stranger may have sent: everything is escaped.
    return Environment(
        loader=DictLoader({name: source.read_text(encoding="utf-8") for name, source in sources.items()}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

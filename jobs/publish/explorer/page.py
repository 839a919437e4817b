"""The explorer as one HTML file: no network, its own program and style alone, and a policy that forbids all others.

Titles, names and codes come from bundles that strangers may have sent. They stand in a block of JSON that no browser
runs, in which `<` is written as an escape, and the program sets them as text, never as markup.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jobs.publish.explorer.words import catalogues

PROGRAM: Final = (
    "numbers.js", "words.js", "data.js", "state.js", "dom.js", "map.js", "flows.js", "series.js", "table.js",
    "figures.js", "provenance.js", "app.js",
)  # fmt: skip
"""The parts of the program, in the order in which they are put together."""

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Whimbrel</title>
<style>{style}</style>
</head>
<body>
<noscript><p>This page draws itself with a program that it holds: allow it, or open the tables instead.</p></noscript>
<script type="application/json" id="words">{words}</script>
<script type="application/json" id="data">{data}</script>
<script>{program}</script>
</body>
</html>
"""


def page_html(block: Mapping[str, Any], parts: Iterable[str] = ()) -> bytes:
    """Return the page of a data block: the same bytes for the same block.

    Args:
        block: The data.
        parts: What `jobs.publish.explorer.inputs.parts_in` says of the releases.
    """
    style, program = style_text(), program_text()
    page = _PAGE.format(
        policy=content_policy(style, program),
        style=style,
        program=program,
        words=json_in_html(catalogues(parts)),
        data=json_in_html(block),
    )
    return page.encode()


def content_policy(style: str, program: str) -> str:
    """Return the policy of a page that may show itself with this style and this program, and fetch and run no other."""
    allowed = f"script-src '{_digest(program)}'; style-src '{_digest(style)}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"


def json_in_html(value: object) -> str:
    """Return a value as JSON that ends no script element and begins none, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return "".join(_ESCAPES.get(character, character) for character in text)


_ESCAPES: Final = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


@cache
def program_text() -> str:
    """Return the program: its parts in one closed scope."""
    parts = "\n".join(_resource("js", name) for name in PROGRAM)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


@cache
def style_text() -> str:
    """Return the style sheet."""
    return _resource("explorer.css")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _resource(*names: str) -> str:
    return files(__package__).joinpath(*names).read_text(encoding="utf-8")

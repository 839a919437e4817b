"""`whimbrel report`: what a month's bundles say, on paper."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.console import OUT, steps
from jobs.options import LanguageOption


def report(
    bundles: Annotated[list[Path], typer.Argument(help="Bundles, folders or zips; those of the month are told.")],
    month: Annotated[str, typer.Option(help="The privacy month, such as 2026-03.")],
    out: Annotated[Path, typer.Option(help="Folder for report_MONTH.html and report_MONTH.pdf.")] = Path("reports"),
    language: LanguageOption = ["en"],  # noqa: B006 # typer copies it
    key: Annotated[str | None, typer.Option(help="The publisher's public key, its line or its .pub file.")] = None,
    trust: Annotated[Path | None, typer.Option(help="The operator's trust.toml, where it was handed out.")] = None,
) -> None:
    """Write a month's report for demographers: a self-contained page and a PDF; needs no operator."""
    from jobs.keys import read_public_key
    from jobs.publish.monthly.run import write_report
    from privacy.approval import Trust
    from privacy.unit import PrivacyMonth

    known = (read_public_key(key) if key else None, Trust.load(trust) if trust else None)
    with steps() as progress:
        progress("verifying the bundles and drawing the report")
        files = write_report(bundles, PrivacyMonth.parse(month), out, languages=language, key=known[0], trust=known[1])
    OUT.print(*files, sep="\n", soft_wrap=True)

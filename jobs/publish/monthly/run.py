"""`whimbrel report`: from the bundles of a month to one page and two sheets of paper."""

from collections.abc import Sequence
from pathlib import Path

from jobs.publish.monthly.figures import figures_of
from jobs.publish.monthly.languages import WORDS
from jobs.publish.monthly.page import page_html
from jobs.publish.monthly.reading import MonthBundles, read_month
from jobs.publish.monthly.report import report_pdf
from jobs.publish.monthly.telling import report_of
from jobs.publish.monthly.view import Report
from jobs.publish.monthly.words import Words
from jobs.publish.paper.catalogue import LANGUAGES, file_name, languages_of
from jobs.publish.situation.geometry import ground_of
from privacy.approval import Trust
from privacy.durable import write_public
from privacy.signing import PublicKey
from privacy.unit import PrivacyMonth


def write_report(
    paths: Sequence[Path],
    month: PrivacyMonth,
    out: Path,
    *,
    languages: Sequence[str] = LANGUAGES[:1],
    key: PublicKey | None = None,
    trust: Trust | None = None,
) -> tuple[Path, ...]:
    """Write the report of a month into a folder; again with the same bundles: the same bytes.

    Args:
        paths: Published bundles, folders or zips, of any product and month: those of the month are verified first.
        month: The privacy month.
        out: The folder; made where it is missing.
        languages: Languages that it is written in.
        key: The publisher's key, known from elsewhere.
        trust: The operator's list of trusted keys, known from elsewhere.

    Returns:
        A page and a PDF in each language.

    Raises:
        BundleError: A bundle is damaged, or they are not of one country and kind.
        ConfigError: None is of the month, or a language is none of ours.
    """
    asked = languages_of(languages)
    bundles = read_month(paths, month, key=key, trust=trust)
    files: dict[Path, bytes] = {}
    for language in asked:
        report = report_of_bundles(bundles, WORDS[language], keys_known=bool(key or trust))
        files[out / file_name(f"report_{month}", language, "html")] = page_html(report)
        files[out / file_name(f"report_{month}", language, "pdf")] = report_pdf(report)
    for path, content in files.items():
        write_public(path, content)
    return tuple(files)


def report_of_bundles(bundles: MonthBundles, words: Words, *, keys_known: bool) -> Report:
    """Return the report of verified bundles."""
    return report_of(bundles, figures_of(bundles), ground_of(bundles.zones), words, keys_known=keys_known)

"""`whimbrel situation`: from the bundles of an event to one page and one sheet of paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from jobs.publish.paper.catalogue import LANGUAGES, file_name, languages_of
from jobs.publish.paper.provenance import loss, protected
from jobs.publish.situation.figures import Figures, figures_of
from jobs.publish.situation.geometry import ground_of
from jobs.publish.situation.languages import WORDS
from jobs.publish.situation.network import Network, network_on
from jobs.publish.situation.page import page_html
from jobs.publish.situation.reading import EventBundle, EventBundles, read_event
from jobs.publish.situation.report import report_pdf
from jobs.publish.situation.telling import situation_of
from jobs.publish.situation.view import Event, Provenance, Situation
from jobs.publish.situation.words import Words
from privacy.approval import Trust
from privacy.durable import write_public
from privacy.signing import PublicKey

STEM: Final = "situation"
"""How the files are called, before language and form."""


@dataclass(frozen=True)
class Keys:
    """Keys that the reader knows from elsewhere, to compare the signers with.

    Args:
        publisher: The publisher's.
        trust: The operator's list.
    """

    publisher: PublicKey | None = None
    trust: Trust | None = None

    @property
    def are_given(self) -> bool:
        """Whether there is any."""
        return self.publisher is not None or self.trust is not None


def write_situation(
    paths: Sequence[Path],
    out: Path,
    *,
    today: date,
    network: Path | None = None,
    keys: Keys | None = None,
    languages: Sequence[str] = LANGUAGES[:1],
) -> tuple[Path, ...]:
    """Write page and sheet of an event into a folder; again with the same bundles and day: the same bytes.

    Args:
        paths: Published bundles of one event, folders or zips: verified first.
        out: The folder; made where it is missing.
        today: Day to which the age of the data is counted.
        network: A public table of the network's state.
        keys: The reader's keys.
        languages: Languages that both are written in.

    Returns:
        A page and a sheet in each language.

    Raises:
        BundleError: A bundle is damaged, or they are not of one event.
        ConfigError: There is no bundle, or a language is none of ours.
        InputError: The table of the network cannot be read.
    """
    known, asked = keys or Keys(), languages_of(languages)
    bundles = read_event(paths, key=known.publisher, trust=known.trust)
    files: dict[Path, bytes] = {}
    for language in asked:
        situation = situation_of_bundles(
            bundles, today=today, network=network, keys_known=known.are_given, words=WORDS[language]
        )
        files[out / file_name(STEM, language, "html")] = page_html(situation)
        files[out / file_name(STEM, language, "pdf")] = report_pdf(situation)
    for path, content in files.items():
        write_public(path, content)
    return tuple(files)


def situation_of_bundles(
    bundles: EventBundles, *, today: date, network: Path | None, keys_known: bool, words: Words
) -> Situation:
    """Return the page of verified bundles; arguments as in `write_situation`."""
    event = Event(bundles.event.name, bundles.event.hazard, date.fromisoformat(bundles.event.onset))
    figures = figures_of(bundles.rows, event.onset)
    ground, state = ground_of(bundles.zones), _network(network, figures, bundles, today)
    return situation_of(figures, event, ground, _provenance(bundles, keys_known, words), state, today, words)


def _network(path: Path | None, figures: Figures, bundles: EventBundles, today: date) -> Network | None:
    if path is None:
        return None
    day = figures.moments[-1].period.last_day if figures.moments else today
    return network_on(path, day, max(bundles.latest.card.zones.resolutions))


def _provenance(bundles: EventBundles, keys_known: bool, words: Words) -> Provenance:
    card, locale = bundles.latest.card, words.locale
    privacy = words.privacy.format(unit=protected(card, locale), epsilon=loss(card, locale))
    return Provenance(
        sources=tuple(_source(bundle, words) for bundle in reversed(bundles.bundles)),
        privacy=privacy,
        checked=locale.verified_keys if keys_known else locale.verified,
        synthetic=card.synthetic,
        restricted=any(bundle.card.sensitivity.now != "public" for bundle in bundles.bundles),
        provisional=card.may_change,
        delivered_until=card.delivered_until,
        min_away_km=_number(card.definition_parameters.get("min_away_km")),
    )


def _number(found: object) -> float | None:
    """A parameter of the card as a number; nothing where it is none."""
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _source(bundle: EventBundle, words: Words) -> str:
    card, told = bundle.card, words.locale.inserted
    return words.source.format(
        event=told(bundle.event.name),
        country=told(card.country or ""),
        period=told(card.period),
        revision=card.revision,
        slug=told(card.slug),
        sealed_on=told(card.sealed_on),
        definition_id=told(card.definition_id),
        sha256=bundle.report.sha256,
    )

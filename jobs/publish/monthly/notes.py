"""Sentences of a monthly report on its own data: what is below the cut, what is missing, what was revised."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from jobs.publish.monthly.figures import Churn, Figures, breaks_in
from jobs.publish.monthly.reading import TOLD, MonthBundles
from jobs.publish.monthly.view import Note
from jobs.publish.monthly.words import Words
from jobs.publish.situation.estimate import Share, Trust

WEEKLY: Final = ("od_trips", "presence", "home_visits")
"""Products of which a month has four or five weeks."""


def notes_of(month: MonthBundles, figures: Figures, words: Words) -> tuple[Note, ...]:
    """Return what has to be known of a month's data."""
    return (
        Note(words.churn, (_churn(figures.churn, words),)),
        Note(words.below, _below(figures, words)),
        Note(words.quality, (*_days(month, figures, words), *_weeks(month, words), *_state(month, words))),
        Note(words.missing, _missing(month, words)),
    )


def _churn(churn: Churn | None, words: Words) -> str:
    if churn is None:
        return words.churn_missing
    told = words.locale.told
    return words.churn_told.format(appeared=told(churn.appeared), fell_silent=told(churn.fell_silent))


def _below(figures: Figures, words: Words) -> tuple[str, ...]:
    locale = words.locale
    of_products = {"od_trips": figures.trips, "home_visits": figures.visits, "relocations": figures.relocations}
    told = tuple(
        words.below_told.format(
            product=words.products[product],
            share=locale.shared(flows.share_below),
            n=locale.told(flows.remainder),
            whole=locale.told(flows.total),
        )
        for product, flows in of_products.items()
        if flows is not None and flows.total.trust is not Trust.NOT
    )
    return (*told, words.below_absence)


def _days(month: MonthBundles, figures: Figures, words: Words) -> tuple[str, ...]:
    if not figures.active:
        return ()
    days, locale = month.month.days, words.locale
    lost = [day for day in days if day not in figures.active]
    numbers = {"all": locale.number(len(days)), "held": locale.number(len(days) - len(lost))}
    first = words.days_missing if lost else words.days_complete
    apart = breaks_in(figures.active)
    return (
        first.format(names=_runs(lost, words), **numbers),
        words.break_on.format(names=_listed([day.isoformat() for day in apart], words)) if apart else words.no_break,
    )


def _weeks(month: MonthBundles, words: Words) -> tuple[str, ...]:
    held = {product: [str(one.period) for one in month.weekly(product)] for product in WEEKLY}
    every = [str(week) for week in month.month.weeks]
    lost = {product: [w for w in every if w not in weeks] for product, weeks in held.items() if weeks}
    return tuple(
        words.weeks_missing.format(
            product=words.products[product],
            held=words.locale.number(len(every) - len(weeks)),
            all=words.locale.number(len(every)),
            names=_listed(weeks, words),
        )
        for product, weeks in lost.items()
        if weeks
    )


def _state(month: MonthBundles, words: Words) -> tuple[str, ...]:
    early = [one.card.slug for one in month.told if one.card.is_provisional]
    later = [one.card.slug for one in month.told if one.card.revision > 1]
    texts: Mapping[str, Sequence[str]] = {
        words.provisional: early,
        words.revised: later,
        words.superseded: month.superseded,
    }
    told = tuple(text.format(names=_listed(names, words)) for text, names in texts.items() if names)
    revised = () if later or month.superseded else (words.no_revision,)
    return (*told, *revised, *_clipping(month, words))


def _clipping(month: MonthBundles, words: Words) -> tuple[str, ...]:
    trips = month.weekly("od_trips")
    if not trips:
        return ()
    note = trips[-1].card.clipping
    if note is None:
        return (words.clipping_unknown,)
    sd = max(0.0, note.ci_high - note.share) / 1.96
    return (words.clipping.format(share=words.locale.shared(Share(note.share, sd))),)


def _missing(month: MonthBundles, words: Words) -> tuple[str, ...]:
    separator, lost = words.locale.list_separator, [product for product in TOLD if not month.of(product)]
    names = separator.join(words.products[product] for product in lost)
    texts = [words.missing_told.format(names=names) if lost else words.missing_none]
    if others := dict.fromkeys(one.card.product for one in month.others):
        known = (words.products.get(product, words.locale.inserted(product)) for product in others)
        texts.append(words.others.format(names=separator.join(known)))
    return tuple(texts)


def _runs(days: Sequence[date], words: Words) -> str:
    """Days, those that follow each other as an interval."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    told = words.locale.inserted
    return words.locale.list_separator.join(
        told(str(run[0]))
        if len(run) == 1
        else words.locale.interval.format(low=told(str(run[0])), high=told(str(run[-1])))
        for run in runs
    )


def _listed(names: Sequence[str], words: Words) -> str:
    return words.locale.list_separator.join(words.locale.inserted(name) for name in names)

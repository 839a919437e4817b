"""From a month's figures to sentences, tables and pictures."""

from collections.abc import Sequence

from jobs.publish.card import Card
from jobs.publish.indicators.intensity import MOST_UNPLACED
from jobs.publish.monthly.figures import Balances, Figures, Flow, Flows, mean_of
from jobs.publish.monthly.notes import notes_of
from jobs.publish.monthly.pictures import (
    flows_map,
    presence_chart,
    pyramid,
    residents_legend,
    residents_map,
)
from jobs.publish.monthly.reading import TOLD, MonthBundle, MonthBundles
from jobs.publish.monthly.view import Picture, Report
from jobs.publish.monthly.words import Words
from jobs.publish.paper.atlas import Atlas
from jobs.publish.paper.charts import Series, chart_of
from jobs.publish.paper.locales import Counted
from jobs.publish.paper.provenance import delta_text, protected
from jobs.publish.paper.view import KeyFigure, MapView, Table
from jobs.publish.situation.estimate import Estimate, Trust
from jobs.publish.situation.geometry import Ground
from privacy.marginals import BIN_HOURS
from privacy.unit import PeriodKind

BLUE = "#0b4f8a"


def report_of(month: MonthBundles, figures: Figures, ground: Ground, words: Words, *, keys_known: bool) -> Report:
    """Return the report of a month.

    Args:
        month: Its verified bundles.
        figures: Its numbers.
        ground: The zones.
        words: The language.
        keys_known: Whether signers were compared with keys known from elsewhere.
    """
    locale = words.locale
    atlas = Atlas(ground, _numbers(figures), locale)
    country, on = locale.inserted(month.country), locale.month(month.month.year, month.month.month)
    ends = [locale.inserted(day.isoformat()) for day in (month.month.first_day, month.month.last_day)]
    checked = locale.verified_keys if keys_known else locale.verified
    unit = words.privacy.format(unit=protected(month.bundles[-1].card, locale))
    return Report(
        words=words,
        title=words.page_title.format(country=country, month=on),
        country=country,
        on=on,
        marks=_marks(month, words),
        kind=words.kind.format(month=locale.inserted(str(month.month)), first=ends[0], last=ends[1]),
        key_figures=_key_figures(figures, words),
        maps=_maps(figures, atlas, words),
        flows=_flows(figures.trips, len(month.weekly("od_trips")), atlas, words),
        pyramid=_pyramid(figures, words),
        charts=_charts(figures, words),
        balances=_balances(figures.balances, atlas, words),
        visits=_visits(figures.visits, atlas, words),
        key=tuple(_keyed(zone, atlas) for zone in atlas.numbers),
        notes=notes_of(month, figures, words),
        parameters=_parameters(month, words),
        counted=tuple(
            words.counted.format(product=words.products[p], counted=words.counts[p]) for p in TOLD if month.of(p)
        ),
        blind=words.blind_points,
        citation=(_citation(month, words), unit, words.definitions, checked, locale.made_by),
        sources=tuple(_source(bundle, words) for bundle in month.bundles),
        digests=tuple(f"{one.card.slug} {one.report.sha256[:16]}" for one in month.bundles),
    )


def _marks(month: MonthBundles, words: Words) -> tuple[str, ...]:
    cards = [bundle.card for bundle in month.bundles]
    marks = (
        (words.locale.synthetic, cards[0].synthetic),
        (words.locale.restricted, any(card.sensitivity.now != "public" for card in cards)),
    )
    return tuple(text for text, holds in marks if holds)


def _numbers(figures: Figures) -> dict[str, int]:
    """Number the zones of all lists, each as listed."""
    flows = (*_listed(figures.trips), *_listed(figures.visits))
    ends = [end for flow in flows for end in (flow.origin, flow.destination)]
    zones = dict.fromkeys([*ends, *(balance.zone for balance in figures.balances.zones)])
    return {zone: number for number, zone in enumerate(zones, 1)}


def _keyed(zone: str, atlas: Atlas) -> str:
    name, told = atlas.ground.names.get(zone), atlas.locale.inserted
    where = told(name) if name else atlas.position(zone)
    return " \u2013 ".join((str(atlas.numbers[zone]), where, told(zone)))


def _listed(flows: Flows | None) -> tuple[Flow, ...]:
    return flows.flows if flows else ()


def _key_figures(figures: Figures, words: Words) -> tuple[KeyFigure, ...]:
    shown = (
        (words.card_residents, figures.residents.whole if figures.residents else None),
        (words.card_trips, figures.trips.total if figures.trips else None),
        (words.card_relocations, figures.relocations.total if figures.relocations else None),
        (words.card_active, mean_of(list(figures.active.values())) if figures.active else None),
    )
    return tuple(_key_figure(label, number, words) for label, number in shown)


def _key_figure(label: str, number: Estimate | None, words: Words) -> KeyFigure:
    locale = words.locale
    if number is None:
        return KeyFigure(label, locale.no_number, "", words.not_released)
    value = locale.no_number if number.trust is Trust.NOT else locale.rounded(number)
    return KeyFigure(label, value, locale.range_of(number), locale.trust[number.trust])


def _maps(figures: Figures, atlas: Atlas, words: Words) -> tuple[MapView, ...]:
    zones = figures.residents.zones if figures.residents else {}
    homes = residents_map(zones, [balance.zone for balance in figures.balances.zones], atlas, words)
    legend = residents_legend(zones, words.locale) if zones else ()
    ways = flows_map(figures.trips, atlas, words)
    return (MapView(homes, words.map_residents_more, legend), MapView(ways, words.map_flows_more, ()))


def _flows(trips: Flows | None, weeks: int, atlas: Atlas, words: Words) -> Table:
    heads = (words.origin, words.destination, words.trips_a_day, words.range, words.how_sure)
    rows = tuple(_flow_row(flow, atlas, words) for flow in _listed(trips))
    title = words.locale.counted(words.flows, len(rows)) if rows else words.flows_any
    more = words.locale.counted(words.flows_more, max(1, weeks))
    numbers, names = frozenset({2, 3}), frozenset({0, 1})
    return Table(title, more, heads, rows, words.flows_none, numbers, names, tuple(range(5)), words.flows_any)


def _flow_row(flow: Flow, atlas: Atlas, words: Words) -> tuple[str, ...]:
    locale, mean = words.locale, flow.mean
    there = words.same_zone if flow.origin == flow.destination else atlas.name(flow.destination)
    return (atlas.name(flow.origin), there, locale.rounded(mean), locale.range_of(mean), locale.trust[mean.trust])


def _visits(visits: Flows | None, atlas: Atlas, words: Words) -> Table:
    heads = (words.home, words.visited, words.visited_cells, words.range, words.how_sure)
    rows = tuple(_flow_row(flow, atlas, words) for flow in _listed(visits))
    told = (words.visits, words.visits_more, heads, rows, words.visits_none)
    return Table(*told, frozenset({2, 3}), frozenset({0, 1}), tuple(range(5)))


def _balances(balances: Balances, atlas: Atlas, words: Words) -> Table:
    locale, with_net = words.locale, balances.net_is_told
    heads = (words.zone, words.arrived, words.left, *([words.net] if with_net else []))
    rows = tuple(
        (
            atlas.name(one.zone),
            _moved(one.arrived, words),
            _moved(one.left, words),
            *([locale.signed(one.net)] if with_net else []),
        )
        for one in balances.zones
    )
    shares = {"share": locale.in_percent(balances.unplaced), "most": locale.in_percent(MOST_UNPLACED)}
    return Table(
        title=words.balances,
        more=words.balances_more,
        heads=heads,
        rows=rows,
        empty=words.balances_none,
        numbers=frozenset({1, 2, 3}),
        names=frozenset({0}),
        on_paper=tuple(range(len(heads))),
        note="" if with_net else words.net_untold.format(**shares),
    )


def _moved(number: Estimate | None, words: Words) -> str:
    return words.below_cut if number is None else words.locale.told(number)


def _pyramid(figures: Figures, words: Words) -> Picture:
    drawing = pyramid(figures.residents, words) if figures.residents else None
    if figures.residents is None or drawing is None:
        return Picture(words.pyramid, words.pyramid_not_held, None)
    more = words.pyramid_more.format(n=words.locale.told(figures.residents.without_strata))
    return Picture(words.pyramid, more, drawing)


def _charts(figures: Figures, words: Words) -> tuple[Picture, ...]:
    days = tuple(sorted(figures.active))
    daily = Series("daily", words.daily, days, tuple(figures.active[day] for day in days), BLUE)
    shown = chart_of(daily, words.locale) if days else None
    hours = presence_chart(figures.presence, BIN_HOURS, words) if figures.presence else None
    return (
        Picture(words.daily, words.daily_more if shown else words.not_released, shown),
        Picture(words.presence, words.presence_more if hours else words.not_released, hours),
    )


def _parameters(month: MonthBundles, words: Words) -> Table:
    deltas = [at.delta for at in month.told[0].card.privacy.epsilon] if month.told else []
    epsilons = tuple(words.epsilon.format(delta=delta_text(delta)) for delta in deltas)
    heads = (words.product, words.what, words.releases, words.levels, words.cut, words.rho, *epsilons)
    rows = tuple(_parameter_row(bundles, words) for p in TOLD for bundles in _by_kind(month.of(p)))
    numbers = frozenset({2, 4, *range(5, len(heads))})
    on_paper = (0, *range(2, len(heads)))
    told = (words.parameters, words.parameters_more, heads, rows, words.parameters_none)
    return Table(*told, numbers, frozenset({0, 3}), on_paper)


def _by_kind(bundles: Sequence[MonthBundle]) -> list[tuple[MonthBundle, ...]]:
    """Releases of days, of weeks and of months apart: each kind has parameters of its own."""
    found = ([one for one in bundles if one.period.kind is kind] for kind in PeriodKind)
    return [tuple(one) for one in found if one]


def _parameter_row(bundles: Sequence[MonthBundle], words: Words) -> tuple[str, ...]:
    locale, card = words.locale, bundles[-1].card
    cut = locale.number(card.privacy.publish_sigma, 1) if card.privacy.publish_sigma else words.no_cut
    return (
        words.products[card.product],
        words.counts[card.product],
        locale.counted(_periods(bundles[-1].period.kind, words), len(bundles)),
        _levels(card, words),
        cut,
        locale.number(card.privacy.claimed_micro_rho / 1e6, 4),
        *(locale.number(at.epsilon, 2) for at in card.privacy.epsilon),
    )


def _periods(kind: PeriodKind, words: Words) -> Counted:
    return {PeriodKind.DAY: words.days, PeriodKind.WEEK: words.weeks, PeriodKind.MONTH: words.months}[kind]


def _levels(card: Card, words: Words) -> str:
    """Sigma of each level of zones; where a level has several tables, that of the one with least noise."""
    least: dict[int | None, float] = {}
    for note in card.privacy.levels:
        least[note.resolution] = min(note.sigma, least.get(note.resolution, note.sigma))
    order = sorted(least.items(), key=lambda level: -1 if level[0] is None else level[0])
    texts = (
        words.level_of_country.format(sigma=words.locale.number(sigma, 1))
        if level is None
        else words.level.format(level=level, sigma=words.locale.number(sigma, 1))
        for level, sigma in order
    )
    return words.locale.list_separator.join(texts)


def _citation(month: MonthBundles, words: Words) -> str:
    told, slugs = words.locale.inserted, [bundle.card.slug for bundle in month.bundles]
    return words.citation.format(
        country=told(month.country),
        month=told(str(month.month)),
        first=told(slugs[0]),
        last=told(slugs[-1]),
        sealed_on=told(max(bundle.card.sealed_on for bundle in month.bundles)),
    )


def _source(bundle: MonthBundle, words: Words) -> str:
    card, told = bundle.card, words.locale.inserted
    return words.source.format(
        product=words.products.get(card.product, told(card.product)),
        period=told(card.period),
        revision=card.revision,
        slug=told(card.slug),
        sealed_on=told(card.sealed_on),
        definition_id=told(card.definition_id),
        sha256=bundle.report.sha256,
    )

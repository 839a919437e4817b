"""From figures to sentences, tables and pictures: what the page says of an event."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from jobs.publish.displacement_series import HalfLife, excess, returns
from jobs.publish.paper.atlas import Atlas, legend_of_shares
from jobs.publish.paper.charts import Series, chart_of
from jobs.publish.paper.drawing import Drawing
from jobs.publish.paper.locales import Locale
from jobs.publish.paper.view import KeyFigure, MapView, Table
from jobs.publish.situation.estimate import Estimate, Share, Trust
from jobs.publish.situation.figures import Figures, Moment, Origin, Pair, clear_origins
from jobs.publish.situation.geometry import Ground
from jobs.publish.situation.maps import DOWN_CLASSES, legend_here, legend_left, map_down, map_here, map_left
from jobs.publish.situation.network import Basis, Network
from jobs.publish.situation.unseen import share_seen
from jobs.publish.situation.view import Event, NetworkView, Provenance, Situation
from jobs.publish.situation.words import Words
from privacy.unit import Period, PeriodKind

MOST_ORIGINS: Final = 12
"""Places of origin listed: the rest is on the map."""

BLUE, ORANGE, GREEN, GREY = "#0b4f8a", "#c4510a", "#00735c", "#6a5d7b"
"""Of the charts: told apart also by readers who do not tell red from green."""


def situation_of(
    figures: Figures,
    event: Event,
    ground: Ground,
    told: Provenance,
    network: Network | None,
    today: date,
    words: Words,
) -> Situation:
    """Return the page of an event.

    Args:
        figures: Its numbers.
        event: What is public of it.
        ground: The zones.
        told: Where the figures come from.
        network: The public report on the network nearest to the latest period, where one was given.
        today: The day on which the page is made: what the age of the data is counted to.
        words: The language.
    """
    latest = figures.moments[-1] if figures.moments else None
    atlas, name = Atlas(ground, _numbers(figures), words.locale), words.locale.inserted(event.name)
    day = words.locale.day(latest.period.last_day if latest else today)
    return Situation(
        words=words,
        title=words.page_title.format(event=name, date=day),
        event=name,
        on=words.situation_on.format(date=day),
        marks=_marks(told, words),
        headline=_headline(latest, event, words),
        changes=_changes(figures, words),
        age=_age(latest, told, today, words),
        key_figures=_key_figures(figures, words),
        maps=_maps(figures, atlas, network, words),
        network=_network(network, latest, atlas, words),
        flows=_flows(figures.pairs, atlas, words),
        charts=_charts(figures, words),
        course=_course(figures, words),
        origins=_origins(figures, atlas, words),
        blind=tuple(text.format(min_away_km=_km(told, words)) for text in words.blind_points),
        sources=(*told.sources, told.privacy, told.checked, words.locale.made_by),
    )


def _marks(told: Provenance, words: Words) -> tuple[str, ...]:
    marks = ((words.locale.synthetic, told.synthetic), (words.locale.restricted, told.restricted))
    return tuple(text for text, holds in marks if holds)


def _numbers(figures: Figures) -> dict[str, int]:
    """Number the zones of the lists: places of origin first, then places of refuge, each as listed."""
    listed = [origin.zone for origin in _listed(figures.origins)]
    homes, locations = [pair.home for pair in figures.pairs], [pair.location for pair in figures.pairs]
    return {zone: number for number, zone in enumerate(dict.fromkeys([*listed, *homes, *locations]), 1)}


def _listed(origins: Sequence[Origin]) -> list[Origin]:
    return clear_origins(origins)[:MOST_ORIGINS]


def _when(period: Period, words: Words) -> str:
    text = words.in_week if period.kind is PeriodKind.WEEK else words.on_day
    return text.format(date=words.locale.day(period.first_day))


def _headline(latest: Moment | None, event: Event, words: Words) -> str:
    if latest is None:
        return words.no_data
    told = {"area": words.area(event.hazard), "when": _when(latest.period, words)}
    if latest.people_away.trust is not Trust.NOT:
        return words.away.format(n=words.locale.estimated(latest.people_away), **told)
    return words.away_unsure.format(most=words.locale.at_most(latest.people_away), **told)


def _changes(figures: Figures, words: Words) -> tuple[str, ...]:
    if not figures.moments:
        return (words.no_data_more,)
    latest = figures.moments[-1]
    return (_against_usual(_excess(figures), words), *_since_before(latest, words), *_of_the_unseen(latest, words))


def _of_the_unseen(latest: Moment, words: Words) -> tuple[str, ...]:
    """What the headline takes for granted of residents whom the night did not show; or that it leaves them out."""
    seen = share_seen(latest.sights)
    if latest.all_away is None or seen is None:
        return (words.unseen_left_out,)
    told = {"n": words.locale.estimated(latest.away), "share": words.locale.in_percent(seen.value)}
    return (words.unseen_reckoned.format(**told),)


def _excess(figures: Figures) -> Estimate | None:
    return excess(figures.moments[-1], figures.usual) if figures.usual else None


def _against_usual(excess: Estimate | None, words: Words) -> str:
    if excess is None:
        return words.usual_unknown
    if excess.trust is not Trust.NOT:
        return words.more_than_usual.format(n=words.locale.estimated(excess))
    fewer = Estimate(-excess.value, excess.sd)
    return (
        words.fewer_than_usual.format(n=words.locale.estimated(fewer))
        if fewer.trust is not Trust.NOT
        else words.as_usual
    )


def _since_before(latest: Moment, words: Words) -> tuple[str, ...]:
    returned, left, unsure = (
        (words.returned_since, words.left_since, words.changes_unsure)
        if latest.period.kind is PeriodKind.DAY
        else (words.returned_in_week, words.left_in_week, words.changes_unsure_in_week)
    )
    told = ((returned, latest.returned), (left, latest.newly_away))
    known = tuple(text.format(n=words.locale.estimated(n)) for text, n in told if n.trust is not Trust.NOT)
    return known or (unsure,)


def _age(latest: Moment | None, told: Provenance, today: date, words: Words) -> str:
    if latest is None:
        return ""
    settled = words.settled if told.delivered_until else ""
    until = min(latest.period.last_day, told.delivered_until or latest.period.last_day)
    days = (today - until).days
    age = words.locale.counted(words.age_days, days) if days > 0 else words.age_today
    first = words.data_age if days >= 0 else words.data_later
    dated = first.format(date=words.locale.day(until), age=age, today=words.locale.day(today))
    return f"{dated} {words.provisional if told.provisional else settled}".strip()


def _key_figures(figures: Figures, words: Words) -> tuple[KeyFigure, ...]:
    if not figures.moments:
        return ()
    latest = figures.moments[-1]
    newly, returned = (
        (words.card_newly, words.card_returned)
        if latest.period.kind is PeriodKind.DAY
        else (words.card_newly_in_week, words.card_returned_in_week)
    )
    shown = (
        (words.card_away, latest.people_away),
        (words.card_excess, _excess(figures)),
        (newly, latest.newly_away),
        (returned, latest.returned),
    )
    return tuple(_key_figure(label, estimate, words) for label, estimate in shown)


def _key_figure(label: str, estimate: Estimate | None, words: Words) -> KeyFigure:
    if estimate is None:
        return KeyFigure(label, words.locale.no_number, "", words.not_released)
    if estimate.trust is Trust.NOT:
        return KeyFigure(label, words.locale.no_number, words.locale.range_of(estimate), words.locale.trust[Trust.NOT])
    return KeyFigure(
        label, words.locale.rounded(estimate), words.locale.range_of(estimate), words.locale.trust[estimate.trust]
    )


def _maps(figures: Figures, atlas: Atlas, network: Network | None, words: Words) -> tuple[MapView, ...]:
    area = [zone for part in figures.parts for zone in part.zones]
    locations = list(dict.fromkeys(pair.location for pair in figures.pairs))
    views = [
        MapView(map_here(figures.here, area, locations, atlas, words), words.map_here_more, legend_here(words)),
        MapView(map_left(figures.parts, atlas, words), words.map_left_more, legend_left(words.locale)),
    ]
    if network is not None:
        down = map_down(network.shares, area, atlas, words)
        more = words.network_more if network.basis is Basis.FEED else words.network_more_phones
        views.append(MapView(down, more, legend_of_shares(DOWN_CLASSES, words.locale)))
    return tuple(views)


def _network(network: Network | None, latest: Moment | None, atlas: Atlas, words: Words) -> NetworkView:
    if network is None:
        return NetworkView(words.network, (words.network_missing,))
    texts = [_down_text(network, words)]
    if worst := sorted((z for z, share in network.shares.items() if share > 0), key=lambda z: (-network.shares[z], z)):
        texts.append(
            words.network_worst.format(names=words.locale.list_separator.join(atlas.name(zone) for zone in worst[:3]))
        )
    if latest and network.day != latest.period.last_day:
        days = {"date": words.locale.day(latest.period.last_day), "found": words.locale.day(network.day)}
        texts.append(words.network_stale.format(**days))
    return NetworkView(words.network_on.format(date=words.locale.day(network.day)), tuple(texts))


def _down_text(network: Network, words: Words) -> str:
    if network.basis is Basis.PHONES:
        few = sum(share > 0 for share in network.shares.values())
        text = words.network_few if few else words.network_all_seen
        return text.format(few=words.locale.number(few), zones=words.locale.number(len(network.shares)))
    if not network.down:
        return words.network_none
    return words.locale.counted(words.network_down, network.down, cells=words.locale.number(network.cells))


def _flows(pairs: Sequence[Pair], atlas: Atlas, words: Words) -> Table:
    heads = (words.rank, words.origin, words.destination, words.subscribers, words.range, words.how_sure)
    rows = tuple(
        (
            words.locale.number(rank), atlas.name(pair.home), _destination(pair, atlas, words),
            words.locale.rounded(pair.away), words.locale.range_of(pair.away), words.locale.trust[pair.away.trust],
        )
        for rank, pair in enumerate(pairs, 1)
    )  # fmt: skip
    title = words.locale.counted(words.flows, len(pairs)) if pairs else words.flows_any
    told = (title, words.flows_more, heads, rows, words.flows_none)
    return Table(*told, frozenset({0, 3, 4}), frozenset({1, 2}), tuple(range(6)), words.flows_any)


def _destination(pair: Pair, atlas: Atlas, words: Words) -> str:
    return words.same_zone if pair.home == pair.location else atlas.name(pair.location)


def _charts(figures: Figures, words: Words) -> tuple[Drawing, ...]:
    if not figures.moments:
        return ()
    days = tuple(_middle(moment.period) for moment in figures.moments)
    series = (
        Series("away", words.chart_away, days, tuple(m.people_away for m in figures.moments), BLUE, figures.usual),
        Series("newly", words.chart_newly, days, tuple(m.newly_away for m in figures.moments), ORANGE),
        Series("returned", words.chart_returned, days, tuple(m.returned for m in figures.moments), GREEN),
        Series("lost", words.chart_lost, days, tuple(m.lost for m in figures.moments), GREY),
    )
    return tuple(chart_of(one, words.locale) for one in series)


def _course(figures: Figures, words: Words) -> str:
    course = returns(figures.moments, figures.usual) if figures.usual else None
    if course is None or course.peak is figures.moments[-1] or course.points[-1].returned.trust is Trust.NOT:
        return ""
    told = words.course.format(
        peak=words.locale.short_day(_middle(course.peak.period)), share=words.locale.shared(course.points[-1].returned)
    )
    return f"{told} {_half_life(course.half_life, words)}".strip()


def _half_life(found: HalfLife, words: Words) -> str:
    """How long half of the return took, with its interval; nothing where half are not back yet."""
    if found.days is None or found.earliest is None:
        return ""
    low, days = words.locale.number(found.earliest), max(1, round(found.days))
    span = (
        words.half_life_open.format(low=low)
        if found.latest is None
        else words.locale.interval.format(low=low, high=words.locale.number(found.latest))
    )
    return words.locale.counted(words.half_life, days, range=span)


def _middle(period: Period) -> date:
    return period.first_day + timedelta(days=(period.last_day - period.first_day).days // 2)


def _origins(figures: Figures, atlas: Atlas, words: Words) -> Table:
    heads = (words.place, words.where, words.population, words.away_now, words.share_away, words.share_returned)
    rows = [_origin_row(origin, atlas) for origin in _listed(figures.origins)]
    numbers, on_paper = frozenset({2, 3, 4, 5}), (0, 2, 3, 4, 5)
    told = (words.origins, words.origins_more, heads, tuple(rows), words.origins_none)
    return Table(*told, numbers, frozenset({0}), on_paper)


def _origin_row(origin: Origin, atlas: Atlas) -> tuple[str, ...]:
    locale = atlas.locale
    shares = (_shared(share, locale) for share in (origin.share_away, _share_returned(origin)))
    numbers = (locale.told(estimate) for estimate in (origin.residents, origin.away))
    return (atlas.name(origin.zone), atlas.position(origin.zone), *numbers, *shares)


def _share_returned(origin: Origin) -> Share | None:
    course = returns(origin.moments, origin.usual) if origin.usual else None
    # At the peak itself the share is zero by definition, not by knowledge.
    return course.points[-1].returned if course and course.peak is not origin.moments[-1] else None


def _shared(share: Share | None, locale: Locale) -> str:
    known = share is not None and share.trust is not Trust.NOT
    return locale.shared(share) if share is not None and known else locale.no_number


def _km(told: Provenance, words: Words) -> str:
    return words.locale.number(told.min_away_km) if told.min_away_km else words.some

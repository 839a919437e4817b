"""Totals of the products that count subscribers, put together from the definitions of the methods pages alone."""

import dataclasses

from privacy.bounding import EVERYTHING
from schemas.countries import countries
from schemas.subscriber_days import NOT_AVAILABLE
from tests.oracle import bounding, moves, presence, residence


def naive_totals(days, strata, plan, policy):
    """Totals of a plan by the methods pages alone."""
    by_subscriber = {}
    for who, keys, amount in contributions(days, strata, plan, policy):
        by_subscriber.setdefault(who, []).append((keys, amount))
    squared = [bound.squared for bound in plan.bounds]
    everything = plan.bounds[0].key == EVERYTHING  # a key that is the same for all that a subscriber does
    keyed = {
        who: [((0, *keys) if everything else keys, amount) for keys, amount in found]
        for who, found in by_subscriber.items()
    }
    return bounding.totals(keyed, squared)


def contributions(days, strata, plan, policy):  # noqa: C901, PLR0912  a case a product
    """Every (subscriber, keys coarse to fine, amount) of a plan."""
    unseen = [index for index, cell in enumerate(plan.zones.base_cells) if cell in plan.zones.guard.withheld]
    in_period = {key: points for key, points in days.items() if key[1] in plan.period.days}
    seen = {"max_events_a_day": policy.mobility.max_events_a_day, "unseen": unseen}
    zones = ancestors(plan)
    sizes = [len(level.zones) for level in plan.zones.levels]
    match plan.key.product:
        case "presence":
            for country in range(plan.n_countries):
                mine = {key: points for key, points in in_period.items() if sim(strata, key, plan) == country}
                for (who, number, cell), times in presence.presence(mine, bin_hours=4, **seen).items():
                    by_zone = tuple(zone * 6 + number for zone in zones[cell])
                    yield who, (by_zone[0], by_zone[-1] * plan.n_countries + country), times
        case "roaming":
            told = {key: (points, strata.get(key, (None, None, NOT_AVAILABLE))[2]) for key, points in in_period.items()}
            home, listed, abroad = plan.countries.home, plan.countries.listed, len(plan.zones.levels[-1].zones)
            known = [countries()[one].numeric for one in listed]
            numeric = countries()[home].numeric
            for who, of_sim, cell, visited in presence.roaming(told, home=home, numeric=numeric, **seen):
                among, code = (listed, of_sim) if visited is None else (known, visited)
                country = among.index(code) if code in among else len(listed)
                yield who, (country * (abroad + 1) + (abroad if visited else zones[cell][-1]),), 1
        case "active_subscribers":
            for who, cell in presence.active(in_period, **seen).items():
                yield who, (zones[cell][-1],), 1
        case "residents":
            month = plan.period.privacy_month
            for who, cell in homes(days, [month], plan, policy, unseen).items():
                sex, age = stratum(
                    strata, policy, who, residence.last_days(days, **night_of(month, policy, unseen))[who]
                )
                yield who, ((zones[cell][-1] * 3 + sex) * 8 + age,), 1
        case "home_visits":
            visited = presence.visited(in_period, **seen)
            lived = homes(days, [plan.period.privacy_month.next(-1)], plan, policy, unseen)
            for who, home, cell in moves.home_visits(visited, lived):
                yield who, pairs(zones[home], zones[cell], sizes), 1
        case "churn":
            month = plan.period.privacy_month
            before, now = (homes(days, [one], plan, policy, unseen) for one in (month.next(-1), month))
            for who, cell, has_appeared in moves.churn(before, now):
                yield who, (zones[cell][-1] * 2 + (0 if has_appeared else 1),), 1
        case "relocations" | "migration":
            (charged,) = plan.product.charged  # both windows, no more
            half = (charged.months_back[1] + 1) // 2
            months = [plan.period.privacy_month.next(-back) for back in reversed(range(2 * half))]
            before, now = (homes(days, window, plan, policy, unseen) for window in (months[:half], months[half:]))
            for who, old, new in moves.moves(before, now, {cell: zone[-1] for cell, zone in zones.items()}):
                yield who, pairs(zones[old], zones[new], sizes), 1


def ancestors(plan):
    return {
        cell: tuple(int(of_base[cell]) for of_base in plan.zones.base_to_level)
        for cell in range(len(plan.zones.base_cells))
    }


def pairs(one, other, sizes):
    return tuple(a * n + b for a, b, n in zip(one, other, sizes, strict=True))


def night_of(month, policy, unseen):
    most = policy.mobility.max_events_a_day
    return {"month_days": month.days, "from_h": 19, "to_h": 7, "max_events_a_day": most, "unseen": unseen}


def homes(days, months, plan, policy, unseen):
    limits = dataclasses.asdict(policy.residence)
    return residence.residence(
        [residence.nights(days, **night_of(month, policy, unseen)) for month in months],
        ancestors=ancestors(plan),
        **{name: limits[name] for name in ("min_nights", "min_share", "min_month_share")},
    )


def sim(strata, key, plan):
    """Where the country of a day's SIM stands: domestic, listed, another, not held."""
    country, listed = strata.get(key, (None, None, NOT_AVAILABLE))[2], plan.countries.listed
    if country in {plan.countries.home, NOT_AVAILABLE}:
        return 0 if country == plan.countries.home else len(listed) + 2
    return listed.index(country) + 1 if country in listed else len(listed) + 1


def stratum(strata, policy, who, day):
    sexes, ages = policy.strata.sex, policy.strata.age_bands
    sex, age, _ = strata.get((who, day), (NOT_AVAILABLE,) * 3)
    return (
        sexes.index(sex) if sex in sexes else len(sexes),
        ages.index(age) if age in ages else len(ages),
    )

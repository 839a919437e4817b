"""Plans of every product over a domain of H3 cells, under the shipped policy unless told, and totals to draw from."""

from datetime import date

import h3
import numpy as np

from privacy.bounding import EVERYTHING, Bounded
from privacy.displaced import DisplacementPlan
from privacy.hierarchy import ZoneTree
from privacy.ledger import Opening, ReleaseKey
from privacy.marginals import (
    ActiveSubscribersPlan,
    ChurnPlan,
    PresencePlan,
    ResidentsPlan,
    RoamingCountries,
    RoamingPlan,
)
from privacy.pairs import HomeVisitsPlan, MigrationPlan, RelocationsPlan
from privacy.places import NO_GUARD
from privacy.policy import Policy
from privacy.unit import Period
from schemas.displacement import AWAY, HOME, SILENT
from tests.oracle import bounding

CELLS = tuple(
    sorted({*h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 2), *h3.grid_disk(h3.latlng_to_cell(-14.4, 66.5, 6), 1)})
)
"""A country of 26 cells of resolution 6, in 10 of resolution 5 and 3 of resolution 4."""

ONSET = date(2026, 4, 8)
PERIODS = {
    "presence": "2026-W10",
    "roaming": "2026-W10",
    "active_subscribers": "2026-03-04",
    "residents": "2026-03",
    "displacement": "2026-04-09",
    "home_visits": "2026-W10",
    "relocations": "2026-03",
    "churn": "2026-03",
    "migration": "2027-12",
}
_CLASSES = {
    "presence": PresencePlan,
    "roaming": RoamingPlan,
    "active_subscribers": ActiveSubscribersPlan,
    "residents": ResidentsPlan,
    "home_visits": HomeVisitsPlan,
    "relocations": RelocationsPlan,
    "churn": ChurnPlan,
    "migration": MigrationPlan,
}


COUNTRIES = RoamingCountries("ZA", ("FR", "IN"))
"""A country, and the two that are counted each for itself."""


def plan_of(product, *, period=None, cells=CELLS, guard=NO_GUARD, policy=None, **fields):
    """The plan of a product; one of displacement is about the country's first eleven cells, in 4 of resolution 5."""
    policy = policy or Policy.load()
    period = Period.parse(period or PERIODS[product])
    entry = policy.event(product) if product == "displacement" else policy.product(product, period.kind)
    shared = {
        "key": ReleaseKey(product, str(period)),
        "period": period,
        "product": entry,
        "policy_sha256": policy.sha256,
        "zones": ZoneTree(tuple(sorted(cells)), entry.resolutions, guard),
        "country": "Numenia",
        "definition": "What is counted.",
        "definition_parameters": {},
        "synthetic": True,
    }
    if product == "displacement":
        event = {"event": "flood-2026-04", "name": "Flood of April", "hazard": "flood", "onset": ONSET}
        return DisplacementPlan(**{**shared, **event, "homes": tuple(sorted(cells))[:11], **fields})
    by_country = {"countries": COUNTRIES}
    strata = {"residents": {"strata": policy.strata}, "presence": by_country, "roaming": by_country}
    return _CLASSES[product](**{**shared, **strata.get(product, {}), **fields})


def opening_of(plan):
    """What opening the event of a plan of displacement reserves."""
    return Opening(plan.event, "displacement", plan.onset, plan.product.schedule(plan.onset))


def n_keys(plan):
    """Number of finest keys of a plan."""
    n = len(plan.zones.levels[-1].zones)
    match plan.key.product:
        case "presence":
            return n * 6 * plan.n_countries
        case "roaming":
            return (n + 1) * 3
        case "residents":
            return n * plan.n_sex * plan.n_age
        case "displacement":
            return len(plan.homes) * (len(plan.zones.base_cells) + 1) * 9 * 6
    return n * {"churn": 2, "active_subscribers": 1}.get(plan.key.product, n)


def possible(plan, key):
    """Whether a subscriber can stand under a finest key.

    The location of a day is none if and only if it is silent; who was seen in the night is where its status says.
    """
    if plan.key.product != "displacement":
        return True
    n, (told, sight) = len(plan.zones.base_cells), divmod(key, 6)
    is_told = (told // 9 % (n + 1) == n) == (told % 3 == SILENT)
    return is_told and told % 3 in ((AWAY,), (HOME,), (HOME, AWAY, SILENT))[sight % 3]


def totals_of(plan, amounts):
    """Bounded totals of a plan from amounts in fixed point by finest key."""
    keys = np.array(sorted(amounts), dtype=np.int64)
    return Bounded(keys, np.array([amounts[key] for key in keys.tolist()], dtype=np.int64), plan.bounds)


def weighted(plan, contributions):
    """One subscriber's totals in fixed point, by finest key: the weight of exact arithmetic on whole contributions."""
    if not contributions:
        return {}
    told = [([_at(plan, bound.key, key) for bound in plan.bounds], amount) for key, amount in contributions.items()]
    weight = bounding.weight(told, [bound.squared for bound in plan.bounds])
    return {key: weight * amount for key, amount in contributions.items() if weight}


def _at(plan, column, key):
    """The key of a bound that a finest key lies in."""
    if column == EVERYTHING:
        return 0
    if column == plan.bounds[-1].key:
        return key
    return _coarse(plan, plan.zones.resolutions.index(int(column.removeprefix("key_"))), key)


def _coarse(plan, level, key):
    """The key of a level that a finest key of presence or of pairs lies in."""
    finest, coarser = plan.zones.levels[-1].zones, plan.zones.levels[level]
    place = {zone: n for n, zone in enumerate(coarser.zones)}

    def parent(zone):
        return place[h3.cell_to_parent(finest[zone], coarser.resolution)]

    if plan.key.product == "presence":
        zone, number = divmod(key // plan.n_countries, 6)
        return parent(zone) * 6 + number
    return parent(key // len(finest)) * len(coarser.zones) + parent(key % len(finest))

"""The card's own arithmetic, recomputed: what it says it cost must follow from what it says was done."""

from collections import Counter
from math import isclose, sqrt
from typing import Final

from jobs.publish.card import Card, LevelNote
from privacy.clipping import NOT_MEASURED, NOTHING_CUT, SEEN_ALL_DAY, Clipping
from privacy.mechanisms import epsilon
from privacy.unit import Period
from privacy.zoning import Zoning
from schemas.errors import BundleError, ConfigError

RELATIVE_SLACK: Final = 1e-6
"""Numbers of a card may have been rounded to about seven digits."""


_UNMEASURED: Final = {"od_trips": NOT_MEASURED, "home_visits": NOT_MEASURED, "presence": SEEN_ALL_DAY}
"""What is said of products that bounds cut, where nothing has measured how much. Of the others they cut nothing."""


def check_charges(card: Card) -> None:
    """Check that the release was charged in full to its own privacy month, and claims no less than it was charged.

    What the card claims, in rho and hence in epsilon, is about one privacy month: no month may be charged more.

    Raises:
        BundleError: The charges do not cover the release, are no multiples of its cost, or exceed what it claims.
    """
    month, cost = _month_of(card), card.privacy.micro_rho
    charged: Counter[str] = Counter()
    for charge in card.privacy.charges:
        charged[charge.privacy_month] += charge.micro_rho
    if charged[month] < cost:
        raise _wrong(f"{charged[month]} micro-rho were charged to {month}", f"{cost}, what the release cost")
    if odd := [charge.micro_rho for charge in card.privacy.charges if charge.micro_rho % cost]:
        raise _wrong(f"a charge of {odd[0]} micro-rho is no multiple of the cost", f"{cost}, once or twice")
    claimed = card.privacy.claimed_micro_rho
    if (most := max(charged.values())) > claimed:
        raise _wrong(f"it claims {claimed} micro-rho where {most} were charged to a month", f"a claim of {most}")
    if month not in card.unit_of_privacy:
        raise _wrong(f"the unit of privacy does not name {month}", "the privacy month of the period")


def check_levels(card: Card) -> None:
    """Check that the levels' costs add up and that each level's noise suffices for its bound and its cost.

    Raises:
        BundleError: A sum or a bound does not hold.
    """
    total = sum(level.micro_rho for level in card.privacy.levels)
    if total != card.privacy.micro_rho:
        raise _wrong(f"the levels cost {total} micro-rho together", f"{card.privacy.micro_rho}")
    for level in card.privacy.levels:
        _check_level(level, card.zoning)


def check_domain(card: Card) -> None:
    """Check that what was measured lies in the domain of zones.

    Raises:
        BundleError: A resolution is none of the domain's, or finer than its base cells.
    """
    if odd := sorted(set(card.resolutions) - set(card.zones.resolutions)):
        raise _wrong(f"it measures at resolution {odd[0]}", f"one of the domain's, {card.zones.resolutions}")
    if card.zoning is Zoning.H3 and max(card.zones.resolutions) > card.zones.base_resolution:
        raise _wrong("its domain is finer than its base cells", f"at most {card.zones.base_resolution}")


def check_clipping(card: Card) -> None:
    """Check that what the card says of clipping in words is what it says in numbers.

    Raises:
        BundleError: Words and numbers differ.
    """
    note = card.privacy.clipping
    expected = Clipping.of_note(note.model_dump()).sentence if note else _UNMEASURED.get(card.product, NOTHING_CUT)
    if card.privacy.clipping_bias != expected:
        raise _wrong("clipping_bias is not what its numbers say", expected)


def check_epsilon(card: Card) -> None:
    """Check that each epsilon is the conversion of what the card claims.

    Raises:
        BundleError: It is another number.
    """
    for stated in card.privacy.epsilon:
        expected = epsilon(card.privacy.claimed_micro_rho, stated.delta)
        if not isclose(stated.epsilon, expected, rel_tol=RELATIVE_SLACK):
            raise _wrong(f"epsilon is {stated.epsilon} at delta {stated.delta:g}", f"{expected}")


def _month_of(card: Card) -> str:
    try:
        return str(Period.parse(card.period).privacy_month)
    except ConfigError as error:
        raise _wrong(error.found.rstrip("."), error.expected) from error


def _check_level(level: LevelNote, zoning: Zoning) -> None:
    """Check a level. Source: Bun and Steinke 2016: rho = sensitivity^2 / (2 sigma^2) for Gaussian noise."""
    declared = level.c2 * level.fixed_point**2
    if abs(level.squared_l2_bound - declared) > 1 + RELATIVE_SLACK * declared:
        raise _wrong(
            f"the squared bound {level.place(zoning)} is {level.squared_l2_bound}",
            f"{declared:.0f}",
        )
    enough = sqrt(level.squared_l2_bound / (2e-6 * level.micro_rho)) / level.fixed_point
    if level.sigma < enough * (1 - RELATIVE_SLACK):
        raise _wrong(
            f"sigma {level.place(zoning)} is {level.sigma:.6g}",
            f"at least {enough:.6g} for its cost",
        )


def _wrong(found: str, expected: str) -> BundleError:
    return BundleError(f"card.json contradicts itself: {found}.", expected, "do not use the bundle; ask its publisher")

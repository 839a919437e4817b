"""The card's own arithmetic, recomputed: what it says it cost must follow from what it says was done."""

from math import isclose, sqrt
from typing import Final

from jobs.publish.card import Card, LevelNote
from privacy.mechanisms import epsilon
from privacy.unit import Period
from schemas.errors import BundleError, ConfigError

RELATIVE_SLACK: Final = 1e-6
"""Numbers of a card may have been rounded to about seven digits."""


def check_charges(card: Card) -> None:
    """Check that the release was charged in full to its own privacy month.

    Raises:
        BundleError: The charges do not cover the release.
    """
    month = _month_of(card)
    charged = sum(charge.micro_rho for charge in card.privacy.charges if charge.privacy_month == month)
    if charged < card.privacy.micro_rho:
        raise _wrong(f"{charged} micro-rho were charged to {month}", f"{card.privacy.micro_rho}, what the release cost")
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
    if odd := sorted(set(card.resolutions) - set(card.domain.resolutions)):
        raise _wrong(f"it measures at resolution {odd[0]}", f"one of the domain's, {card.domain.resolutions}")
    if max(card.domain.resolutions) > card.domain.base_resolution:
        raise _wrong("its domain is finer than its base cells", f"at most {card.domain.base_resolution}")
    for level in card.privacy.levels:
        _check_level(level)


def check_epsilon(card: Card) -> None:
    """Check that each epsilon is the conversion of the card's rho.

    Raises:
        BundleError: It is another number.
    """
    for stated in card.privacy.epsilon:
        expected = epsilon(card.privacy.micro_rho, stated.delta)
        if not isclose(stated.epsilon, expected, rel_tol=RELATIVE_SLACK):
            raise _wrong(f"epsilon is {stated.epsilon} at delta {stated.delta:g}", f"{expected}")


def _month_of(card: Card) -> str:
    try:
        return str(Period.parse(card.period).privacy_month)
    except ConfigError as error:
        raise _wrong(error.found.rstrip("."), error.expected) from error


def _check_level(level: LevelNote) -> None:
    """Check a level. Source: Bun and Steinke 2016: rho = sensitivity^2 / (2 sigma^2) for Gaussian noise."""
    declared = level.c2 * level.fixed_point**2
    if abs(level.squared_l2_bound - declared) > 1 + RELATIVE_SLACK * declared:
        raise _wrong(
            f"the squared bound at resolution {level.resolution} is {level.squared_l2_bound}",
            f"{declared:.0f}",
        )
    enough = sqrt(level.squared_l2_bound / (2e-6 * level.micro_rho)) / level.fixed_point
    if level.sigma < enough * (1 - RELATIVE_SLACK):
        raise _wrong(
            f"sigma at resolution {level.resolution} is {level.sigma:.6g}",
            f"at least {enough:.6g} for its cost",
        )


def _wrong(found: str, expected: str) -> BundleError:
    return BundleError(f"card.json contradicts itself: {found}.", expected, "do not use the bundle; ask its publisher")

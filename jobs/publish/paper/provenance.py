"""What a card says of protection, in the words of a language."""

from jobs.publish.card import Card
from jobs.publish.paper.locales import Locale
from privacy.unit import Period


def protected(card: Card, locale: Locale) -> str:
    """Return what a release protects."""
    month = Period.parse(card.period).privacy_month
    first, last = (locale.inserted(day.isoformat()) for day in (month.first_day, month.last_day))
    unit = locale.unit.format(month=locale.inserted(str(month)), first=first, last=last)
    return locale.or_another_month.format(unit=unit) if len(card.privacy.charges) > 1 else unit


def loss(card: Card, locale: Locale) -> str:
    """Return the most that a release tells of whom it protects, at each delta."""
    return locale.list_separator.join(
        locale.epsilon.format(epsilon=locale.number(at.epsilon, 2), delta=delta_text(at.delta))
        for at in card.privacy.epsilon
    )


def delta_text(delta: float) -> str:
    """Return a delta as a power of ten."""
    return f"{delta:g}".replace("e-0", "e-")

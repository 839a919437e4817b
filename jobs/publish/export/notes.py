"""What every export says of itself: definition, privacy, intervals, absence, and the bundle that it was made from."""

from typing import Final

from jobs.publish.absence import absent_pair
from jobs.publish.export.plain import unmarked
from jobs.publish.export.source import Source
from jobs.publish.forms import form_of
from jobs.publish.sharing.checks import told

_ABSENT_PAIR: Final = (
    "{absent} That is not zero: what it holds is in the row of a coarser pair (residual) or in the one national row "
    "(remainder)."
)
_ABSENT_KEY: Final = (
    "Every key of the domain has a row, also where nobody was; a zone without a row was withheld, which is not zero."
)
_ABSENT_AREA: Final = (
    "An area without a row holds nothing that could be given to it: no zone of it had a row, or no weight. That is not "
    "zero. {by_areas}"
)
_AWAY: Final = " A phone-based estimate of people away from home, not a count of displaced persons."


def facts_of(source: Source) -> dict[str, str]:
    """Return what a reader must know before using a number, by name; the same in every format."""
    card, period = source.card, source.period
    facts = {
        "title": source.title,
        "synthetic": "yes: nobody lives here" if card.synthetic else "no",
        "product": card.product,
        "period": card.period,
        "period_start": period.first_day.isoformat(),
        "period_end": period.last_day.isoformat(),
        "revision": str(card.revision),
        "provisional": _provisional(source),
        "definition_id": card.definition_id,
        "definition": card.definition + (_AWAY if card.product == "displacement" else ""),
        "unit": card.unit_of_value,
        "interval": f"value, noise_sd and ci_low to ci_high stand in every row: {card.privacy.interval}",
        "absence": absence_of(source),
        "apportioned": source.by_areas or "no: zones are those that were measured",
        "protected": card.unit_of_privacy,
        "privacy": f"{card.privacy.mechanism}; {card.epsilon_text}",
        "clipping": card.finding,
        "sensitivity": card.sensitivity.text,
        **({"shared": told(source.sharing)} if source.sharing else {}),
        "source_bundle": source.bundle,
        "source_sha256": f"{source.sha256} (of its SHA256SUMS, and so of every file)",
        "sealed_on": card.sealed_on,
        "ledger_head": card.ledger_head,
        "citation": f"Whimbrel, {source.title}, revision {card.revision} ({source.bundle}), {card.definition_id}, "
        f"sealed {card.sealed_on}, ledger head {card.ledger_head}",
    }
    return {name: unmarked(text) for name, text in facts.items()}


def absence_of(source: Source) -> str:
    """What it means that something has no row."""
    if source.by_areas:
        return _ABSENT_AREA.format(by_areas=source.by_areas)
    if source.has_flows:
        return _ABSENT_PAIR.format(absent=absent_pair(source.card.cut, source.sharing))
    return _ABSENT_KEY if form_of(source.card.product).has_zones else "Every bin and part has a row."


def _provisional(source: Source) -> str:
    if not source.card.is_provisional:
        return "no"
    return f"yes: released when records had been delivered until {source.card.delivered_until}"

"""Of which month the residents are that a release is divided or weighted by."""

from collections.abc import Sequence

from jobs.publish.released import Released


def months_at_risk(bundle: Released) -> tuple[str, ...]:
    """Return the months in which a release's people lived where it says, the better first.

    After an event, homes are those of its baseline month. Otherwise they are of the month before; failing that, of the
    release's own.
    """
    if bundle.card.event is not None:
        return (bundle.card.event.baseline,)
    month = bundle.period.privacy_month
    return str(month.next(-1)), str(month)


def at_risk(bundle: Released, stocks: Sequence[Released]) -> Released | None:
    """Return the residents that moves are divided by: those of the month before, else those of the month itself."""
    by_period = {one.card.period: one for one in stocks}
    return next((by_period[period] for period in months_at_risk(bundle) if period in by_period), None)

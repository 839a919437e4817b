"""Trips between zones: the plan of a release of `od_trips`."""

from dataclasses import dataclass

from privacy.pairs import PairsPlan


@dataclass(frozen=True, kw_only=True)
class OdTripsPlan(PairsPlan):
    """A release of trips between zones; values are means a day."""

    @property
    def days(self) -> int:
        """The days of the period."""
        return self.period.n_days

    @property
    def subject(self) -> str:
        """What is counted between which zones."""
        return "Trips between zones"

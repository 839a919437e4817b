"""All people away, those included whom the night did not show: reckoned from released numbers alone.

A night shows some three quarters of the residents. Those it shows away are divided by the share of the residents whom
it shows at all, among homes that have a tower: whoever is away has one too. How many of those in the dark keep silent
does then not matter (docs/methods/displacement.md; ADR 15).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot, sqrt
from typing import Final

from jobs.publish.situation.estimate import Estimate, Share, Trust
from schemas.displacement import SIGHTS, SIGHTS_A_NIGHT

MOST_IN_THE_DARK: Final = 0.5
"""Share of the residents from homes in the dark, beyond which a night says too little of how many it shows."""


Sights = Mapping[str, Estimate]
"""Released residents by sight; empty where a release has none."""


@dataclass(frozen=True)
class Night:
    """What a released night shows of the residents of one kind of homes.

    Args:
        away: Seen away.
        home: Seen at home.
        unseen: Not seen.
    """

    away: Estimate
    home: Estimate
    unseen: Estimate

    @property
    def residents(self) -> float:
        """All of them."""
        return self.away.value + self.home.value + self.unseen.value

    @property
    def seen(self) -> float:
        """Of them, those seen."""
        return self.away.value + self.home.value


def nights_of(sights: Sights) -> tuple[Night, Night] | None:
    """Return the night of homes with a tower, and that of homes in the dark; nothing of a release without sights."""
    if set(sights) != set(SIGHTS):
        return None
    told = [sights[name] for name in SIGHTS]
    return Night(*told[:SIGHTS_A_NIGHT]), Night(*told[SIGHTS_A_NIGHT:])


def away_of_all(sights: Sights, usual: Sights) -> Estimate | None:
    """Return all people away in a period, with an error of the first order; nothing where that cannot be told.

    Where most homes are in the dark, the share of residents whom a night shows is that of the week before.

    Args:
        sights: Of the period.
        usual: Of the week before the event; empty where it was not released.
    """
    nights = nights_of(sights)
    if nights is None:
        return None
    lit, dark = nights
    if not _is_mostly_dark(lit, dark):
        return _by_share(lit, dark)
    before = nights_of(usual)
    share = None if before is None else _share_seen(before[0])
    return _scaled_up(lit.away + dark.away, share) if share else None


def share_seen(sights: Sights) -> Share | None:
    """Return the share of the residents whom the night showed, in the dark or not; nothing where that is unknown."""
    nights = nights_of(sights)
    if nights is None:
        return None
    lit, dark = nights
    return _share_seen(Night(lit.away + dark.away, lit.home + dark.home, lit.unseen + dark.unseen))


def _is_mostly_dark(lit: Night, dark: Night) -> bool:
    return dark.residents > MOST_IN_THE_DARK * (lit.residents + dark.residents)


def _by_share(lit: Night, dark: Night) -> Estimate | None:
    """Those seen away over the share seen of homes with a tower; both hold the away of these homes."""
    share = _share_seen(lit)
    if share is None:
        return None
    away = lit.away.value + dark.away.value
    found = away / share.value
    slopes = (1 / share.value + (away - found) / lit.seen, (away - found) / lit.seen, away / lit.seen)
    noise = hypot(
        *(slope * one.sd for slope, one in zip(slopes, (lit.away, lit.home, lit.unseen), strict=True)),
        dark.away.sd / share.value,
    )
    ratio = found / lit.residents
    counted = lit.away.value * (1 - ratio) ** 2 + lit.home.value * ratio**2 + dark.away.value
    return Estimate(found, hypot(noise, _chance(counted, share.value)))


def _scaled_up(away: Estimate, share: Share) -> Estimate:
    found = away.value / share.value
    noise = hypot(away.sd, found * share.sd) / share.value
    return Estimate(found, hypot(noise, _chance(away.value, share.value)))


def _chance(seen: float, share: float) -> float:
    """Standard deviation of who happened to be seen: each resident is by itself, with the same chance."""
    return sqrt(max(0.0, seen) * (1 - share)) / share


def _share_seen(night: Night) -> Share | None:
    """The share that a night shows; nothing where that share is noise."""
    seen = night.away + night.home
    if seen.trust is Trust.NOT:
        return None
    share = seen.value / max(seen.value, night.residents)  # noise may have fewer than nobody unseen
    return Share(share, hypot((1 - share) * seen.sd, share * night.unseen.sd) / night.residents)

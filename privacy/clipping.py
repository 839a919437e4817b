"""What contribution bounds cut off: the estimate that a contribution histogram gives, with its interval.

Post-processing of noisy counts: free of charge, and safe to print.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from privacy.canonical import JsonValue
from privacy.intervals import Z_95

NOT_MEASURED: Final = (
    "not measured in this release: totals after contribution bounds are at most the full "
    "totals, most so for subscribers who travel much"
)
"""What a card says where no histogram of its bounds is sealed."""

SEEN_ALL_DAY: Final = (
    "not measured in this release: values are at most the full counts, most so for subscribers who are seen at one "
    "place at all times of day"
)
"""What a card says where the bounds cut those who are seen most."""

NOTHING_CUT: Final = "nothing: each subscriber counts once, in full"
"""What a card says where the bounds are what one subscriber is."""

CLEAR_SIGMA: Final = 10.0
"""A share is stated where what it is a share of stands this many sigma above zero: its interval takes the denominator
for known but for its first order."""


@dataclass(frozen=True)
class Share:
    """A share of trips that the bounds cut off, with its 95 % interval.

    Args:
        share: 0 to 1.
        ci_low: Lower end.
        ci_high: Upper end.
    """

    share: float
    ci_low: float
    ci_high: float

    @property
    def text(self) -> str:
        """The share in per cent, for a sentence."""
        return f"{self.share:.1%} (95 % interval {self.ci_low:.1%} to {self.ci_high:.1%})"


@dataclass(frozen=True)
class ClassShare:
    """The share cut off for subscribers who travel about so much.

    Args:
        trips_a_day: Point of the histogram's grid.
        cut: Their share.
    """

    trips_a_day: float
    cut: Share


@dataclass(frozen=True)
class Clipping:
    """What one histogram release says of the bounds that it looked at.

    Args:
        release: Slug of that release.
        period: Its privacy month.
        national: Share of all trips that the bounds cut off.
        classes: The same by how much subscribers travel, least first; only classes that are clear of the noise.
    """

    release: str
    period: str
    national: Share
    classes: tuple[ClassShare, ...]

    @property
    def sentence(self) -> str:
        """The finding in words."""
        heaviest = self.classes[-1:]
        heavy = "".join(f", and of subscribers near {c.trips_a_day:g} trips a day {c.cut.text}" for c in heaviest)
        return (
            f"the bounds cut off {self.national.text} of the country's trips in privacy month {self.period}{heavy}. "
            f"Measured by {self.release}; one pair of zones may lose more or less than the country"
        )

    @property
    def note(self) -> dict[str, JsonValue]:
        """The finding for machines."""
        classes: list[JsonValue] = [{"trips_a_day": found.trips_a_day, **asdict(found.cut)} for found in self.classes]
        return {"release": self.release, "period": self.period, **asdict(self.national), "classes": classes}

    @classmethod
    def of_note(cls, note: Mapping[str, Any]) -> "Clipping":
        """Read what `note` wrote."""
        classes = tuple(ClassShare(found["trips_a_day"], _share_in(found)) for found in note["classes"])
        return cls(note["release"], note["period"], _share_in(note), classes)


def _share_in(note: Mapping[str, Any]) -> Share:
    return Share(note["share"], note["ci_low"], note["ci_high"])


@dataclass(frozen=True)
class Class:
    """Noisy counts of the subscribers at one point of the grid.

    Args:
        trips_a_day: The point.
        kept: Those counted as kept.
        cut: Those counted as cut off.
    """

    trips_a_day: float
    kept: float
    cut: float


def clipping_of(classes: Sequence[Class], *, sigma: float, release: str, period: str) -> Clipping | None:
    """Estimate what the bounds cut off; nothing where the country is too small to be told from the noise.

    A subscriber of n trips a day, of which the share k is cut off, stands with probabilities chosen so that the mean
    of its point is n, and is called cut with probability k. So sums over the counts are unbiased, whatever the grid.

    Args:
        classes: All points of the grid.
        sigma: Standard deviation of the noise of one count.
        release: Slug of the histogram.
        period: Its privacy month.
    """
    national = _share_of(classes, sigma)
    if national is None:
        return None
    by_class = [(one.trips_a_day, _share_of([one], sigma)) for one in classes]
    return Clipping(release, period, national, tuple(ClassShare(point, cut) for point, cut in by_class if cut))


def _share_of(classes: Sequence[Class], sigma: float) -> Share | None:
    """Ratio of two sums of counts, with its interval.

    Its variance is, to first order, that of `cut - share * all`, over `all` squared: the noise of each count, and what
    the random rounding to the grid adds, at most the mean square of what a subscriber puts into the difference.
    """
    everything = sum(one.trips_a_day * (one.kept + one.cut) for one in classes)
    noise = math.sqrt(2 * sum((sigma * one.trips_a_day) ** 2 for one in classes))
    if everything <= CLEAR_SIGMA * noise:
        return None
    share = sum(one.trips_a_day * one.cut for one in classes) / everything
    variance = sum(
        one.trips_a_day**2
        * ((1 - share) ** 2 * (sigma**2 + max(one.cut, 0.0)) + share**2 * (sigma**2 + max(one.kept, 0.0)))
        for one in classes
    )
    half = Z_95 * math.sqrt(variance) / everything
    return Share(*(min(max(value, 0.0), 1.0) for value in (share, share - half, share + half)))

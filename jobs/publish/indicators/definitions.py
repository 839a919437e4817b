"""What each indicator is: its formula, its unit, its source, and what must not be done with it."""

from dataclasses import asdict, dataclass
from typing import Final

BELL: Final = (
    "M. Bell, M. Blake, P. Boyle, O. Duke-Williams, P. Rees, J. Stillwell, G. Hugo, Cross-national comparison of "
    "internal migration: issues and measures, Journal of the Royal Statistical Society A 165(3), 2002"
)


@dataclass(frozen=True)
class Definition:
    """One indicator.

    Args:
        id: Its name and version: another formula is another version.
        formula: How it follows from released numbers.
        unit: Of its value.
        source: Where it is from.
        caution: What not to do with it; empty where nothing has to be said.
    """

    id: str
    formula: str
    unit: str
    source: str
    caution: str = ""

    @property
    def name(self) -> str:
        """The indicator's name, without the version."""
        return self.id.partition("/")[0]

    @property
    def facts(self) -> dict[str, str]:
        """The definition for machines."""
        return asdict(self)


_NO_ZONINGS: Final = (
    "Never compare across zonings or levels: the smaller the zones, the more moves cross a border (the modifiable "
    "areal unit problem)."
)
_LINE: Final = "Moves that no row places (unplaced_share) are in no numerator: where that is large, a lower bound."
_PLACED: Final = "Not told where more than a fifth of the moves are in no row of the level: the cut would speak."

CMI_ALL: Final = Definition(
    "cmi_finest/1",
    "crude migration intensity between zones of the finest level: 100 M / P; M: all moves, the remainder "
    "included; P: all residents",
    "moves per 100 residents",
    BELL,
    _NO_ZONINGS,
)

CMI: Final = Definition(
    "cmi/1",
    "crude migration intensity: 100 M / P; M: moves between different zones of the level, P: residents of them",
    "moves per 100 residents",
    BELL,
    f"{_NO_ZONINGS} {_LINE} ci_high would hold if all of those crossed a border.",
)
MEI: Final = Definition(
    "mei/1",
    "migration effectiveness: 100 N / (2 M); N: sum over zones of |in - out|, corrected for what noise adds to an "
    "absolute value",
    "per cent",
    BELL,
    f"{_NO_ZONINGS} {_PLACED}",
)
ANMR: Final = Definition(
    "anmr/1", "aggregate net migration rate: 100 N / (2 P) = CMI MEI / 100", "moves per 100 residents", BELL,
    f"{_NO_ZONINGS} {_PLACED}",
)  # fmt: skip
_RATE_UNIT: Final = "moves per 1,000 residents"
IN_RATE: Final = Definition("in_rate/1", "1,000 D / P: moves into the zone over its residents", _RATE_UNIT, BELL, _LINE)
OUT_RATE: Final = Definition("out_rate/1", "1,000 O / P: moves out of it over its residents", _RATE_UNIT, BELL, _LINE)
NET_RATE: Final = Definition("net_rate/1", "1,000 (D - O) / P", _RATE_UNIT, BELL, _PLACED)
DISTANCE: Final = Definition(
    "by_distance/1",
    "rows whose ends' middles are so far apart (great circle, km, lower edge included), each row at its own level",
    "per cent of what the rows hold",
    "ours; middles of zones as in the bundle",
    "A coarse row has one distance for all that it holds.",
)
MONTH_INDEX: Final = Definition(
    "month_index/1",
    "mean over years of the month's total over the centred twelve-month mean, scaled so that twelve have a mean of 100",
    "index, mean month 100",
    "ratio to moving average: J. Shiskin, A. Young, J. Musgrave, The X-11 variant, US Census Bureau, 1967",
    "Months are privacy months, of four or five whole weeks. Two years tell little of what is usual.",
)
WEEKDAY_INDEX: Final = Definition(
    "weekday_index/1",
    "mean total of the weekday over the mean of the seven means",
    "index, mean weekday 100",
    "ours",
)
CHANGE: Final = Definition(
    "change/1", "total less the median of the earlier releases of the same series", "that of the product", "ours",
    "The baseline is of released values: the noise of the release and of the median are both in the sd.",
)  # fmt: skip
ROBUST_Z: Final = Definition(
    "robust_z/1",
    "change over the root of (1.4826 MAD of the earlier releases)^2 + noise_sd^2 of the release",
    "standard deviations",
    "P. Rousseeuw, C. Croux, Alternatives to the median absolute deviation, JASA 88, 1993",
    "The interval is of the change alone; the spread beneath is taken as known.",
)
RETURN_SHARE: Final = Definition(
    "return_share/1",
    "1 - (people away - usual) / (the same at its peak)",
    "per cent",
    "docs/methods/displacement.md",
    "A phone-based estimate of people away, not of displaced persons.",
)
HALF_LIFE: Final = Definition(
    "half_life/1",
    "days from the peak until the return share first reaches one half, straight lines between releases",
    "days",
    "as return_share/1; compare T. Li et al. 2019",
    "ci_low and ci_high follow from the ends of the return share's intervals.",
)

DEFINITIONS: Final = (
    CMI_ALL, CMI, MEI, ANMR, IN_RATE, OUT_RATE, NET_RATE, DISTANCE, MONTH_INDEX, WEEKDAY_INDEX, CHANGE, ROBUST_Z,
    RETURN_SHARE, HALF_LIFE,
)  # fmt: skip

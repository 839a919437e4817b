"""Codes of SDMX for what public tables say: cross-domain codes where they exist, the table's own words elsewhere.

Source: SDMX Content-Oriented Guidelines, cross-domain code lists CL_SEX 2.1, CL_AGE 1.0, CL_FREQ 2.1, CL_OBS_STATUS 2.2
and CL_CONF_STATUS 1.3.
"""

import re
from collections.abc import Mapping
from typing import Final

import pandas as pd

from privacy.unit import PeriodKind

TOTAL: Final = "_T"
NOT_APPLICABLE: Final = "_Z"

CodeNames = Mapping[str, str]
"""What each code of a list means."""

FREQ: Final[CodeNames] = {"D": "Daily", "W": "Weekly", "M": "Monthly"}
OBS_STATUS: Final[CodeNames] = {
    "E": "Estimated value: noise was added for privacy",
    "P": "Provisional value: noise was added for privacy, and late records may be missing",
}
CONF_STATUS: Final[CodeNames] = {
    "F": "Free (free for publication)",
    "N": "Not for publication, restricted for internal use only",
}
SYNTHETIC: Final[CodeNames] = {"Y": "Synthetic data: nobody lives here", "N": "Real data"}

_FREQ_OF: Final = {PeriodKind.DAY: "D", PeriodKind.WEEK: "W", PeriodKind.MONTH: "M"}

_WORDS: Final = {
    "all": TOTAL, "not available": "_U", "other": "_O", "female": "F", "male": "M", "domestic": "DOMESTIC",
}  # fmt: skip

_NAMES: Final = {
    TOTAL: "Total", NOT_APPLICABLE: "Not applicable", "_U": "Not available", "_O": "Other", "F": "Female", "M": "Male",
}  # fmt: skip

_CLOSED_AGE: Final = re.compile(r"(\d+)-(\d+)", re.ASCII)
_OPEN_AGE: Final = re.compile(r"(\d+)\+", re.ASCII)
_YOUNGER: Final = re.compile(r"<(\d+)", re.ASCII)

_NO_ID: Final = re.compile(r"^[_\-]|[^A-Za-z0-9_\-]")
"""What an identifier of SDMX cannot hold, what only its own codes begin with, and what a spreadsheet evaluates."""


def frequency_of(kind: PeriodKind) -> str:
    """Return the code of a kind of period."""
    return _FREQ_OF[kind]


def conf_status_of(sensitivity: str) -> str:
    """Return the code of a sensitivity class."""
    return "F" if sensitivity == "public" else "N"


def area_code(zone: object) -> str:
    """Return the code of a zone; of none, the total of all."""
    return TOTAL if pd.isna(zone) else escaped(str(zone))


def label_code(column: str, value: object) -> str:
    """Return the code of a label: the cross-domain one where there is one."""
    if pd.isna(value):
        return NOT_APPLICABLE
    match column:
        case "bin_start_h":
            hour = int(str(value))
            return f"H{hour:02d}T{hour + 4:02d}"
        case "trips_a_day":
            return f"{value:g}".replace(".", "P")
        case "age_band":
            return _age_code(str(value))
        case _:
            return _WORDS.get(str(value)) or escaped(str(value))


def name_of(code: str, told: str) -> str:
    """Return the name of a code: the standard one, or what the table calls it."""
    return _NAMES.get(code, told)


def escaped(text: str) -> str:
    """Return a text as an identifier of SDMX: what none can hold as its code point between two `$`; no two alike."""
    return _NO_ID.sub(lambda found: f"${ord(found[0]):X}$", text) or "$$"


def _age_code(band: str) -> str:
    if closed := _CLOSED_AGE.fullmatch(band):
        return f"Y{closed[1]}T{closed[2]}"
    if older := _OPEN_AGE.fullmatch(band):
        return f"Y_GE{older[1]}"
    if younger := _YOUNGER.fullmatch(band):
        return f"Y_LT{younger[1]}"
    return _WORDS.get(band) or escaped(band)

"""Countries of SIMs and of visited networks: a public table, and what rows that are by a country say."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

DOMESTIC: Final = "domestic"
"""Country of a SIM of the installation's own country."""

OTHER: Final = "other"
"""A country that the policy does not list."""


@dataclass(frozen=True)
class Country:
    """A country.

    Args:
        name: ISO 3166-1 alpha-2 code.
        alpha_3: ISO 3166-1 alpha-3 code.
        numeric: ISO 3166-1 numeric code.
        mobile_codes: Mobile country codes of ITU-T E.212. One that several countries share stands under the one with
            most networks, and only there.
    """

    name: str
    alpha_3: str
    numeric: int
    mobile_codes: tuple[str, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """All codes under which a record may name it."""
        return self.name, self.alpha_3, *self.mobile_codes


@cache
def countries() -> dict[str, Country]:
    """Return all countries by alpha-2 code.

    Source: ISO 3166-1; ITU-T E.212 as two public lists agree on it (docs/methods/roaming.md). Kosovo has codes of those
    that ISO leaves to its users.
    """
    lines = files(__package__).joinpath("countries.csv").read_text(encoding="utf-8").splitlines()
    return {
        row["country"]: Country(row["country"], row["alpha_3"], int(row["numeric"]), tuple(row["mobile_codes"].split()))
        for row in csv.DictReader(lines)
    }

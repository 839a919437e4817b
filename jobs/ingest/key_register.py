"""Which key the days of a privacy month were pseudonymised with: a month has one, whatever the configuration says."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.storage import write_json
from privacy.unit import PrivacyMonth
from schemas.errors import ConfigError, PrivacyError


@dataclass(frozen=True)
class KeyRegister:
    """Fingerprints of keys by month; a month is entered once and stays.

    Args:
        by_month: Fingerprint of the key of each month that a delivery could bring rows of.
    """

    by_month: Mapping[str, str]

    @classmethod
    def load(cls, path: Path) -> "KeyRegister":
        """Read the register, empty where there is none yet."""
        return cls(json.loads(path.read_text(encoding="utf-8")) if path.exists() else {})

    def with_months(self, months: Collection[PrivacyMonth], mark: str) -> "KeyRegister":
        """Return the register with months entered under a key's fingerprint.

        Raises:
            ConfigError: A month was begun under another key: its subscribers would all become others.
        """
        if begun := sorted(str(month) for month in months if self.by_month.get(str(month), mark) != mark):
            raise ConfigError(
                f"The pseudonym key of {', '.join(begun)} is not the one that its days were made with.",
                "one key for all days of a privacy month",
                "restore that key, or the border of its epoch in [[pseudonyms.epochs]]",
            )
        return KeyRegister({**self.by_month, **{str(month): mark for month in months}})

    def require_one_key(self, what: str, months: Collection[PrivacyMonth]) -> None:
        """Refuse to follow subscribers through months of several keys, whatever the configuration says of epochs.

        Raises:
            PrivacyError: There are several.
        """
        known = {str(month): self.by_month[str(month)] for month in sorted(months) if str(month) in self.by_month}
        if len(set(known.values())) > 1:
            raise PrivacyError(
                f"{what} would follow subscribers through {', '.join(known)}, which have different pseudonym keys.",
                "months of one key, in which a subscriber keeps its pseudonym",
                "release it for months of one key epoch",
            )

    def save(self, path: Path) -> None:
        """Write the register whole, where it changed."""
        if self != KeyRegister.load(path):
            write_json(path, dict(self.by_month))

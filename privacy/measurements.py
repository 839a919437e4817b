"""The sealed artefact: every noisy value that was drawn, and all that is needed to read it.

Private outputs, unpublished values included: safe to look at, but kept inside, so that no consumer sees more than the
rows that passed the cut. It explains itself: a policy that changes later changes nothing about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from privacy.canonical import JsonValue
from privacy.hierarchy import PairTree, ZoneTree
from privacy.sealed import sealed_bytes, unsealed
from privacy.topdown import LevelMeasurements
from schemas.errors import ConfigError, SealLostError

_ESTIMATOR: Final = 2
"""Raised whenever `topdown.estimate` gives other rows for the same draw: what was sealed is never read anew."""

_SCHEMA: Final = pa.schema([("level", pa.int8()), ("pair", pa.int64()), ("value", pa.int64())])


@dataclass(frozen=True)
class Measurements:
    """What one release drew.

    Args:
        zones: The public domain.
        levels: Noisy values of each level, coarse to fine.
        fixed_point: Units of a value in one contribution a day.
        publish_sigma: Cut of the rows, in standard deviations.
        card: What a reader has to know, but for the seal.
    """

    zones: ZoneTree
    levels: tuple[LevelMeasurements, ...]
    fixed_point: int
    publish_sigma: float
    card: Mapping[str, JsonValue]

    @property
    def tree(self) -> PairTree:
        """Origin-destination pairs of the domain."""
        return PairTree(self.zones)

    def to_bytes(self) -> bytes:
        """Write as an Arrow stream; equal measurements give equal bytes."""
        columns = {
            "level": np.concatenate([np.full(len(m.pairs), n, np.int8) for n, m in enumerate(self.levels)]),
            "pair": np.concatenate([level.pairs for level in self.levels]),
            "value": np.concatenate([level.values for level in self.levels]),
        }
        return sealed_bytes(_SCHEMA, columns, self._facts())

    def _facts(self) -> dict[str, JsonValue]:
        return {
            "estimator": _ESTIMATOR,
            **self.zones.facts,
            "sigmas": [level.sigma for level in self.levels],
            "fixed_point": self.fixed_point,
            "publish_sigma": self.publish_sigma,
            "card": self.card,
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> "Measurements":
        """Read what `to_bytes` wrote.

        Raises:
            SealLostError: The bytes are not such a stream.
        """
        try:
            (number, pair, value), facts = unsealed(data, _SCHEMA)
            zones = ZoneTree.of(facts)
        except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError, ConfigError) as error:
            raise SealLostError(
                "The sealed measurements cannot be read.",
                "what a release sealed",
                "use the version of Whimbrel that sealed them, or restore the vault",
            ) from error
        if facts.get("estimator") != _ESTIMATOR:
            raise SealLostError(
                f"The measurements were sealed for estimator {facts.get('estimator', 1)}.",
                f"estimator {_ESTIMATOR}: this version would give them other rows",
                "use the version of Whimbrel that sealed them",
            )
        levels = tuple(
            LevelMeasurements(pair[number == level], value[number == level], sigma)
            for level, sigma in enumerate(facts["sigmas"])
        )
        return cls(zones, levels, facts["fixed_point"], facts["publish_sigma"], facts["card"])

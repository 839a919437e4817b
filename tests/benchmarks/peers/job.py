"""What a peer is asked, and what it answers: files, because it runs in an environment of its own. Needs Python only."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One release by a peer.

    Args:
        contributions: Parquet: `subscriber, pair, trips`, one row a subscriber and pair, trips over the period.
        domain: Parquet: `pair`, the public keys.
        results: Parquet that the peer writes: `pair, total`, noisy trips over the period.
        figures: JSON that the peer writes: `wall_s, cpu_s, noise_sd, version`.
        rho: zCDP loss of the release.
        delta: Delta of one release, for a peer that counts (epsilon, delta).
        pairs: Most pairs of one subscriber.
        trips: Most trips over the period that one subscriber brings to a pair.
    """

    contributions: Path
    domain: Path
    results: Path
    figures: Path
    rho: float
    delta: float
    pairs: int
    trips: int

    @classmethod
    def load(cls, path: str) -> "Job":
        """Read a job."""
        fields = json.loads(Path(path).read_text(encoding="utf-8"))
        files = {name: Path(fields.pop(name)) for name in ("contributions", "domain", "results", "figures")}
        return cls(**files, **fields)

    def save(self, path: Path) -> None:
        """Write a job."""
        path.write_text(json.dumps(asdict(self), default=str), encoding="utf-8")


def write_figures(job: Job, *, wall_s: float, cpu_s: float, noise_sd: float, version: str) -> None:
    """Write what a release took: seconds from reading to the written result, session excluded; noise of a total."""
    figures = {"wall_s": wall_s, "cpu_s": cpu_s, "noise_sd": noise_sd, "version": version}
    job.figures.write_text(json.dumps(figures), encoding="utf-8")

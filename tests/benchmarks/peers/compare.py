"""Tumult Analytics and PipelineDP on the same contributions at the same composed budget, as designs beside ours.

Each runs in an environment of its own (`make bench-peers` makes them), reads Parquet and writes Parquet. Neither states
intervals or an estimate of what its bounds cut off, keeps a budget from one process to the next, or looks closer where
there is something to see: both release one fixed set of keys. Their cut at four standard deviations is post-processing
of ours.
"""

import json
import math
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.evaluation.designs import Guarantee, Outcome, Setting, Values
from jobs.evaluation.report import Evaluated
from jobs.evaluation.scores import score
from privacy.mechanisms import MICRO
from tests.benchmarks.peers.job import Job

ROOT: Final = Path(__file__).parents[3]

_CUT_SD: Final = 4.0
"""As ours."""

_LONGEST_S: Final = 3600
"""Seconds after which a peer is given up: minutes on a machine of its own."""


@dataclass(frozen=True)
class Peer:
    """A tool with an environment of its own.

    Args:
        name: Of its module and of its environment's folder.
        title: As in the table.
        pairs: Most pairs of one subscriber.
        trips: Most trips over the week that one subscriber brings to a pair.
    """

    name: str
    title: str
    pairs: int
    trips: int


PEERS: Final = (
    Peer("tumult", "Tumult Analytics", pairs=12, trips=3),
    Peer("pipelinedp", "PipelineDP", pairs=12, trips=3),
)
"""Weekly bounds under which they show most of the flow while they keep about nine tenths of the trips."""


def evaluated(peer: Peer, setting: Setting, environments: Path, folder: Path) -> Evaluated:
    """Run a peer and score what it released."""
    job = _job(peer, setting, folder)
    job_file = folder / f"{peer.name}-job.json"
    job.save(job_file)
    command = [environments / peer.name / "bin" / "python", "-m", f"tests.benchmarks.peers.{peer.name}", job_file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{peer.title} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
    told = json.loads(job.figures.read_text(encoding="utf-8"))
    outcome = _outcome(peer, setting, job, told)
    # the totals after a peer's bounds are not told, so its noise bias holds what they cut off as well
    scores = replace(score(outcome, setting.entries.exact(), setting.tree), clipping_bias=math.nan)
    return Evaluated(outcome.design, setting.budget, outcome.guarantee, scores, told["wall_s"], told["cpu_s"])


def _job(peer: Peer, setting: Setting, folder: Path) -> Job:
    entries, budget = setting.entries, setting.budget
    files = {name: folder / f"{peer.name}-{name}.parquet" for name in ("contributions", "domain", "results")}
    columns = {"subscriber": entries.subscriber, "pair": entries.pair, "trips": entries.trips}
    pq.write_table(pa.table(columns), files["contributions"])
    pq.write_table(pa.table({"pair": setting.domain}), files["domain"])
    return Job(
        **files,
        figures=folder / f"{peer.name}-figures.json",
        rho=budget.micro_rho / MICRO,
        delta=budget.delta / budget.releases,
        pairs=peer.pairs,
        trips=peer.trips,
    )


def _outcome(peer: Peer, setting: Setting, job: Job, told: dict[str, float]) -> Outcome:
    """Rows from four standard deviations on; the exact flows stand in for the totals after the peer's bounds."""
    days, exact = setting.entries.days, setting.entries.exact()
    table = pq.read_table(job.results).sort_by("pair")
    pairs, values = table["pair"].to_numpy(), table["total"].to_numpy() / days
    noisy = Values(pairs, values, np.full(len(pairs), np.nan))
    sd = told["noise_sd"] / days
    most = peer.trips * np.sqrt(peer.pairs) / days
    proves = Guarantee(f"rho {job.rho:.3g}", "L2", most, sd, _CUT_SD * sd)
    coarser = (Values.none(),) * (len(setting.tree.zones.levels) - 1)
    shown = noisy.where(values >= _CUT_SD * sd)
    return Outcome(f"{peer.title} {told['version']}", proves, exact, (*coarser, noisy), (*coarser, shown))

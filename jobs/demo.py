"""The main job from end to end on a synthetic country, as an operator would run it."""

import secrets
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Group
from rich.text import Text

from jobs.config import Config
from jobs.console import Steps, flows_view
from jobs.ingest.delivery import ingest
from jobs.publish.comparison import compare_with_truth
from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from jobs.session import open_session
from jobs.synth import synthesise
from privacy.ledger import ReleaseKey
from privacy.unit import Period

WEEK: Final = "2026-W10"
_DAYS: Final = 7
_CONFIG: Final = """\
[country]
name = "Synthetica"
timezone = "Indian/Mauritius"

[pseudonyms]
key_file = "keys/pseudonym.key"

[cells]
path = "country/cells.csv"

[sources.whimbrel]
format = "parquet"
columns = { subscriber = "msisdn", time = "event_at", cell = "cell_id" }

[sources.world_bank]
format = "csv"
header = false
fields = 3
columns = { subscriber = 0, time = 1, cell = 2 }
time_format = "dd/MM/yyyy HH:mm:ss"
time_zone = "local"
"""


def run_demo(out: Path, *, subscribers: int, seed: int, engine: Literal["sail", "spark"], progress: Steps) -> Group:
    """Make a country, ingest a week, release it, publish and verify the bundle; return a one-screen summary.

    Run again in the same folder, it finds everything as it left it: the same release, nothing charged.

    Args:
        out: Folder of the demo; its bundle is in `bundle/`.
        subscribers: Size of the country.
        seed: Which country.
        engine: Which engine.
        progress: Told what begins.
    """
    week = Period.parse(WEEK)
    progress(f"synthesising a country of {subscribers:,} subscribers, {_DAYS} days")
    synthesise(out / "country", seed=seed, subscribers=subscribers, first_day=week.first_day, days=_DAYS)
    desk = Desk.of(_installed(out).with_engine(engine))
    progress(f"starting {engine}")
    with open_session(desk.config.engine) as session:
        ingest(
            session,
            desk.config,
            desk.storage,
            [out / "country" / "whimbrel"],
            source=desk.config.source("whimbrel"),
            first=week.first_day,
            last=week.last_day,
            progress=progress,
        )
        plan = desk.plan("od_trips", week, 1)
        release = desk.release(plan, lambda: nullcontext(session), progress)
        progress("comparing with the planted truth")
        bounded = desk.exact_for_evaluation(plan, session)
    progress("publishing and verifying the bundle")
    bundle = desk.publish(ReleaseKey("od_trips", WEEK))
    shutil.copytree(bundle.folder, out / "bundle", dirs_exist_ok=True)
    verify_bundle(out / "bundle")
    truth = true_trips_a_day(out / "country" / "truth" / "trips", week.days)
    compared = compare_with_truth(release, truth, exact=bounded)
    return Group(flows_view(release, 4), compared, *_where_next(out))


def _installed(out: Path) -> Config:
    """Write a configuration and a key where there are none."""
    key = out / "keys" / "pseudonym.key"
    if not key.exists():
        key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32))
    (out / "whimbrel.toml").write_text(_CONFIG)
    return Config.load(out / "whimbrel.toml")


def true_trips_a_day(folder: Path, days: Sequence[date]) -> pa.Table:
    """Mean true trips a day between base cells: `origin_h3, destination_h3, trips`."""
    tables = [pq.read_table(folder / f"{day}.parquet") for day in days]
    summed = pa.concat_tables(tables).group_by(["origin_h3", "destination_h3"]).aggregate([("trips", "sum")])
    mean = pc.divide(pc.cast(summed["trips_sum"], pa.float64()), float(len(days)))
    return summed.select(["origin_h3", "destination_h3"]).append_column("trips", mean)


def _where_next(out: Path) -> list[Text]:
    """The commands to go on with, on lines that can be copied."""
    config = out / "whimbrel.toml"
    lines = {
        "Bundle": f"{out / 'bundle'}  (README.md, map.png)",
        "Again": f"whimbrel release od_trips {WEEK} --config {config}",
        "Cost": f"whimbrel ledger --config {config}",
        "Check": f"whimbrel verify {out / 'bundle'}",
    }
    return [Text(f"{name:7} {line}", overflow="ignore", no_wrap=True) for name, line in lines.items()]

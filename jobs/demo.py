"""The main job from end to end on a synthetic country, as an operator would run it."""

import secrets
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Group
from rich.text import Text

from jobs.approvals import approval_config, kept, plan_for, sign_and_keep
from jobs.config import Config
from jobs.console import Steps, flows_view
from jobs.ingest.delivery import ingest
from jobs.keys import new_key, trust_block
from jobs.publish.comparison import compare_with_truth
from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from jobs.session import open_session
from jobs.synth import synthesise
from privacy.approval import Role, Trust, applicant
from privacy.durable import write_whole
from privacy.ledger import ReleaseKey
from privacy.signing import PrivateKey, StandingPlan, Statement, read_private_key
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

[approval]
trust = "trust.toml"
publisher_key = "keys/publisher.pem"

[sources.whimbrel]
format = "parquet"
columns = { subscriber = "msisdn", time = "event_at", cell = "cell_id", sex = "sex", age_band = "age_band" }

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
    desk = Desk.of(installed(out).with_engine(engine))
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
        plan = desk.od_plan(week)
        release = desk.release(plan, lambda: nullcontext(session), progress)
        progress("comparing with the planted truth")
        bounded = desk.exact_for_evaluation(plan, session)
    progress("approving, publishing and verifying the bundle")
    sign_as_dpo(desk, plan.key, out / "keys" / "dpo.pem")
    bundle = desk.publish(plan.key)
    shutil.copytree(bundle.folder, out / "bundle", dirs_exist_ok=True)
    verify_bundle(out / "bundle", trust=Trust.load(out / "trust.toml"))
    truth = true_trips_a_day(out / "country" / "truth" / "trips", week.days)
    compared = compare_with_truth(release, truth, exact=bounded)
    return Group(flows_view(release, 4), compared, *_where_next(out))


def installed(out: Path) -> Config:
    """Write a configuration and keys where there are none."""
    key = out / "keys" / "pseudonym.key"
    if not key.exists():
        key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32))
    if not (out / "trust.toml").exists():
        blocks = [trust_block(f"demo {role}", role, _key(out / "keys", role).public) for role in Role]
        write_whole(out / "trust.toml", "\n".join(["version = 1\n", *blocks]).encode())
    (out / "whimbrel.toml").write_text(_CONFIG)
    return Config.load(out / "whimbrel.toml")


def _key(folder: Path, role: str) -> PrivateKey:
    """A person's key, made where there is none. Never do so with real ones: a key is its owner's alone."""
    if not (folder / f"{role}.pem").exists():
        new_key(folder, role)
    return read_private_key(folder / f"{role}.pem")


def sign_as_dpo(desk: Desk, key: ReleaseKey, signer: Path) -> None:
    """Sign the first release, and a plan of a year for those after it, as a DPO would."""
    dpo, now = read_private_key(signer), datetime.now(UTC)
    trust = Trust.load(approval_config(desk.config).trust)
    folder, year = desk.storage.approvals, (now.date(), now.date() + timedelta(days=365))
    statements: list[Statement] = [applicant(key, desk.ledger.entries()).statement]
    if not any(isinstance(signed.statement, StandingPlan) for signed in kept(folder)):
        statements.append(plan_for(desk.policy, ["od_trips"], year, None))
    for statement in statements:
        sign_and_keep(folder, statement, dpo, trust, now)


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
        "Bundle": f"{out / 'bundle'}  (situation.html, README.md, map.png)",
        "Signed": f"by a DPO and a publisher of the demo's own, keys in {out / 'keys'}",
        "Who": f"whimbrel approve show --config {config}",
        "Again": f"whimbrel release od_trips {WEEK} --config {config}",
        "Cost": f"whimbrel ledger --config {config}",
        "Check": f"whimbrel verify {out / 'bundle'} --key {out / 'keys' / 'publisher.pub'}",
    }
    return [Text(f"{name:7} {line}", overflow="ignore", no_wrap=True) for name, line in lines.items()]

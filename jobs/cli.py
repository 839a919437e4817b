"""`whimbrel ...`: one verb a job."""

import json
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from jobs.config import Config
from jobs.console import ERR, OUT, ledger_view, plan_view, release_view, steps
from privacy.ledger import PoolMonth, RecordedCharge
from schemas.errors import ConfigError, WhimbrelError

app = typer.Typer(
    help="Differentially private mobility statistics from call detail records, inside the operator.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ledger_app = typer.Typer(invoke_without_command=True, help="Show what was charged, or verify the chain.")
budget_app = typer.Typer(no_args_is_help=True, help="Look at the budget ahead.")
app.add_typer(ledger_app, name="ledger")
app.add_typer(budget_app, name="budget")

EngineName = Literal["sail", "spark"]
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The installation's configuration.")]
EngineOption = Annotated[EngineName | None, typer.Option("--engine", help="Overrides the configured engine.")]
ProductArgument = Annotated[str, typer.Argument(help="A product of the policy, such as od_trips.")]
PeriodArgument = Annotated[str, typer.Argument(help="ISO 8601: 2026-03-02, 2026-W10 or 2026-03.")]
RevisionOption = Annotated[int, typer.Option(min=1, help="Above 1: supersedes the one before, charged again.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

_DEFAULT_CONFIG: Final = Path("whimbrel.toml")


def run() -> None:
    """Run the command line: exit code 2 for a user's mistake or a refusal, 1 for a defect of ours."""
    try:
        app(standalone_mode=True)
    except WhimbrelError as error:
        ERR.print(f"[bold red]{type(error).__name__}[/bold red] ", end="")
        ERR.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except Exception as error:
        if os.environ.get("WHIMBREL_TRACEBACK"):
            raise
        # An engine's message may quote values of a row: the place of the defect is enough to report it.
        ERR.print(f"[bold red]A defect of Whimbrel's[/bold red]: {type(error).__name__} at {_place_of(error)}.")
        ERR.print("Please report it with this line. Nothing half-written was made visible.")
        ERR.print("WHIMBREL_TRACEBACK=1 shows it whole; that may quote records, so keep it inside.")
        sys.exit(1)


def _place_of(error: Exception) -> str:
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(ours[-4:]))


def _configured(path: Path, engine: EngineName | None = None) -> Config:
    config = Config.load(path)
    return config if engine is None else config.with_engine(engine)


@app.command(epilog="Example:  whimbrel demo --out out/demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the country, the installation and the bundle.")] = Path(
        "out/demo"
    ),
    subscribers: Annotated[int, typer.Option(min=1_000, help="Size of the synthetic country.")] = 200_000,
    seed: Annotated[int, typer.Option(help="Which country.")] = 7,
    engine: EngineOption = None,
) -> None:
    """Synthesise a country, ingest a week of it, release its trips, publish a bundle, compare it with the truth."""
    from jobs.demo import run_demo

    with steps() as progress:
        result = run_demo(out, subscribers=subscribers, seed=seed, engine=engine or "sail", progress=progress)
    OUT.print(result)


@app.command(epilog="Example:  whimbrel synth country --subscribers 20000 --days 7 --layout world_bank")
def synth(
    out: Annotated[Path, typer.Argument(help="New folder for cells, deliveries and the planted truth.")],
    subscribers: Annotated[int, typer.Option(min=1, help="People with a SIM.")] = 200_000,
    first_day: Annotated[str, typer.Option(help="First local day.")] = "2026-03-02",
    days: Annotated[int, typer.Option(min=1, help="Number of days.")] = 14,
    layout: Annotated[list[str] | None, typer.Option(help="whimbrel, world_bank; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal files.")] = 7,
) -> None:
    """Write a synthetic country: deliveries as an operator makes them, and the truth beside them."""
    from jobs.synth import synthesise

    with steps() as progress:
        progress(f"synthesising {days} days of {subscribers:,} subscribers")
        report = synthesise(
            out,
            seed=seed,
            subscribers=subscribers,
            first_day=_day(first_day),
            days=days,
            layouts=tuple(layout or ["whimbrel"]),
        )
    OUT.print(f"{report.rows:,} events in {len(report.files)} files under {report.folder}")


@app.command(epilog="Example:  whimbrel ingest deliveries/2026-03-02 --days 2026-03-02 --source world_bank")
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Event files of one delivery, or folders of them.")],
    days: Annotated[str, typer.Option(help="Days it is for: 2026-03-02, 2026-W10, 2026-03-02/2026-03-15.")],
    source: Annotated[str | None, typer.Option(help="Layout, as named in the configuration.")] = None,
    config: ConfigOption = _DEFAULT_CONFIG,
    engine: EngineOption = None,
) -> None:
    """Read a delivery into subscriber days; rows that cannot be used go to quarantine with a reason."""
    from jobs.ingest.delivery import ingest as ingest_delivery
    from jobs.session import open_session
    from jobs.storage import Storage

    configured = _configured(config, engine)
    first, last = _span(days)
    mapping = configured.source(source)
    with steps() as progress:
        progress(f"starting {configured.engine.name}")
        with open_session(configured.engine) as session:
            delivered = ingest_delivery(
                session,
                configured,
                Storage.of(configured.storage),
                paths,
                source=mapping,
                first=first,
                last=last,
                progress=progress,
            )
    OUT.print(f"Delivered: {delivered[0]} to {delivered[-1]}. What was read and set aside stands in confidential/.")


@app.command(epilog="Example:  whimbrel release od_trips 2026-W10")
def release(
    product: ProductArgument,
    period: PeriodArgument,
    revision: RevisionOption = 1,
    rows: Annotated[int, typer.Option(min=1, help="Largest flows to show.")] = 15,
    config: ConfigOption = _DEFAULT_CONFIG,
    engine: EngineOption = None,
) -> None:
    """Release a period once: charge, draw, seal. Again: the same release, nothing charged, nothing drawn."""
    from jobs.releases import Desk
    from jobs.session import open_session
    from privacy.unit import Period

    configured = _configured(config, engine)
    desk = Desk.of(configured)
    plan = desk.plan(product, Period.parse(period), revision)
    with steps() as progress:
        made = desk.release(plan, partial(open_session, configured.engine), progress)
    OUT.print(release_view(made, rows))
    if not desk.was_sealed_under(plan, made):
        ERR.print(f"Sealed under other terms than today's. Remedy: --revision {revision + 1}, which is charged again.")


@app.command(epilog="Example:  whimbrel publish od_trips 2026-W10")
def publish(
    product: ProductArgument,
    period: PeriodArgument,
    revision: RevisionOption = 1,
    config: ConfigOption = _DEFAULT_CONFIG,
) -> None:
    """Write the bundle of a sealed release into the release zone; again: the same bytes."""
    from jobs.releases import Desk
    from privacy.ledger import ReleaseKey
    from privacy.unit import Period

    desk = Desk.of(_configured(config))
    with steps() as progress:
        progress("writing the bundle")
        bundle = desk.publish(ReleaseKey(product, str(Period.parse(period)), revision))
    OUT.print(f"{bundle.folder}\n{bundle.archive}", soft_wrap=True)


@app.command(epilog="Example:  whimbrel verify release/od_trips_2026-W10_r1.zip")
def verify(bundle: Annotated[Path, typer.Argument(help="A bundle's folder or zip.")]) -> None:
    """Check a bundle against its own sums, card and arithmetic; needs nothing of the operator."""
    from jobs.publish.verify import verify_bundle

    OUT.print(verify_bundle(bundle))


@ledger_app.callback(epilog="Example:  whimbrel ledger --json")
def ledger(context: typer.Context, config: ConfigOption = _DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show pools, months and charges; `whimbrel ledger check` verifies the chain."""
    if context.invoked_subcommand:
        return
    from jobs.releases import Desk

    desk = Desk.of(_configured(config))
    pools, charges = desk.ledger.pools(desk.policy.caps), desk.ledger.charges()
    if as_json:
        OUT.print_json(json.dumps({"pools": [_pool(p) for p in pools], "charges": [_charge(c) for c in charges]}))
    else:
        OUT.print(ledger_view(pools, charges))


@ledger_app.command("check", epilog="Example:  whimbrel ledger check")
def ledger_check(config: ConfigOption = _DEFAULT_CONFIG) -> None:
    """Verify that no entry was altered, added or taken away, and that every published bundle is known."""
    from jobs.publish.bundle import published_heads
    from jobs.releases import Desk

    desk = Desk.of(_configured(config))
    entries = desk.ledger.check(known_heads=published_heads(desk.storage.release))
    OUT.print(f"The chain of {entries} entries holds. Head {desk.ledger.head()}")


@budget_app.command("plan", epilog="Example:  whimbrel budget plan --first 2026-03 --months 24")
def budget_plan(
    policy: Annotated[Path | None, typer.Option(help="A policy file; default: the shipped one.")] = None,
    first: Annotated[str | None, typer.Option(help="First privacy month; default: the present one.")] = None,
    months: Annotated[int, typer.Option(min=1, max=120, help="Months ahead.")] = 24,
) -> None:
    """Simulate a policy month by month, look-backs included, and refuse one that would overrun a pool."""
    from privacy.budget import plan, simulate
    from privacy.policy import Policy
    from privacy.unit import PrivacyMonth

    chosen = Policy.load(policy)
    month = PrivacyMonth.parse(first) if first else PrivacyMonth.of(date.today())
    OUT.print(plan_view(simulate(chosen, month, months), _epsilons(chosen.caps)))
    plan(chosen, month, months)


def _epsilons(caps: Mapping[str, int]) -> list[tuple[str, float]]:
    """What each pool, and all together, mean as epsilon at two deltas."""
    from privacy.mechanisms import epsilon

    pools = {**caps, "all pools": sum(caps.values())} if len(caps) > 1 else dict(caps)
    return [
        (f"{name}, {cap:,} micro-rho a month, delta {delta:g}", epsilon(cap, delta))
        for name, cap in pools.items()
        for delta in (1e-6, 1e-9)
    ]


def _pool(pool: PoolMonth) -> dict[str, object]:
    return {**asdict(pool), "left_micro_rho": pool.left_micro_rho}


def _charge(entry: RecordedCharge) -> dict[str, object]:
    return {**asdict(entry.key), **asdict(entry.charge)}


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a day.", "YYYY-MM-DD", "write it as 2026-03-02") from error


def _span(text: str) -> tuple[date, date]:
    """First and last day of a period, or of an interval of two days."""
    from privacy.unit import Period

    if "/" not in text:
        period = Period.parse(text)
        return period.first_day, period.last_day
    first, last = (_day(part) for part in text.split("/", 1))
    if last < first:
        raise ConfigError(f"{text!r} ends before it begins.", "first/last", "swap the two days")
    return first, last

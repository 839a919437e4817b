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
from typing import Annotated, Literal

import typer

from jobs.approval_verbs import approve_app, emergency_app, keys_app
from jobs.config import Config
from jobs.console import ERR, OUT, ledger_view, release_view, steps
from jobs.options import DEFAULT_CONFIG, ConfigOption, PeriodArgument, ProductArgument, RevisionOption
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
app.add_typer(keys_app, name="keys")
app.add_typer(approve_app, name="approve")
app.add_typer(emergency_app, name="emergency")

EngineName = Literal["sail", "spark"]
EngineOption = Annotated[EngineName | None, typer.Option("--engine", help="Overrides the configured engine.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


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


@app.command(epilog="Example:  whimbrel synth country --subscribers 20000 --days 365 --scenario flood")
def synth(
    out: Annotated[Path, typer.Argument(help="New folder for cells, deliveries and the planted truth.")],
    subscribers: Annotated[int, typer.Option(min=1, help="People with a SIM.")] = 200_000,
    first_day: Annotated[str, typer.Option(help="First local day.")] = "2026-03-02",
    days: Annotated[int, typer.Option(min=1, help="Number of days.")] = 14,
    layout: Annotated[list[str] | None, typer.Option(help="whimbrel, world_bank; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal files.")] = 7,
    scenario: Annotated[
        str | None, typer.Option(help="Plant a flood and its displaced, migrants, outages: flood, or a TOML file.")
    ] = None,
) -> None:
    """Write a synthetic country: deliveries as an operator makes them, and the truth beside them."""
    from jobs.synth import read_scenario, synthesise

    planted = None if scenario is None else read_scenario(scenario)
    with steps() as progress:
        progress(f"synthesising {days} days of {subscribers:,} subscribers")
        report = synthesise(
            out,
            seed=seed,
            subscribers=subscribers,
            first_day=_day(first_day),
            days=days,
            layouts=tuple(layout or ["whimbrel"]),
            progress=lambda what, done, total: progress.note(f"{what} {done} of {total}"),
            scenario=planted,
        )
    OUT.print(f"{report.rows:,} events in {len(report.files)} files under {report.folder}")


@app.command(epilog="Example:  whimbrel ingest deliveries/2026-03-02 --days 2026-03-02 --source world_bank")
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Event files of one delivery, or folders of them.")],
    days: Annotated[str, typer.Option(help="Days it is for: 2026-03-02, 2026-W10, 2026-03-02/2026-03-15.")],
    source: Annotated[str | None, typer.Option(help="Layout, as named in the configuration.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
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


@app.command(epilog="Example:  whimbrel exclude")
def exclude(config: ConfigOption = DEFAULT_CONFIG, engine: EngineOption = None) -> None:
    """Remove the subscribers on the list of exclusions from all days stored so far; ingest leaves them out itself."""
    from jobs.ingest.exclusions import exclude_from_stored_days
    from jobs.session import open_session
    from jobs.storage import Storage

    configured = _configured(config, engine)
    with steps() as progress:
        progress("removing the listed subscribers from stored days")
        with open_session(configured.engine) as session:
            exclude_from_stored_days(session, configured, Storage.of(configured.storage))
    OUT.print("No stored day holds a listed subscriber any more. Sealed releases stay as they are.")


@app.command(epilog="Example:  whimbrel nights 2026-03")
def nights(
    month: Annotated[str, typer.Argument(help="Privacy month: 2026-03.")],
    config: ConfigOption = DEFAULT_CONFIG,
    engine: EngineOption = None,
) -> None:
    """Find where subscribers spent the nights of a month; releases that need it do so themselves."""
    from jobs.releases import Desk
    from jobs.session import open_session
    from privacy.unit import PrivacyMonth

    configured = _configured(config, engine)
    with steps() as progress:
        built = Desk.of(configured).build_nights(
            PrivacyMonth.parse(month), partial(open_session, configured.engine), progress
        )
    done = "were built" if built else "stood already as its days have them: nothing was done"
    OUT.print(f"Nights of {month} {done}.")


@app.command(epilog="Example:  whimbrel release od_trips 2026-W10")
def release(
    product: ProductArgument,
    period: PeriodArgument,
    revision: RevisionOption = 1,
    rows: Annotated[int, typer.Option(min=1, help="Largest flows to show.")] = 15,
    config: ConfigOption = DEFAULT_CONFIG,
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
    if overdue := desk.places.overdue(date.today()):
        ERR.print(f"Sensitive places due for review: {', '.join(overdue)}. Their rules hold until the list is changed.")


@app.command(epilog="Example:  whimbrel displacement flood-lower-shire")
def displacement(
    event: Annotated[str, typer.Argument(help="An open event, by its id in the list of events.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    engine: EngineOption = None,
) -> None:
    """Release what of an open event's schedule has its days delivered; show who is away. Again: nothing charged."""
    from jobs import emergency
    from jobs.releases import Desk
    from jobs.session import open_session

    configured = _configured(config, engine)
    with steps() as progress:
        session = partial(open_session, configured.engine)
        figures = emergency.release_event(Desk.of(configured), event, session, progress)
    if as_json:
        OUT.print_json(json.dumps(emergency.as_json(figures)))
    else:
        OUT.print(emergency.view(figures))
    if figures.stuck:
        ERR.print(emergency.told_stuck(figures), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2)


@app.command(epilog="Example:  whimbrel network 2026-07-01/2026-07-20 --out network.csv")
def network(
    days: Annotated[str, typer.Argument(help="Days: 2026-07-08, 2026-W28, 2026-07-01/2026-07-20.")],
    out: Annotated[Path, typer.Option(help="CSV to write; public.")] = Path("network.csv"),
    resolution: Annotated[
        list[int] | None, typer.Option(min=0, max=15, help="H3, of the zones; repeat it. With a feed only.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write which towers were down: from the outage feed, or from published counts of phones where there is none."""
    from jobs.network_table import write_network_table

    basis = write_network_table(_configured(config), _span(days), resolution or (), out)
    OUT.print(f"{out}: from the {basis}", soft_wrap=True, highlight=False)


@app.command(epilog="Example:  whimbrel evaluate residents 2026-04 --truth country --config out/demo/whimbrel.toml")
def evaluate(
    product: ProductArgument,
    period: Annotated[str, typer.Argument(help="ISO 8601: 2026-W10 or 2026-03; of displacement, the event's id.")],
    truth: Annotated[
        Path | None, typer.Option(help="Folder of the synthetic country: exact values are judged by its truth.")
    ] = None,
    budgets: Annotated[str, typer.Option(help="Micro-rho of one release, with commas; default: the policy's.")] = "",
    out: Annotated[Path, typer.Option(help="Folder for evaluation.json and evaluation.csv.")] = Path("evaluation"),
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    engine: EngineOption = None,
) -> None:
    """Judge releases of the synthetic country by what is exact, and that by the truth; refuses real data.

    Of od_trips, release designs are compared at equal budgets. Nothing is charged.
    """
    from jobs.evaluation.report import to_json, write
    from jobs.evaluation.verb import Asked, evaluated
    from jobs.releases import Desk
    from jobs.session import open_session

    configured = _configured(config, engine)
    asked = Asked(product, period, truth, _whole_numbers(budgets))
    with steps() as progress:
        rows, view = evaluated(Desk.of(configured), asked, partial(open_session, configured.engine), progress)
    files = write(rows, out)
    if as_json:
        OUT.print_json(to_json(rows))
    else:
        OUT.print(view)
        OUT.print(*files, sep="\n", soft_wrap=True)


@app.command(epilog="Example:  whimbrel publish od_trips 2026-W10")
def publish(
    product: ProductArgument,
    period: PeriodArgument,
    revision: RevisionOption = 1,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write the bundle of an approved release into the release zone; again: the same bytes."""
    from jobs.releases import Desk
    from privacy.ledger import ReleaseKey
    from privacy.unit import Period

    desk = Desk.of(_configured(config))
    with steps() as progress:
        progress("writing the bundle")
        bundle = desk.publish(ReleaseKey(product, str(Period.parse(period)), revision))
    OUT.print(f"{bundle.folder}\n{bundle.archive}", soft_wrap=True)


@app.command(epilog="Example:  whimbrel verify release/od_trips_2026-W10_r1.zip --key keys/gate.pub")
def verify(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder or zip.")],
    key: Annotated[str | None, typer.Option(help="The publisher's public key, its line or its .pub file.")] = None,
    trust: Annotated[Path | None, typer.Option(help="The operator's trust.toml, where it was handed out.")] = None,
) -> None:
    """Check a bundle against its signature, sums, card and arithmetic; needs nothing of the operator but its keys.

    Without --key or --trust, from elsewhere than the bundle, a signature says only that one hand made it all.
    """
    from jobs.keys import read_public_key
    from jobs.publish.verify import verify_bundle
    from privacy.approval import Trust

    OUT.print(
        verify_bundle(bundle, key=read_public_key(key) if key else None, trust=Trust.load(trust) if trust else None)
    )


@app.command(epilog="Example:  whimbrel situation release/displacement_*.zip --network network.csv --out situation")
def situation(
    bundles: Annotated[list[Path], typer.Argument(help="Displacement bundles of one event, folders or zips.")],
    out: Annotated[Path, typer.Option(help="Folder for situation.html and situation.pdf.")] = Path("situation"),
    network: Annotated[Path | None, typer.Option(help="A table that `whimbrel network` wrote.")] = None,
    today: Annotated[str | None, typer.Option(help="Day to which the data's age is counted; default: today.")] = None,
    key: Annotated[str | None, typer.Option(help="The publisher's public key, its line or its .pub file.")] = None,
    trust: Annotated[Path | None, typer.Option(help="The operator's trust.toml, where it was handed out.")] = None,
) -> None:
    """Write page one for the emergency lead: a self-contained page and one sheet of paper; needs no operator."""
    from jobs.keys import read_public_key
    from jobs.publish.situation.run import Keys, write_situation
    from privacy.approval import Trust

    keys = Keys(read_public_key(key) if key else None, Trust.load(trust) if trust else None)
    with steps() as progress:
        progress("verifying the bundles and drawing the page")
        files = write_situation(bundles, out, today=_day(today) if today else date.today(), network=network, keys=keys)
    OUT.print(*files, sep="\n", soft_wrap=True)


@ledger_app.callback(epilog="Example:  whimbrel ledger --json")
def ledger(context: typer.Context, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
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
def ledger_check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Verify the chain of entries, that every bundle and every kept artefact is known, and the approvals."""
    from jobs.approvals import check_recorded
    from jobs.publish.bundle import published_heads
    from jobs.releases import Desk
    from privacy.approval import Trust

    desk = Desk.of(_configured(config))
    heads = published_heads(desk.storage.release)
    entries = desk.ledger.check(known_heads=heads, artefacts=desk.vault.kept())
    OUT.print(f"The chain of {entries} entries holds. Head {desk.ledger.head()}")
    if desk.config.approval:
        signatures = check_recorded(desk.ledger.entries(), Trust.load(desk.config.approval.trust))
        OUT.print(f"{signatures} signatures hold, and whatever left was approved.")
    else:
        OUT.print("Signatures were not checked: the configuration has no [approval].", markup=False)


@ledger_app.command("sql", epilog="Example:  whimbrel ledger sql --role whimbrel")
def ledger_sql(
    role: Annotated[str, typer.Option(help="The PostgreSQL role that Whimbrel connects as.")] = "whimbrel",
) -> None:
    """Print the SQL that makes the ledger's tables on PostgreSQL and lets a role read them and add to them, no more."""
    from privacy.ledger import postgresql_script

    typer.echo(postgresql_script(role), nl=False)  # not through rich, which would wrap it


@budget_app.command("plan", epilog="Example:  whimbrel budget plan --first 2026-03 --event 2026-05-12")
def budget_plan(
    policy: Annotated[Path | None, typer.Option(help="A policy file; default: the shipped one.")] = None,
    first: Annotated[str | None, typer.Option(help="First privacy month; default: the present one.")] = None,
    months: Annotated[int, typer.Option(min=1, max=120, help="Months ahead.")] = 24,
    events: Annotated[list[str] | None, typer.Option("--event", help="Day of an event to simulate; repeat it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a policy month by month, look-backs included, and refuse one that would overrun a pool."""
    from jobs.budget_calendar import calendar_json, calendar_view
    from privacy.budget import months_to_show, refuse_overrun, simulate
    from privacy.policy import Policy
    from privacy.unit import PrivacyMonth

    chosen = Policy.load(policy)
    onsets = None if events is None else [_day(event) for event in events]
    asked = PrivacyMonth.parse(first) if first else PrivacyMonth.of(date.today())
    calendar = simulate(chosen, *months_to_show(chosen, asked, months, onsets or ()), onsets)
    if as_json:
        OUT.print_json(json.dumps(calendar_json(calendar, _epsilons(chosen.caps), onsets)))
    else:
        OUT.print(calendar_view(calendar, _epsilons(chosen.caps), onsets))
    refuse_overrun(calendar)


def _epsilons(caps: Mapping[str, int]) -> list[tuple[str, int, float, float]]:
    """What each pool, and all together, mean as epsilon at two deltas."""
    from privacy.mechanisms import epsilon

    pools = {**caps, "all pools": sum(caps.values())} if len(caps) > 1 else dict(caps)
    return [(name, cap, delta, epsilon(cap, delta)) for name, cap in pools.items() for delta in (1e-6, 1e-9)]


def _pool(pool: PoolMonth) -> dict[str, object]:
    return {**asdict(pool), "left_micro_rho": pool.left_micro_rho}


def _charge(entry: RecordedCharge) -> dict[str, object]:
    return {**asdict(entry.key), **asdict(entry.charge), "event": entry.event}


def _whole_numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.replace("_", "").split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is no list of budgets.", "whole numbers of micro-rho", "write it as 23000,30000"
        ) from error


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

"""`whimbrel ...`: one verb a job."""

import json
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from jobs import journal
from jobs.approval_verbs import approve_app, emergency_app, keys_app
from jobs.config import Config, SourceConfig
from jobs.console import ERR, OUT, ledger_view, release_view, steps
from jobs.explorer_verbs import explorer_app
from jobs.export_verbs import FormatOption, export, export_published, require_formats
from jobs.indicator_verbs import register as register_indicators
from jobs.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    EngineName,
    EngineOption,
    LanguageOption,
    PeriodArgument,
    ProductArgument,
    RevisionOption,
    StepOption,
)
from jobs.report_verbs import report
from jobs.sharing_verbs import register as register_sharing
from jobs.submission import Cluster
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
register_indicators(app)
register_sharing(app, ledger_app)
app.add_typer(explorer_app)
app.command(epilog="Example:  whimbrel export release/od_trips_2026-W10_r1.zip --format gpkg --format kmz")(export)
app.command(epilog="Example:  whimbrel report release/*.zip --month 2026-03 --out reports")(report)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@app.callback()
def begin(context: typer.Context) -> None:
    """Note which verb runs."""
    journal.present().verb = context.invoked_subcommand or ""


def run() -> None:
    """Run the command line: exit code 2 for a user's mistake or a refusal, 1 for a defect of ours."""
    with journal.recorded():
        _run()


def _run() -> None:
    try:
        app(standalone_mode=True)
    except WhimbrelError as error:
        _tell(type(error).__name__, str(error))
        sys.exit(2)
    except Exception as error:
        if os.environ.get("WHIMBREL_TRACEBACK"):
            raise
        # An engine's message may quote values of a row: the place of the defect is enough to report it.
        _tell("A defect of Whimbrel's:", f"{type(error).__name__} at {_place_of(error)}.")
        if not journal.is_on():
            ERR.print("Please report it with this line. Nothing half-written was made visible.")
            ERR.print("WHIMBREL_TRACEBACK=1 shows it whole; that may quote records, so keep it inside.")
        sys.exit(1)


def _tell(what: str, message: str) -> None:
    if journal.is_on():
        journal.tell("error", what.rstrip(":"), message=message)
        return
    ERR.print(f"[bold red]{what}[/bold red] ", end="")
    ERR.print(message, markup=False, highlight=False, soft_wrap=True)


def _place_of(error: Exception) -> str:
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(ours[-4:]))


def _configured(path: Path, engine: EngineName | None = None) -> Config:
    config = Config.load(path)
    journal.present().config = config
    return config if engine is None else config.with_engine(engine)


@app.command(epilog="Example:  whimbrel demo --out out/demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the country, the installation and the bundle.")] = Path(
        "out/demo"
    ),
    subscribers: Annotated[
        int | None,
        typer.Option(min=1_000, help="Size of the synthetic country; default: 200,000, or 20,000 by Airflow."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Which country.")] = 7,
    airflow: Annotated[
        bool, typer.Option("--airflow", help="Through the DAGs of a real Airflow on this machine.")
    ] = False,
    leave: Annotated[
        bool, typer.Option("--exit", envvar="CI", help="With --airflow: end at once instead of showing its pages.")
    ] = False,
    engine: EngineOption = None,
) -> None:
    """Synthesise a country, ingest a week of it, release its trips, publish a bundle, compare it with the truth."""
    if airflow:
        from jobs.demo_airflow import run_demo_airflow

        run_demo_airflow(out, subscribers=subscribers or 20_000, seed=seed, leave=leave)
        return
    from jobs.demo import run_demo

    with steps() as progress:
        result = run_demo(
            out, subscribers=subscribers or 200_000, seed=seed, engine=engine or "sail", progress=progress
        )
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
    roamers: Annotated[bool, typer.Option("--roamers", help="Add visitors from abroad and residents abroad.")] = False,
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
            roamers=roamers,
        )
    OUT.print(f"{report.rows:,} events in {len(report.files)} files under {report.folder}")


@app.command(epilog="Example:  whimbrel ingest deliveries/2026-03-02 --days 2026-03-02 --source world_bank")
def ingest(
    days: Annotated[str, typer.Option(help="Days it is for: 2026-03-02, 2026-W10, 2026-03-02/2026-03-15.")],
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Event files of one delivery, or folders of them; none of a table.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Layout, as named in the configuration.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be read; read no row, write nothing.")
    ] = False,
    replaces: Annotated[
        str | None, typer.Option(help="Delivery whose rows these corrected files stand in for; its record's name.")
    ] = None,
    quality: Annotated[
        bool, typer.Option("--quality/--no-quality", help="Write the quality report of its days afterwards.")
    ] = True,
    config: ConfigOption = DEFAULT_CONFIG,
    engine: EngineOption = None,
) -> None:
    """Read a delivery into subscriber days; rows that cannot be used go to quarantine with a reason."""
    from jobs.ingest.delivery import ingest as ingest_delivery
    from jobs.ingest.plan import plan_ingest
    from jobs.ingest.plan import view as plan_view
    from jobs.quality.run import write_quality
    from jobs.session import open_session
    from jobs.storage import Storage

    configured = _configured(config, engine)
    first, last = _span(days)
    mapping = configured.source(source)
    named = _paths_of(mapping, paths)
    if dry_run:
        OUT.print(plan_view(plan_ingest(configured, named, source=mapping, first=first, last=last)))
        return
    with steps(days=days) as progress:
        progress(f"starting {configured.engine.name}")
        with open_session(configured.engine) as session:
            delivered = ingest_delivery(
                session,
                configured,
                Storage.of(configured.storage),
                named,
                source=mapping,
                first=first,
                last=last,
                replaces=replaces,
                progress=progress,
            )
        if quality:
            write_quality(configured, Storage.of(configured.storage), delivered, progress=progress)
    OUT.print(f"Delivered: {delivered[0]} to {delivered[-1]}. What was read and set aside stands in confidential/.")


def _paths_of(source: SourceConfig, paths: list[Path] | None) -> list[Path]:
    """Refuse files where the source is a table, and none where it is not."""
    if bool(paths) == (source.table is not None):
        raise ConfigError(
            "The source is a table, and files are named." if paths else "No file is named.",
            "event files or folders of them, or a source that is a table",
            "leave the files out, or name them",
        )
    return paths or []


@app.command("inspect", epilog="Example:  whimbrel inspect deliveries/2026-03-02 --name voice --out voice.toml")
def inspect_files(
    paths: Annotated[list[Path] | None, typer.Argument(help="Event files, or folders of them.")] = None,
    name: Annotated[str, typer.Option(help="Name of the drafted \\[sources.NAME].")] = "new",
    out: Annotated[Path | None, typer.Option(help="File for the draft; default: standard output.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of a mapping instead.")] = False,
) -> None:
    """Look at the beginning of files: what layout they seem to have, why, and a draft of a mapping for them."""
    from jobs.inspection.verb import draft, inspect, view

    if schema:
        OUT.print_json(json.dumps(SourceConfig.model_json_schema()))
        return
    found = inspect(paths or [])
    ERR.print(view(found))
    if out is None:
        typer.echo(draft(found, name))
    else:
        out.write_text(draft(found, name), encoding="utf-8")
        OUT.print(f"{out}: put it into whimbrel.toml, then: whimbrel ingest --dry-run", soft_wrap=True, highlight=False)


@app.command(epilog="Example:  whimbrel quality 2026-03-02")
def quality(
    days: Annotated[str, typer.Argument(help="Delivered days: 2026-03-02, 2026-W10, 2026-03, 2026-03-02/2026-03-15.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Check days against their thresholds and earlier days; write a confidential page a day and a year's calendar.

    What was found stands in the report only: neither what is printed nor the exit code depends on it, and no release
    waits for it.
    """
    from jobs.quality.run import write_quality
    from jobs.storage import Storage

    configured = _configured(config)
    with steps(days=days) as progress:
        pages = write_quality(configured, Storage.of(configured.storage), _days(days), progress=progress)
    OUT.print("Written:", *pages, sep="\n", soft_wrap=True)


@app.command(epilog="Example:  whimbrel doctor --engine sail --engine spark --json")
def doctor(
    engines: Annotated[
        list[str] | None, typer.Option("--engine", help="Engine to start; repeat it. Default: the configured one.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Check engine, Java, storage, zones, keys, clock, ledger, pools and policy; exit code 2 when anything fails."""
    from jobs.doctor import as_json as to_json
    from jobs.doctor import examine, is_fit, view

    with steps() as progress:
        progress("examining the installation")
        found = examine(config, engines or ())
    if as_json:
        OUT.print_json(json.dumps(to_json(found)))
    else:
        OUT.print(view(found))
    if not is_fit(found):
        raise typer.Exit(2)


@app.command(epilog="Example:  whimbrel package whimbrel.zip")
def package(out: Annotated[Path, typer.Argument(help="Zip to write.")] = Path("whimbrel.zip")) -> None:
    """Write Whimbrel's code as a zip for spark-submit's --py-files; its dependencies stay the driver's."""
    from jobs.submission import write_code

    write_code(out)
    OUT.print(out, soft_wrap=True, highlight=False)


@app.command(
    "submit-line",
    epilog="Example:  whimbrel submit-line --on yarn --code whimbrel.zip release od_trips 2026-W10",
    context_settings={"allow_interspersed_args": False},
)
def submit_line(
    verb: Annotated[list[str], typer.Argument(help="A verb that needs an engine, with its arguments.")],
    on: Annotated[Cluster, typer.Option(help="Where the executors run.")] = Cluster.STANDALONE,
    master: Annotated[str | None, typer.Option(help="spark://HOST:PORT, or k8s://https://HOST:PORT.")] = None,
    code: Annotated[Path | None, typer.Option(help="The zip of `whimbrel package`; default: installed.")] = None,
    source: Annotated[Path, typer.Option(help="The folder in which infra/ stands.")] = Path(),
) -> None:
    """Print the spark-submit line that runs a verb with its driver here and its executors on a cluster."""
    from jobs.submission import submit_line as line_of

    _require_engine_verb(verb)
    typer.echo(line_of(verb, on, master=master, code=code, source=source))  # not through rich, which would wrap it


def _require_engine_verb(verb: list[str]) -> None:
    """Refuse a verb that no cluster runs, and arguments that the verb would refuse there."""
    group = typer.main.get_group(app)
    verbs = {name: one for name, one in group.commands.items() if "engine" in {given.name for given in one.params}}
    if verb[0] not in verbs:
        raise ConfigError(
            f"{verb[0]!r} is no verb that runs on a cluster.", f"one of {', '.join(sorted(verbs))}", "run it here"
        )
    verbs[verb[0]].make_context(verb[0], verb[1:])


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


@app.command(epilog="Example:  whimbrel retention --dry-run")
def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would expire, and delete nothing.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Delete confidential rows whose time is over by `retention` of the configuration, and record it.

    What left and what it cost stays.
    """
    from jobs.console import retention_view
    from jobs.releases import Desk
    from jobs.retention import expire, require_nothing_held, what_is_due

    desk = Desk.of(_configured(config))
    now = datetime.now(ZoneInfo(desk.config.country.timezone))
    if dry_run:
        OUT.print(retention_view(what_is_due(desk, now.date()).expired, "Would expire"))
        return
    with steps() as progress:
        progress("deleting what has expired")
        due = expire(desk, now)
    OUT.print(retention_view(due.expired, "Expired"))
    require_nothing_held(due)


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
    with steps(period=month) as progress:
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
    step: StepOption = None,
    daily: Annotated[bool, typer.Option("--daily", help="Release each day of the period.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    engine: EngineOption = None,
) -> None:
    """Release a period once: charge, draw, seal. Again: the same release, nothing charged, nothing drawn.

    With --step one of its three steps is done, for an orchestrator that gives each an identity of its own.
    """
    from jobs.releases import Desk
    from jobs.session import open_session, opened_once
    from privacy.unit import Period, PeriodKind

    configured = _configured(config, engine)
    desk, asked = Desk.of(configured), Period.parse(period)
    periods = [Period.of(PeriodKind.DAY, day) for day in asked.days] if daily else [asked]
    plans = [desk.plan(product, one, revision) for one in periods]
    with (
        steps(product=product, period=period, revision=revision) as progress,
        opened_once(partial(open_session, configured.engine)) as session,
    ):
        if step is not None:
            for plan in plans:
                desk.do(step, plan, session, progress)
            return
        made = [desk.release(plan, session, progress) for plan in plans]
    for one in made:
        OUT.print(release_view(one, rows))
    if not all(desk.was_sealed_under(plan, one) for plan, one in zip(plans, made, strict=True)):
        ERR.print(f"Sealed under other terms than today's. Remedy: --revision {revision + 1}, which is charged again.")
    if overdue := desk.places.overdue(date.today()):
        ERR.print(f"Sensitive places due for review: {', '.join(overdue)}. Their rules hold until the list is changed.")


@app.command(epilog="Example:  whimbrel gate 2026-W10")
def gate(period: PeriodArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Say whether the days of a period look complete, by their released counts alone; exit code 2 where one does not.

    Before it: whimbrel release active_subscribers PERIOD --daily
    """
    from jobs.completeness import judge_period, require_complete, view
    from jobs.releases import Desk
    from privacy.unit import Period

    verdicts = judge_period(Desk.of(_configured(config)), Period.parse(period))
    OUT.print(view(verdicts))
    require_complete(verdicts)


@app.command(epilog="Example:  whimbrel displacement flood-lower-shire")
def displacement(
    event: Annotated[str, typer.Argument(help="An open event, by its id in the list of events.")],
    step: StepOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    engine: EngineOption = None,
) -> None:
    """Release what of an open event's schedule has its days delivered; show who is away. Again: nothing charged."""
    from jobs import emergency
    from jobs.emergency_steps import do_step
    from jobs.releases import Desk
    from jobs.session import open_session, opened_once

    configured = _configured(config, engine)
    with steps(event=event) as progress, opened_once(partial(open_session, configured.engine)) as session:
        if step is not None:
            do_step(Desk.of(configured), event, step, session, progress)
            return
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
    with steps(product=product, period=period) as progress:
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
    formats: FormatOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write the bundle of an approved release into the release zone; again: the same bytes.

    With --format, its exports too, into formats/ beside it: whimbrel export.
    """
    from jobs.releases import Desk
    from privacy.ledger import ReleaseKey
    from privacy.unit import Period

    require_formats(product, formats or [])
    desk = Desk.of(_configured(config))
    with steps(product=product, period=period, revision=revision) as progress:
        progress("writing the bundle")
        bundle = desk.publish(ReleaseKey(product, str(Period.parse(period)), revision))
        if formats:
            progress("writing its exports")
        exports = export_published(bundle.folder, formats or [])
    OUT.print(bundle.folder, bundle.archive, *exports, sep="\n", soft_wrap=True)


@app.command(epilog="Example:  whimbrel verify release/od_trips_2026-W10_r1.zip --key keys/gate.pub")
def verify(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder or zip.")],
    key: Annotated[str | None, typer.Option(help="The publisher's public key, its line or its .pub file.")] = None,
    trust: Annotated[Path | None, typer.Option(help="The operator's trust.toml, where it was handed out.")] = None,
    errata: Annotated[Path | None, typer.Option(help="The publisher's errata: their folder, or one.")] = None,
) -> None:
    """Check a bundle against its signature, sums, card and arithmetic; needs nothing of the operator but its keys.

    Without --key or --trust, from elsewhere than the bundle, a signature says only that one hand made it all.
    Exit code 3: the bundle is sound, and one of the errata withdraws it.
    """
    from jobs.keys import read_public_key
    from jobs.publish.errata import about, kept_errata, notices
    from jobs.publish.verify import verify_bundle
    from privacy.approval import Trust

    public, trusted = read_public_key(key) if key else None, Trust.load(trust) if trust else None
    report = verify_bundle(bundle, key=public, trust=trusted)
    found = about(report.slug, notices(kept_errata(errata), key=public, trust=trusted) if errata else ())
    OUT.print(report)
    for notice in found:
        ERR.print(notice.sentence, style="bold red", markup=False, highlight=False, soft_wrap=True)
    if any(notice.erratum.status == "withdrawn" for notice in found):
        raise typer.Exit(3)


@app.command(epilog="Example:  whimbrel situation release/displacement_*.zip --network network.csv --out situation")
def situation(
    bundles: Annotated[list[Path], typer.Argument(help="Displacement bundles of one event, folders or zips.")],
    out: Annotated[Path, typer.Option(help="Folder for situation.html and situation.pdf.")] = Path("situation"),
    language: LanguageOption = ["en"],  # noqa: B006 # typer copies it
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
        day = _day(today) if today else date.today()
        files = write_situation(bundles, out, today=day, network=network, keys=keys, languages=language)
    OUT.print(*files, sep="\n", soft_wrap=True)


@ledger_app.callback(epilog="Example:  whimbrel ledger --json")
def ledger(context: typer.Context, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show pools, months and charges; `whimbrel ledger check` verifies the chain."""
    if context.invoked_subcommand:
        return
    from jobs.releases import Desk
    from jobs.shares import shares_json, shares_view

    desk = Desk.of(_configured(config))
    pools, charges, shares = desk.ledger.pools(desk.policy.caps), desk.ledger.charges(), desk.ledger.shares()
    if as_json:
        booked = {"pools": [_pool(p) for p in pools], "charges": [_charge(c) for c in charges]}
        OUT.print_json(json.dumps({**booked, "shares": shares_json(shares)}))
    else:
        OUT.print(ledger_view(pools, charges))
        if shares:
            OUT.print(shares_view(shares))


@ledger_app.command("check", epilog="Example:  whimbrel ledger check")
def ledger_check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Verify the chain of entries, that every bundle, kept artefact and shared bundle is known, and the approvals."""
    from jobs.approvals import check_recorded
    from jobs.publish.bundle import published_heads
    from jobs.releases import Desk
    from jobs.shares import check_shared
    from privacy.approval import Trust

    desk = Desk.of(_configured(config))
    heads = published_heads(desk.storage.release)
    entries = desk.ledger.check(known_heads=heads, artefacts=desk.vault.kept())
    OUT.print(f"The chain of {entries} entries holds. Head {desk.ledger.head()}")
    if shared := check_shared(desk.config.sharing.shared, desk.ledger.shares()):
        OUT.print(f"{shared} shared bundles are recorded.")
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
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="An installation: its policy, and what its key epochs cost.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a policy month by month, look-backs included, and refuse one that would overrun a pool."""
    from jobs.budget_calendar import calendar_json, calendar_view, epochs_json, epochs_view
    from privacy.budget import months_to_show, refuse_overrun, simulate
    from privacy.policy import Policy
    from privacy.unit import PrivacyMonth

    installed = Config.load(config) if config else None
    chosen = Policy.load(policy or (installed.policy if installed else None))
    onsets = None if events is None else [_day(event) for event in events]
    asked = PrivacyMonth.parse(first) if first else PrivacyMonth.of(date.today())
    calendar = simulate(chosen, *months_to_show(chosen, asked, months, onsets or ()), onsets)
    if as_json:
        told = calendar_json(calendar, _epsilons(chosen.caps), onsets)
        keys = epochs_json(installed.pseudonyms, chosen, calendar) if installed else {}
        OUT.print_json(json.dumps({**told, **keys}))
    else:
        OUT.print(calendar_view(calendar, _epsilons(chosen.caps), onsets))
        if installed:
            OUT.print(epochs_view(installed.pseudonyms, chosen, calendar))
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


def _days(text: str) -> tuple[date, ...]:
    """The days of a period, or of an interval of two days."""
    first, last = _span(text)
    return tuple(first + timedelta(n) for n in range((last - first).days + 1))


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

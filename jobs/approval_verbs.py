"""`whimbrel keys`, `whimbrel approve` and `whimbrel emergency`: what people sign, and with what."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jobs.console import ERR, OUT, steps
from jobs.options import DEFAULT_CONFIG, ConfigOption, EngineOption, PeriodArgument, ProductArgument, RevisionOption
from schemas.errors import ApprovalError, ConfigError, PrivacyError

if TYPE_CHECKING:
    from jobs.releases import Desk
    from privacy.approval import Trust
    from privacy.signing import PrivateKey, Statement

keys_app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the keys that sign.")
approve_app = typer.Typer(no_args_is_help=True, help="Sign what may leave; only a DPO's key can.")
emergency_app = typer.Typer(no_args_is_help=True, help="Open the emergency pool, with two people's signatures.")

RoleName = Literal["dpo", "emergency", "publisher"]
KeyOption = Annotated[Path, typer.Option("--key", help="Your private key.")]
PassphraseOption = Annotated[
    str | None, typer.Option("--passphrase-variable", help="Environment variable that holds the key's passphrase.")
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Sign without asking; what is signed is shown all the same.")
]
RowsOption = Annotated[int, typer.Option(min=1, help="Largest flows to show.")]


@keys_app.command("new", epilog="Example:  whimbrel keys new amina --role dpo --out keys")
def keys_new(
    name: Annotated[str, typer.Argument(help="Whose key it is; one word names its files.")],
    role: Annotated[RoleName, typer.Option(help="What it will be trusted to sign.")] = "dpo",
    out: Annotated[Path, typer.Option(help="Folder for NAME.pem, yours alone, and NAME.pub.")] = Path("keys"),
    passphrase_variable: PassphraseOption = None,
) -> None:
    """Make a key, and print the block that makes it trusted once it stands in trust.toml."""
    from jobs.keys import new_key, trust_block

    public = new_key(out, name, passphrase_variable)
    ERR.print(f"Private key {out / name}.pem, public key {out / name}.pub. In trust.toml, reviewed:", soft_wrap=True)
    OUT.print(trust_block(name, role, public), markup=False, highlight=False, soft_wrap=True, end="")


@keys_app.command("list", epilog="Example:  whimbrel keys list")
def keys_list(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show the trusted keys, their roles, and since when a revoked one does not count."""
    from jobs.approval_views import trust_view

    OUT.print(trust_view(_trust(config)))


@keys_app.command("revoke", epilog="Example:  whimbrel keys revoke 2f1c9a7be0d34455 --reason 'laptop stolen'")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `whimbrel keys list` shows it.")],
    revoked_at: Annotated[
        str | None, typer.Option("--from", help="Instant; default: now. Earlier if lost earlier.")
    ] = None,
    reason: Annotated[str, typer.Option(help="For whoever reviews the list.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add a revocation to trust.toml: from then on nothing that the key signs counts."""
    from jobs.approvals import approval_config
    from jobs.config import Config
    from jobs.keys import revoke

    at = _instant(revoked_at) if revoked_at else _now()
    trusted = revoke(approval_config(Config.load(config)).trust, key_id, at, reason)
    OUT.print(f"Key {key_id} of {trusted.name} ({trusted.role}) is revoked from {at:%Y-%m-%dT%H:%M:%SZ}.")
    OUT.print("What was recorded in the ledger before stays valid; `whimbrel ledger check` tells what does not.")


@approve_app.command(
    "plan", epilog="Example:  whimbrel approve plan --products od_trips/week --until 2027-03-31 --key keys/amina.pem"
)
def approve_plan(
    products: Annotated[str, typer.Option(help="With commas: od_trips/week, or od_trips for all its periods.")],
    until: Annotated[str, typer.Option(help="Last day, UTC, on which releases are approved under it.")],
    key: KeyOption,
    valid_from: Annotated[str | None, typer.Option("--from", help="First such day; default: today.")] = None,
    finest: Annotated[
        int | None, typer.Option(min=0, max=15, help="Finest H3 resolution; default: the policy's.")
    ] = None,
    passphrase_variable: PassphraseOption = None,
    yes: YesOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Sign a standing plan: routine releases of a policy, for a time.

    It never covers the first release of a product, a revision or anything of the emergency pool.
    """
    from jobs.approval_views import plan_view
    from jobs.approvals import plan_for

    desk = _desk(config)
    span = (_day(valid_from) if valid_from else _now().date(), _day(until))
    plan = plan_for(desk.policy, [name.strip() for name in products.split(",")], span, finest)
    signer = _signer(key, passphrase_variable)
    OUT.print(plan_view(plan, desk.policy))
    _sign(desk, plan, [signer], yes)


@approve_app.command("release", epilog="Example:  whimbrel approve release od_trips 2026-W10 --key keys/amina.pem")
def approve_release(
    product: ProductArgument,
    period: PeriodArgument,
    key: KeyOption,
    revision: RevisionOption = 1,
    rows: RowsOption = 15,
    passphrase_variable: PassphraseOption = None,
    yes: YesOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Look at one sealed release, and sign the digest of what was sealed."""
    from jobs.approval_views import approval_view
    from privacy.approval import applicant
    from privacy.ledger import ReleaseKey
    from privacy.unit import Period

    desk = _desk(config)
    made = desk.sealed(ReleaseKey(product, str(Period.parse(period)), revision))
    asking = applicant(made.key, desk.ledger.entries())
    signer = _signer(key, passphrase_variable)
    OUT.print(approval_view(made, asking, rows))
    _sign(desk, asking.statement, [signer], yes)


@approve_app.command("check", epilog="Example:  whimbrel approve check od_trips 2026-W10")
def approve_check(
    product: ProductArgument,
    period: PeriodArgument,
    revision: RevisionOption = 1,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Tell whether a sealed release has the signature that it needs; exit code 3: not yet. Nothing is recorded."""
    from jobs.approvals import approval_config, is_approved
    from privacy.ledger import ReleaseKey
    from privacy.unit import Period

    desk = _desk(config)
    key = desk.sealed(ReleaseKey(product, str(Period.parse(period)), revision)).key
    if is_approved(key, approval_config(desk.config), desk.storage.approvals, desk.ledger, _now()):
        OUT.print(f"{key} may be published.", highlight=False)
        return
    again = "" if revision == 1 else f" --revision {revision}"
    OUT.print(f"{key} waits for a DPO's signature:", highlight=False)
    OUT.print(f"whimbrel approve release {product} {period}{again} --key YOUR-KEY.pem", highlight=False, soft_wrap=True)
    raise typer.Exit(3)


@approve_app.command("show", epilog="Example:  whimbrel approve show")
def approve_show(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show everything that was signed, and what it is worth now."""
    from jobs.approval_views import statements_view
    from jobs.approvals import states

    desk, trust = _desk(config), _trust(config)
    OUT.print(statements_view(states(desk.storage.approvals, desk.ledger.entries(), trust, _now()), trust))


@emergency_app.command(
    "open",
    epilog="Example:  whimbrel emergency open cyclone-ana --key keys/amina.pem",
)
def emergency_open(
    event: Annotated[str, typer.Argument(help="Name of the event: lower-case letters, digits and hyphens.")],
    key: Annotated[list[Path], typer.Option("--key", help="Private key; give two, or one now and one later.")],
    onset: Annotated[str | None, typer.Option(help="Local day of its beginning; that of the list of events.")] = None,
    hazard: Annotated[str | None, typer.Option(help="One word: cyclone, flood; that of the list of events.")] = None,
    product: Annotated[str, typer.Option(help="What is released after it.")] = "displacement",
    passphrase_variable: PassphraseOption = None,
    yes: YesOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Sign the opening of the emergency pool for a listed event; the second person's signature opens it.

    Opening reserves the whole schedule of releases at once. Two people sign, one of them a DPO.
    """
    from jobs.approval_views import opening_view
    from jobs.approvals import opening_of, opening_statement
    from jobs.events import registry

    desk = _desk(config)
    listed = registry(desk.config).event(event)
    listed.require_told_alike(_day(onset) if onset else None, hazard)
    opening = opening_of(desk.policy, event, product, listed.onset, listed.area.sha256)
    desk.require_one_key_for(opening)
    statement = opening_statement(opening, listed.hazard)
    signers = [_signer(file, passphrase_variable) for file in key]
    affected = listed.homes(desk.zones)
    OUT.print(opening_view(opening, statement, desk.ledger.pools(desk.policy.caps), listed.facts(affected)))
    _sign(desk, statement, signers, yes)
    try:
        desk.open_event(opening, listed.hazard)
    except ApprovalError as error:
        if len(signers) > 1:
            raise
        OUT.print(str(error), markup=False, highlight=False, soft_wrap=True)
    else:
        OUT.print(f"Event {event} is open: its whole schedule is reserved.", highlight=False)


@emergency_app.command("check", epilog="Example:  whimbrel emergency check cyclone-ana --onset 2026-03-10 ...")
def emergency_check(
    event: Annotated[str, typer.Argument(help="An event of the list.")],
    onset: Annotated[str, typer.Option(help="Local day of its beginning.")],
    area: Annotated[str, typer.Option(help="Digest of the area, or its first 16 digits.")],
    signature: Annotated[list[str], typer.Option(help="What a signature was printed as; give two.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Refuse unless the event is open, and was opened like this; for whoever starts its releases from elsewhere."""
    from jobs.emergency_steps import Told, require_opened

    require_opened(_desk(config), event, Told(_day(onset), area, tuple(signature)))
    OUT.print(f"Event {event} is open, as told.", highlight=False)


@emergency_app.command("baseline", epilog="Example:  whimbrel emergency baseline cyclone-ana")
def emergency_baseline(
    event: Annotated[str, typer.Argument(help="An open event.")],
    config: ConfigOption = DEFAULT_CONFIG,
    engine: EngineOption = None,
) -> None:
    """Find where people lived before an open event; its releases do so themselves where it is not done."""
    from functools import partial

    from jobs.config import Config
    from jobs.emergency_steps import build_baseline
    from jobs.releases import Desk
    from jobs.session import open_session

    loaded = Config.load(config)
    configured = loaded if engine is None else loaded.with_engine(engine)
    with steps() as progress:
        build_baseline(Desk.of(configured), event, partial(open_session, configured.engine), progress)


@emergency_app.command("publish", epilog="Example:  whimbrel emergency publish cyclone-ana")
def emergency_publish(
    event: Annotated[str, typer.Argument(help="An open event.")], config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Publish every sealed release of an event that was approved; one that was not is named at the end."""
    from jobs.emergency_steps import publish_event

    with steps() as progress:
        bundles = publish_event(_desk(config), event, progress)
    OUT.print(*(bundle.folder for bundle in bundles), sep="\n", soft_wrap=True)


def _sign(desk: "Desk", statement: "Statement", signers: "Sequence[PrivateKey]", yes: bool) -> None:
    """Ask, sign with each key, and say whose signature it is."""
    from jobs.approvals import approval_config, sign_and_keep
    from privacy.approval import Trust

    trust = Trust.load(approval_config(desk.config).trust)
    _confirm(yes)
    for signer in signers:
        signed, person = sign_and_keep(desk.storage.approvals, statement, signer, trust, _now())
        OUT.print(
            f"Signed by {person.name} ({person.role}), key {person.key.id}: {signed.sha256[:16]}", highlight=False
        )


def _confirm(yes: bool) -> None:
    try:
        if yes or typer.confirm("Sign this?", err=True):
            return
    except typer.Abort:
        ERR.print()
    raise PrivacyError("Nothing was signed.", "yes", "repeat, and answer yes; or add --yes where nobody can answer")


def _desk(config: Path) -> "Desk":
    from jobs.config import Config
    from jobs.releases import Desk

    return Desk.of(Config.load(config))


def _trust(config: Path) -> "Trust":
    from jobs.approvals import approval_config
    from jobs.config import Config
    from privacy.approval import Trust

    return Trust.load(approval_config(Config.load(config)).trust)


def _signer(file: Path, variable: str | None) -> "PrivateKey":
    from privacy.signing import passphrase_in, read_private_key

    return read_private_key(file, passphrase_in(variable))


def _now() -> datetime:
    return datetime.now(UTC)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a day.", "YYYY-MM-DD", "write it as 2026-03-02") from error


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not an instant.", "2026-11-20T12:00:00Z", "write it so") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)

"""`whimbrel share`, `ledger shares`, `errata` and `catalogue`: what goes to whom, what is taken back, what there is."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from jobs.console import OUT, steps
from jobs.options import DEFAULT_CONFIG, ConfigOption, PeriodArgument, ProductArgument, RevisionOption

errata_app = typer.Typer(no_args_is_help=True, help="Withdraw or correct what was published, signed.")

AgreementArgument = Annotated[str, typer.Argument(help="Id of a sharing agreement: agreements/ID.toml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
KeyOption = Annotated[str | None, typer.Option("--key", help="The publisher's public key, its line or its .pub file.")]
TrustOption = Annotated[
    Path | None, typer.Option("--trust", help="The operator's trust.toml, where it was handed out.")
]


def share(
    agreement: AgreementArgument,
    product: ProductArgument,
    period: PeriodArgument,
    revision: RevisionOption = 1,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Make the part of a published release that an agreement lets through, recorded first; again: the same bytes."""
    from jobs.config import Config
    from jobs.releases import Desk
    from jobs.shares import agreement_of
    from jobs.shares import share as share_release
    from privacy.ledger import ReleaseKey
    from privacy.unit import Period

    desk = Desk.of(Config.load(config))
    terms = agreement_of(desk, agreement)
    with steps(agreement=agreement, product=product, period=period, revision=revision) as progress:
        progress(f"writing what {terms.recipient} may hold")
        bundle = share_release(desk, terms, ReleaseKey(product, str(Period.parse(period)), revision))
    OUT.print(f"{bundle.folder}\n{bundle.archive}", soft_wrap=True)


def ledger_shares(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show what was shared with whom, when, under which agreement."""
    from jobs.config import Config
    from jobs.releases import Desk
    from jobs.shares import shares_json, shares_view

    found = Desk.of(Config.load(config)).ledger.shares()
    if as_json:
        OUT.print_json(json.dumps(shares_json(found)))
    else:
        OUT.print(shares_view(found))


@errata_app.command(
    "issue",
    epilog="Example:  whimbrel errata issue od_trips_2026-W10_r1 --id e1 --status withdrawn --reason 'towers moved' "
    "--key keys/amina.pem",
)
def errata_issue(
    bundle: Annotated[str, typer.Argument(help="Name of a published bundle: od_trips_2026-W10_r1.")],
    identity: Annotated[str, typer.Option("--id", help="Short name, unique among the errata of the release.")],
    status: Annotated[Literal["withdrawn", "superseded", "corrected"], typer.Option(help="What has become of it.")],
    reason: Annotated[str, typer.Option(help="Why, in plain words; public.")],
    key: Annotated[Path, typer.Option("--key", help="Private key of a DPO or a publisher.")],
    superseded_by: Annotated[
        str | None, typer.Option(help="Name of the bundle to use instead, such as od_trips_2026-W10_r2.")
    ] = None,
    passphrase_variable: Annotated[
        str | None, typer.Option("--passphrase-variable", help="Environment variable that holds the key's passphrase.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Sign that a published release is withdrawn, superseded or corrected; the file is public, and is never undone."""
    from jobs.approvals import approval_config
    from jobs.config import Config
    from jobs.publish.errata import MAY_SIGN, erratum_about, keep_erratum
    from jobs.releases import Desk
    from privacy.approval import Trust
    from privacy.signing import passphrase_in, read_private_key, sign

    loaded = Config.load(config)
    for named in filter(None, (bundle, superseded_by)):
        Desk.of(loaded).require_published(named)
    signer = read_private_key(key, passphrase_in(passphrase_variable))
    Trust.load(approval_config(loaded).trust).signer(signer.public, MAY_SIGN, datetime.now(UTC))
    erratum = erratum_about(bundle, identity, status, reason, superseded_by)
    OUT.print(keep_erratum(loaded.sharing.errata, sign(erratum, signer)), soft_wrap=True, highlight=False)


@errata_app.command("show", epilog="Example:  whimbrel errata show errata --trust trust.toml")
def errata_show(
    errata: Annotated[Path, typer.Argument(help="A folder of errata, or one.")],
    key: KeyOption = None,
    trust: TrustOption = None,
) -> None:
    """Show errata and whose they are; needs nothing of the operator but its keys."""
    from jobs.keys import read_public_key
    from jobs.publish.errata import kept_errata, notices
    from privacy.approval import Trust

    public, trusted = read_public_key(key) if key else None, Trust.load(trust) if trust else None
    for notice in notices(kept_errata(errata), key=public, trust=trusted):
        OUT.print(notice.sentence, markup=False, highlight=False, soft_wrap=True)


def catalogue(
    release: Annotated[Path, typer.Argument(help="Folder of published bundles, folders or zips.")],
    out: Annotated[Path, typer.Option(help="Folder for index.html and catalogue.json.")] = Path("catalogue"),
    errata: Annotated[Path | None, typer.Option(help="Folder of errata, or one.")] = None,
    key: KeyOption = None,
    trust: TrustOption = None,
) -> None:
    """List what was published: a page without scripts and a JSON file, from verified bundles; needs no operator."""
    from jobs.keys import read_public_key
    from jobs.publish.catalogue.run import write_catalogue
    from privacy.approval import Trust

    public, trusted = read_public_key(key) if key else None, Trust.load(trust) if trust else None
    with steps() as progress:
        progress("verifying the bundles")
        files = write_catalogue(release, out, errata=errata, key=public, trust=trusted, progress=progress.note)
    OUT.print(*files, sep="\n", soft_wrap=True)


def register(app: typer.Typer, ledger_app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command("share", epilog="Example:  whimbrel share who-2026 od_trips 2026-W10")(share)
    app.command("catalogue", epilog="Example:  whimbrel catalogue release --out catalogue --trust trust.toml")(
        catalogue
    )
    app.add_typer(errata_app, name="errata")
    ledger_app.command("shares", epilog="Example:  whimbrel ledger shares --json")(ledger_shares)

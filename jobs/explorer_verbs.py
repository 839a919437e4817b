"""`whimbrel explore`: bundles as one page to look at."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.console import OUT, steps

explorer_app = typer.Typer()


@explorer_app.command(epilog="Example:  whimbrel explore release/*.zip --network network.csv --out explorer.html")
def explore(
    bundles: Annotated[list[Path], typer.Argument(help="Published bundles of one country, folders or zips.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("explorer.html"),
    network: Annotated[Path | None, typer.Option(help="A table that `whimbrel network` wrote.")] = None,
    boundaries_names: Annotated[
        Path | None, typer.Option(help="A CSV file with the columns zone and name, for zones without a name.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="The publisher's public key, its line or its .pub file.")] = None,
    trust: Annotated[Path | None, typer.Option(help="The operator's trust.toml, where it was handed out.")] = None,
) -> None:
    """Write one page that shows bundles over time, by zone and by pair; opens from a disk, needs no network.

    Bundles are verified first. Several periods and products of one country go onto one page.
    """
    from jobs.keys import read_public_key
    from jobs.publish.explorer.run import write_explorer
    from jobs.publish.situation.run import Keys
    from privacy.approval import Trust

    keys = Keys(read_public_key(key) if key else None, Trust.load(trust) if trust else None)
    with steps() as progress:
        progress(f"verifying {len(bundles)} bundle{'s' if len(bundles) > 1 else ''} and drawing the page")
        page = write_explorer(bundles, out, network=network, names=boundaries_names, keys=keys)
    OUT.print(page, soft_wrap=True)

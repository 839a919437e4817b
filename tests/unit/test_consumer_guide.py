"""The consumer guide and its example bundles: what it quotes is in them, and what it shows runs on them."""

import csv
import hashlib
import io
import json
import shlex
import zipfile
from pathlib import Path

import matplotlib as mpl
import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.keys import read_public_key
from jobs.publish.verify import verify_bundle
from tests.unit.test_docs import blocks, commands

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "consumer-guide.md"
BUNDLES = ROOT / "docs" / "examples" / "bundles"
RELOCATIONS = BUNDLES / "relocations_2026-04_r1.zip"


def member(bundle, name):
    with zipfile.ZipFile(bundle) as opened:
        return opened.read(f"{bundle.stem}/{name}")


@pytest.mark.parametrize("bundle", sorted(BUNDLES.glob("*.zip")), ids=lambda path: path.stem)
def test_an_example_bundle_is_verified_with_the_key_beside_it_and_is_synthetic(bundle):
    report = verify_bundle(bundle, key=read_public_key(str(BUNDLES / "publisher.pub")))
    assert report.card.synthetic


def test_the_example_bundles_are_small_enough_to_be_cloned_with_everything_else():
    assert sum(file.stat().st_size for file in BUNDLES.iterdir()) < 1_200_000
    assert {file.suffix for file in BUNDLES.iterdir()} == {".zip", ".pub"}


def test_the_row_that_the_guide_reads_is_the_surest_published_one_between_two_zones():
    rows = csv.DictReader(io.StringIO(member(RELOCATIONS, "relocations.csv").decode()))
    pairs = [row for row in rows if row["status"] == "published" and row["origin"] != row["destination"]]
    surest = min(pairs, key=lambda row: float(row["noise_sd"]) / float(row["value"]))
    shown = [line for line in GUIDE.read_text(encoding="utf-8").splitlines() if surest["origin"] in line]
    assert shown == [f"| {' | '.join(surest[name] for name in SHOWN)} |"]
    assert f"| {' | '.join(f'`{name}`' for name in SHOWN)} |" in GUIDE.read_text(encoding="utf-8")


SHOWN = ("origin", "destination", "value", "noise_sd", "ci_low", "ci_high", "status", "quality")


def test_the_citation_of_the_guide_is_that_of_the_bundle():
    card = json.loads(member(RELOCATIONS, "card.json"))
    digest = hashlib.sha256(member(RELOCATIONS, "SHA256SUMS")).hexdigest()
    (block,) = blocks(GUIDE, "json")
    cited = json.loads(block)
    assert cited["id"] == RELOCATIONS.stem
    assert cited["title"] == card["title"]
    assert cited["version"] == str(card["revision"])
    assert "-".join(f"{part:02}" for part in cited["issued"]["date-parts"][0]) == card["sealed_on"]
    assert cited["custom"] == {"definition_id": card["definition_id"], "sha256": digest, "synthetic": card["synthetic"]}
    text = " ".join(GUIDE.read_text(encoding="utf-8").replace("\n> ", " ").split())
    assert (
        f"Whimbrel, {card['title']}, revision {card['revision']} (`{RELOCATIONS.stem}`), {card['definition_id']}, "
        f"sealed {card['sealed_on']}, SHA-256 of SHA256SUMS `{digest}`." in text
    )


def test_the_recipe_for_geopandas_runs_on_an_unpacked_bundle(tmp_path, monkeypatch):
    with zipfile.ZipFile(BUNDLES / "residents_2026-03_r1.zip") as bundle:
        bundle.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(GUIDE, "python")
    names = {}
    with mpl.rc_context({"backend": "Agg"}):
        exec(block, names)
    drawn = names["zones"].merge(names["total"], on="zone")
    assert len(drawn) == len(names["total"]) > 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A reader's folder: the documents, and a census of three people a subscriber in each of the largest zones."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "docs").symlink_to(ROOT / "docs")
    rows = csv.DictReader(io.StringIO(member(BUNDLES / "residents_2026-03_r1.zip", "residents.csv").decode()))
    coarse = [row for row in rows if (row["resolution"], row["sex"], row["age_band"]) == ("4", "all", "all")]
    people = [f"{row['zone']},{max(1000, round(3 * float(row['value'])))}" for row in coarse]
    (folder / "census.csv").write_text("\n".join(["zone,population", *people]), encoding="utf-8")
    return folder


@pytest.mark.parametrize("command", commands(GUIDE))
def test_every_command_of_the_guide_runs_on_the_example_bundles(command, folder, monkeypatch):
    monkeypatch.chdir(folder)
    words = shlex.split(command)[1:]
    arguments = [found for word in words for found in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
    assert "*" not in " ".join(arguments)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    written = [Path(arguments[n + 1]) for n, word in enumerate(arguments) if word == "--out"]
    assert all(path.exists() for path in written)

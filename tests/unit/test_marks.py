"""What follows from bundles says, row by row, whether people are real and who should hold it."""

import csv
import json
from functools import cache

import pytest

from jobs.publish.adding.asked import Asked
from jobs.publish.adding.run import sums_of, write_sums
from jobs.publish.comparison_sources.run import write_comparison
from jobs.publish.drawn_zones import drawn_zones
from jobs.publish.indicators.run import write_indicators
from jobs.publish.marks import marks_of, narrowest
from jobs.publish.scaling.census import People, Population
from jobs.publish.scaling.page import write_representativeness
from jobs.publish.scaling.run import Stated, write_scaled
from schemas.errors import ConfigError
from tests.plans import CELLS, plan_of
from tests.readers import bounded_of, drawn, marked

MEANT = "restricted (for those who agreed with the operator on a purpose; not to be handed on)"


@cache
def moves():
    plan = plan_of("relocations")
    return drawn(plan, bounded_of(plan, {1 * len(CELLS) + 2: 900, 5 * len(CELLS) + 9: 700}), seed=3)


@cache
def stock():
    plan = plan_of("residents")
    people = {n * plan.n_sex * plan.n_age: 900 for n in range(len(CELLS))}
    return drawn(plan, bounded_of(plan, people), seed=3)


def census():
    return Population({cell: People(3_000.0) for cell in CELLS}, "census.csv")


def summed(of_moves, _, folder):
    write_sums(of_moves, sums_of(of_moves, Asked(level=4)), folder / "sums.csv")
    return folder / "sums.csv", None


def computed(of_moves, of_stock, folder):
    return write_indicators([of_moves, of_stock], folder / "indicators.csv")


def scaled(of_moves, of_stock, folder):
    told = {"national": False, "stated": Stated()}
    return write_scaled(of_moves, of_stock, census(), folder / "people.csv", **told)


def compared(of_moves, _, folder):
    pairs = [(CELLS[1], CELLS[2]), (CELLS[0], CELLS[3])]
    theirs = folder / "theirs.csv"
    theirs.write_text("\n".join(["origin,destination,movers", *(f"{a},{b},9" for a, b in pairs)]), encoding="utf-8")
    return write_comparison([of_moves], theirs, folder / "comparison.csv", source="census"), None


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


WRITERS = {"sum": summed, "indicators": computed, "scale": scaled, "compare": compared}


@pytest.mark.parametrize("verb", WRITERS)
@pytest.mark.parametrize(("sensitivity", "synthetic"), [("public", True), ("restricted", False)])
def test_every_row_of_a_derived_table_says_whether_it_is_synthetic_and_how_sensitive(
    verb, sensitivity, synthetic, tmp_path
):
    sources = (marked(one, sensitivity=sensitivity, synthetic=synthetic) for one in (moves(), stock()))
    table, notes = WRITERS[verb](*sources, tmp_path)

    assert read(table)
    for row in read(table):
        assert (row["synthetic"], row["sensitivity"]) == (str(synthetic).lower(), sensitivity)
    if notes:
        told = json.loads(notes.read_bytes())
        assert told["synthetic"] is synthetic
        assert {told["sensitivity"], *(one["sensitivity"] for one in told["sources"])} == {
            MEANT if sensitivity == "restricted" else "public (may be handed to anybody)"
        }


@pytest.mark.parametrize(("sensitivity", "synthetic"), [("public", True), ("restricted", False)])
def test_representativeness_is_marked_on_the_page_and_in_each_row(sensitivity, synthetic, tmp_path):
    source = marked(stock(), sensitivity=sensitivity, synthetic=synthetic)
    page, table = write_representativeness(source, census(), drawn_zones([source]), tmp_path)

    marks = {(row["synthetic"], row["sensitivity"]) for row in read(table)}
    assert marks == {(str(synthetic).lower(), sensitivity)}
    text = page.read_text(encoding="utf-8")
    assert (MEANT.capitalize() in text) == (sensitivity == "restricted")
    assert ("Synthetic data" in text) == synthetic


def test_what_follows_from_several_bundles_is_as_sensitive_as_the_most_sensitive_for_the_longest():
    public, soon, late, always = (
        marked(moves()),
        marked(moves(), sensitivity="restricted", until="2026-05-01"),
        marked(moves(), sensitivity="restricted", until="2026-10-01"),
        marked(moves(), sensitivity="restricted"),
    )
    assert marks_of([public, soon]) == marks_of([soon, public]) == {"synthetic": True, "sensitivity": "restricted"}
    assert narrowest([late, soon, public]).until == "2026-10-01"
    assert narrowest([late, always, soon]).until is None
    assert marks_of([public])["sensitivity"] == "public"


def test_a_comparison_names_our_release_by_its_digest(tmp_path):
    table, _ = compared(moves(), stock(), tmp_path)
    assert {(row["ours_release"], row["ours_sha256"]) for row in read(table)} == {
        (moves().card.slug, moves().report.sha256)
    }


@pytest.mark.parametrize("verb", ["indicators", "scale"])
@pytest.mark.parametrize("name", ["told.json", "told.JSON"])
def test_a_table_does_not_take_the_place_of_its_own_notes(verb, name, tmp_path):
    out = tmp_path / name
    with pytest.raises(ConfigError, match=r"a \.json file beside it.*name it told\.csv"):
        if verb == "scale":
            write_scaled(moves(), stock(), census(), out, national=False, stated=Stated())
        else:
            write_indicators([moves(), stock()], out)
    assert list(tmp_path.iterdir()) == []

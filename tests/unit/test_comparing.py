"""Numbers of others beside ours: what is read, what is compared, and what is refused."""

import csv
import io
from functools import cache

import h3
import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.publish.comparison_sources.run import COLUMNS, EVERYWHERE, write_comparison
from jobs.publish.comparison_sources.theirs import SOURCES, read_census_moves, read_dtm, read_prmn, week_of
from schemas.errors import BundleError, ConfigError, InputError
from tests.plans import CELLS, plan_of
from tests.readers import bounded_of, drawn

DTM = (
    "operation,admin0Name,admin0Pcode,admin1Name,admin1Pcode,admin2Name,admin2Pcode,numPresentIdpInd,reportingDate,"
    "roundNumber"
)
PRMN = (
    "Month End,Year Week,Current (Arrival) Region,Current (Arrival) District,Previous (Departure) Region,"
    "Previous (Departure) District,Reason,Number of Individuals"
)
WEEK = tuple(f"2026-04-{day:02}" for day in range(13, 20))


@cache
def away(period="2026-04-09"):
    plan = plan_of("displacement", period=period)
    n = len(CELLS)
    counts = {}
    for home in range(len(plan.homes)):
        for place in range(n):
            # at home the day before, away now, seen away in the night
            counts[((home * (n + 1) + place) * 9 + 1) * 6] = 2 * home + place % 5
    return drawn(plan, bounded_of(plan, {key: count for key, count in counts.items() if count}), seed=3)


def written(path, header, rows):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    return path


def dtm_rows(places, *, day="2026-04-10", number=1):
    return [("Flood", "Numenia", "NU", "North", "NU01", f"D {p}", p, 10 * n, day, number) for n, p in enumerate(places)]


def compared(bundles, file, tmp_path, **told):
    out = write_comparison(bundles, file, tmp_path / "out.csv", **told)
    return list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))


def lookup(tmp_path, level=6, at=5):
    """Places are the parents of our zones, under names of their own."""
    zones = sorted({h3.cell_to_parent(cell, level) for cell in CELLS})
    rows = [(zone, f"P-{h3.cell_to_parent(zone, at)}") for zone in zones]
    return written(tmp_path / "lookup.csv", "zone,place", rows), sorted({place for _, place in rows})


def test_people_away_stand_beside_a_round_of_dtm_with_difference_and_ratio(tmp_path):
    table, places = lookup(tmp_path)
    rows = compared(
        [away()], written(tmp_path / "dtm.csv", DTM, dtm_rows(places)), tmp_path, source="dtm", lookup=table
    )

    here = away().rows[lambda r: r["location"].notna() & r["home"].isna()]
    naive = here.groupby([f"P-{h3.cell_to_parent(zone, 5)}" for zone in here["location"]])["value"].sum()
    assert tuple(rows[0]) == COLUMNS
    assert [row["place"] for row in rows] == [*places, EVERYWHERE]
    for n, row in enumerate(rows[:-1]):
        assert float(row["ours"]) == pytest.approx(naive[row["place"]])
        assert float(row["theirs"]) == 10 * n
        assert float(row["difference"]) == pytest.approx(naive[row["place"]] - 10 * n)
        if n:
            assert float(row["ratio"]) == pytest.approx(naive[row["place"]] / (10 * n), abs=1e-5)
    assert rows[0]["not_available_because"] == "no ratio: theirs is zero"
    assert float(rows[-1]["ours"]) == pytest.approx(naive.sum())


def test_both_dates_and_both_definitions_stand_in_every_row(tmp_path):
    table, places = lookup(tmp_path)
    rows = compared(
        [away()], written(tmp_path / "dtm.csv", DTM, dtm_rows(places)), tmp_path, source="dtm", lookup=table
    )
    for row in rows:
        assert (row["ours_period"], row["theirs_date"], row["days_apart"]) == ("2026-04-09", "2026-04-10", "-1")
        assert row["ours_measure"] == "phone-based estimate of people away: subscribers"
        assert "Displacement Tracking Matrix" in row["theirs_measure"]
        assert row["why_they_differ"] == SOURCES["dtm"].differs
    assert not any("IDP" in row["ours_measure"] for row in rows)


def test_the_release_nearest_to_their_date_is_compared(tmp_path):
    table, places = lookup(tmp_path)
    bundles = [away(day) for day in ("2026-04-09", "2026-04-13", "2026-04-16")]
    file = written(tmp_path / "dtm.csv", DTM, dtm_rows(places, day="2026-04-12"))
    assert {row["ours_period"] for row in compared(bundles, file, tmp_path, source="dtm", lookup=table)} == {
        "2026-04-13"
    }


def test_a_row_of_tags_below_the_header_is_no_place(tmp_path):
    table, places = lookup(tmp_path)
    rows = [["#tag"] * 10, *dtm_rows(places)]
    assert len(read_dtm(written(tmp_path / "dtm.csv", DTM, rows)).counts) == len(places)
    assert table.exists()


BAD_DTM = {
    "two rounds": ([*dtm_rows(["A"]), *dtm_rows(["A"], number=2)], DTM, "mixes the rounds 1, 2"),
    "two dates": ([*dtm_rows(["A"]), *dtm_rows(["B"], day="2026-05-01")], DTM, "mixes reports of"),
    "a place twice": ([*dtm_rows(["A"]), *dtm_rows(["A"])], DTM, "rows twice: A"),
    "below zero": ([("F", "N", "NU", "X", "NU01", "D", "A", -4, "2026-04-10", 1)], DTM, "has -4 as numPresentIdpInd"),
    "a strange column": ([(*dtm_rows(["A"])[0], 1)], f"{DTM},households", "unknown columns households"),
    "no number column": ([("A", 1)], "admin1Pcode,roundNumber", "no column numPresentIdpInd, reportingDate"),
    "a date that is none": (dtm_rows(["A"], day="April"), DTM, "has April as reportingDate"),
}


@pytest.mark.parametrize("what", BAD_DTM)
def test_a_dtm_table_that_cannot_be_used_is_refused(what, tmp_path):
    rows, header, complaint = BAD_DTM[what]
    with pytest.raises(InputError, match=complaint):
        read_dtm(written(tmp_path / "dtm.csv", header, rows))


def test_one_round_can_be_chosen(tmp_path):
    file = written(tmp_path / "dtm.csv", DTM, [*dtm_rows(["A"]), *dtm_rows(["B"], number=2)])
    assert read_dtm(file, round_number="2").counts == {("B",): 0.0}
    with pytest.raises(ConfigError, match="no round '7'"):
        read_dtm(file, round_number="7")


def prmn_rows(places, week="2026 16"):
    return [("2026-04-30", week, "R", "Arrived", "R", p, reason, 5 + n)
            for n, p in enumerate(places) for reason in ("Flood", "Conflict")]  # fmt: skip


def test_departures_of_a_week_are_our_newly_away_of_its_seven_days_by_home(tmp_path):
    homes = sorted({home for home in away().rows["home"].dropna() if h3.get_resolution(home) == 6})
    table = written(
        tmp_path / "lookup.csv", "zone,place", [(home, f"District {n % 3}") for n, home in enumerate(homes)]
    )
    file = written(tmp_path / "prmn.csv", PRMN, prmn_rows([f"District {n}" for n in range(3)]))
    days = [away(day) for day in WEEK]

    rows = compared(days, file, tmp_path, source="prmn", lookup=table)
    short = compared(days[:5], file, tmp_path, source="prmn", lookup=table)

    naive = 0.0
    for one in days:
        left = one.rows[one.rows["location"].isna() & (one.rows["transition"] == "newly_away")]
        naive += left.loc[left["home"].isin(homes[::3]), "value"].sum()
    assert float(rows[0]["ours"]) == pytest.approx(naive)
    assert float(rows[0]["theirs"]) == 10
    assert rows[0]["ours_measure"].startswith("phone-based estimate of people newly away")
    assert rows[0]["ours_release"].split() == [one.card.slug for one in days]
    assert rows[0]["ours_sha256"].split() == [one.report.sha256 for one in days]
    assert {row["not_available_because"] for row in short} == {"5 of the week's 7 days were given"}


def test_weeks_are_read_as_people_write_them(tmp_path):
    for text in ("2026-W16", "2026 16", "202616", "2026/16"):
        assert str(week_of(text, tmp_path)) == "2026-W16"
    with pytest.raises(InputError, match="has week 99 as Year Week"):
        week_of("week 99", tmp_path)
    twice = written(tmp_path / "prmn.csv", PRMN, [*prmn_rows(["A"]), *prmn_rows(["A"])])
    with pytest.raises(InputError, match="rows twice"):
        read_prmn(twice)


@cache
def moves():
    plan, n = plan_of("relocations"), len(CELLS)
    return drawn(plan, bounded_of(plan, {1 * n + 2: 900, 5 * n + 9: 700}), seed=3)


def test_moves_of_a_census_stand_beside_rows_of_their_level_and_finer(tmp_path):
    roots = sorted({h3.cell_to_parent(cell, 4) for cell in CELLS})
    pairs = [(a, b, 1000) for a in roots for b in roots]
    rows = compared(
        [moves()], written(tmp_path / "c.csv", "origin,destination,movers", pairs), tmp_path, source="census"
    )

    ours = moves().rows[lambda r: r["origin"].notna()]
    for row in rows:
        inside = [
            h3.cell_to_parent(o, 4) == row["place"] and h3.cell_to_parent(d, 4) == row["place_to"]
            for o, d in zip(ours["origin"], ours["destination"], strict=True)
        ]
        if any(inside):
            assert float(row["ours"]) == pytest.approx(ours.loc[inside, "value"].sum())
        else:
            assert row["not_available_because"] == "no row of ours: below the cut, which is not zero"


def test_a_census_of_several_levels_or_dates_or_strange_codes_is_refused(tmp_path):
    header = "origin,destination,movers"
    mixed = written(tmp_path / "a.csv", header, [(CELLS[0], h3.cell_to_parent(CELLS[1], 4), 5)])
    strange = written(tmp_path / "b.csv", header, [("NU01", "NU02", 5)])
    dates = written(tmp_path / "c.csv", f"{header},date", [("A", "B", 5, "2020-01-01"), ("B", "A", 5, "2021-01-01")])
    with pytest.raises(InputError, match="zones of level 4 and 6"):
        compared([moves()], mixed, tmp_path, source="census")
    with pytest.raises(ConfigError, match=r"2 codes of .* are no zones"):
        compared([moves()], strange, tmp_path, source="census")
    with pytest.raises(InputError, match="mixes moves of"):
        read_census_moves(dates)
    with pytest.raises(BundleError, match="several releases"):
        compared([moves(), moves()], strange, tmp_path, source="census")


def test_places_that_are_no_zones_need_a_lookup(tmp_path):
    file = written(tmp_path / "dtm.csv", DTM, dtm_rows(["NU0101"]))
    with pytest.raises(ConfigError, match="give a table with columns zone and place as --lookup"):
        compared([away()], file, tmp_path, source="dtm")
    with pytest.raises(BundleError, match="nothing to compare with dtm"):
        compared([moves()], file, tmp_path, source="dtm")


def test_the_verb_refuses_a_source_that_it_does_not_know(tmp_path):
    result = CliRunner().invoke(app, ["compare", str(tmp_path), "--with", "x.csv", "--source", "wild"])
    assert result.exit_code == 2
    with pytest.raises(ConfigError, match="no source 'wild'"):
        compared([moves()], tmp_path, tmp_path, source="wild")

"""`whimbrel sum`: what is added, with which error, and what is refused."""

import csv
import io
from functools import cache

import h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from jobs.cli import app
from jobs.publish.adding.asked import Asked
from jobs.publish.adding.run import level_named, sums_csv, sums_of
from jobs.publish.released import one_released
from schemas.errors import ConfigError
from tests.plans import CELLS, n_keys, plan_of, possible
from tests.readers import DISK, bounded_of, bundle_in, drawn, gravity
from tests.unit.test_bundle_example import plan_for


@cache
def flat(product):
    plan = plan_of(product)
    keys = [key for key in range(n_keys(plan)) if possible(plan, key)]
    return drawn(plan, bounded_of(plan, {key: 7 * n % 90 for n, key in enumerate(keys)}), seed=4)


@cache
def trips():
    plan = plan_for(DISK)
    return drawn(plan, bounded_of(plan, gravity(plan, people=60_000)), seed=4)


def parent(zone, level=5):
    return h3.cell_to_parent(zone, level)


def test_residents_of_zones_add_up_by_parent_as_a_naive_sum_with_variances_added():
    bundle = flat("residents")
    rows = bundle.rows[(bundle.rows["resolution"] == 6) & (bundle.rows["sex"] == "all")]

    found = {one.labels["zone"]: one for one in sums_of(bundle, Asked(level=5)).sums}

    assert found.keys() == {parent(cell) for cell in CELLS}
    for zone, group in rows.groupby(rows["zone"].map(parent)):
        assert found[zone].value == pytest.approx(group["value"].sum())
        assert found[zone].sd == pytest.approx(np.sqrt((group["noise_sd"] ** 2).sum()))
        assert found[zone].rows == len(group)


@given(zones=st.sets(st.sampled_from(CELLS), min_size=1, max_size=8))
@settings(max_examples=12, deadline=None)
def test_the_sum_of_zones_does_not_depend_on_their_order_and_splits_into_parts(zones):
    bundle, listed = flat("active_subscribers"), sorted({parent(zone) for zone in zones})

    (whole,) = sums_of(bundle, Asked(zones=tuple(listed))).sums
    (backwards,) = sums_of(bundle, Asked(zones=tuple(reversed(listed)))).sums
    parts = [sums_of(bundle, Asked(zones=(zone,))).sums[0] for zone in listed]

    assert whole == backwards
    assert whole.value == pytest.approx(sum(part.value for part in parts))
    assert whole.sd**2 == pytest.approx(sum(part.sd**2 for part in parts))


def test_a_level_that_was_measured_itself_is_pointed_out():
    assert "was also measured at resolution 4 itself" in sums_of(flat("residents"), Asked(level=4)).notes[0]
    assert sums_of(flat("displacement"), Asked(level=5)).notes == ()  # pairs alone are of that level
    assert sums_of(flat("presence"), Asked(level=5)).notes == ()


def test_a_sum_of_strata_is_one_breakdown_alone():
    bundle = flat("residents")
    coarse = tuple(sorted({parent(cell, 4) for cell in CELLS}))

    by_stratum = sums_of(bundle, Asked(zones=coarse)).sums
    women = sums_of(bundle, Asked(zones=coarse, where={"sex": "female"}, over=("age_band",))).sums

    kinds = {(one.labels["sex"] == "all", one.labels["age_band"] == "all") for one in by_stratum}
    assert kinds == {(True, True), (False, False)}  # zones alone, and zones by both; never a mixture
    (one,) = women
    ages = [s for s in by_stratum if s.labels["sex"] == "female"]
    assert one.value == pytest.approx(sum(age.value for age in ages))
    assert one.rows == sum(age.rows for age in ages)


def test_who_is_away_is_the_sum_of_three_transitions():
    bundle = flat("displacement")
    rows = bundle.rows
    home = rows["home"].dropna().iloc[0]
    level = h3.get_resolution(home)

    asked = Asked(zones=(home,), where={"status": "away", "sight": "all"}, over=("transition",))
    (found,) = [one for one in sums_of(bundle, asked).sums if not one.labels["location"]]

    naive = rows[(rows["home"] == home) & rows["location"].isna() & (rows["status"] == "away")]
    assert level == naive["home_resolution"].iloc[0]
    assert found.rows == 3
    assert found.value == pytest.approx(naive["value"].sum())


REFUSED = {
    "two levels": ("residents", Asked(zones=(CELLS[0], parent(CELLS[1]))), "two breakdowns"),
    "a level without rows": ("active_subscribers", Asked(zones=CELLS[:2]), "No row is of resolution 6"),
    "a strange zone": ("residents", Asked(zones=("8684d2ba7ffffff",)), "1 codes of --zones are no zones"),
    "bins of a day": ("presence", Asked(level=5, over=("bin_start_h",)), "would count twice"),
    "a strange column": ("residents", Asked(level=5, where={"colour": "red"}), "no column 'colour'"),
    "a strange label": ("residents", Asked(level=5, where={"sex": "f"}), "No row has sex 'f'"),
    "nothing said": ("residents", Asked(), "not said what to add"),
    "a level of no zones": (
        "residents", Asked(level=9),
        r"^Rows of resolution 6 do not add up to resolution 9\. Expected: a coarser level: 4 or 5\.",
    ),
    "nothing coarser": (
        "residents", Asked(level=5, where={"sex": "female"}),
        "Rows of resolution 4 do not add up to resolution 5.* a coarser level: there is none",
    ),
    "labels that never meet": (
        "displacement", Asked(level=5, where={"transition": "newly_away", "status": "home"}), "No row is left to add",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_must_not_be_added_is_refused_with_the_reason(what):
    product, asked, reason = REFUSED[what]
    with pytest.raises(ConfigError, match=reason):
        sums_of(flat(product), asked)


def test_rows_of_pairs_add_up_to_the_country_with_their_remainder():
    bundle = trips()
    (found,) = sums_of(bundle, Asked()).sums
    assert found.value == pytest.approx(bundle.rows["value"].sum())
    assert found.rows == len(bundle.rows)


def test_every_row_of_pairs_is_within_out_of_into_or_outside_a_set_of_zones_or_told_beside_it():
    """An independent reading: by base cells."""
    bundle, area = trips(), tuple(sorted({parent(cell, 5) for cell in DISK[:40]}))
    inside = {cell for cell in DISK if parent(cell) in area}

    found = {one.labels["flow"]: one for one in sums_of(bundle, Asked(zones=area)).sums}

    naive = {"within": 0.0, "out": 0.0, "in": 0.0}
    for origin, destination, value in bundle.rows[["origin", "destination", "value"]].itertuples(index=False):
        if origin is None:
            continue
        ends = [{cell for cell in DISK if parent(cell, h3.get_resolution(end)) == end} for end in (origin, destination)]
        kinds = ["in" if end <= inside else "not" if not end & inside else "part" for end in ends]
        flow = {("in", "in"): "within", ("in", "not"): "out", ("not", "in"): "in"}.get(tuple(kinds))
        if flow:
            naive[flow] += value
    assert {flow: one.value for flow, one in found.items()} == pytest.approx(naive)
    assert any(one.may_also_rows for one in found.values())


def test_pairs_by_level_hold_each_finer_row_once_and_tell_what_coarser_rows_may_add():
    bundle = trips()
    sums = sums_of(bundle, Asked(level=5)).sums
    fine = bundle.rows[bundle.rows["res_from"] >= 5]

    assert sum(one.value for one in sums) == pytest.approx(fine["value"].sum())
    coarse = bundle.rows[bundle.rows["res_from"] == 4].set_index(["origin", "destination"])["value"]
    for one in sums:
        above = parent(one.labels["origin"], 4), parent(one.labels["destination"], 4)
        assert one.may_also_hold == pytest.approx(coarse.get(above, 0.0))


def test_a_sum_without_a_row_has_a_reason_and_no_zero():
    plan = plan_for(DISK)
    bundle = drawn(plan, bounded_of(plan, {5: 900}), seed=4)
    far = tuple(cell for cell in DISK if parent(cell, 4) not in {parent(z, 4) for z in bundle.rows["origin"].dropna()})

    rows = list(csv.DictReader(io.StringIO(sums_csv(bundle, sums_of(bundle, Asked(zones=far))).decode())))

    (out,) = [row for row in rows if row["flow"] == "out"]
    assert (out["value"], out["ci_high"], out["rows"]) == ("", "", "0")
    assert out["not_available_because"] == "no row: below the cut, which is not zero"


def test_the_parent_of_the_finest_level_is_the_level_above_it():
    assert level_named("parent", flat("residents")) == 5
    assert level_named("4", flat("residents")) == 4
    with pytest.raises(ConfigError, match="no level to add up to"):
        level_named("up", flat("residents"))


def test_the_table_says_value_interval_rows_and_definition():
    bundle = flat("residents")
    (row, *_) = csv.DictReader(io.StringIO(sums_csv(bundle, sums_of(bundle, Asked(level=4))).decode()))
    value, sd = float(row["value"]), float(row["noise_sd"])
    assert float(row["ci_low"]) == pytest.approx(value - 1.959964 * sd, abs=1e-4)
    assert row["definition_id"] == bundle.card.definition_id
    assert "may_also_hold" not in row


def test_the_verb_verifies_adds_and_writes_the_same_bytes_each_time(tmp_path):
    folder = bundle_in(tmp_path, "residents", {0: 900, 60: 40})
    out = tmp_path / "sums.csv"

    def run():
        result = CliRunner().invoke(
            app, ["sum", str(folder), "--by", "parent", "--out", str(out)], catch_exceptions=False
        )
        assert result.exit_code == 0
        return out.read_bytes()

    first = run()
    assert run() == first
    assert len(first.splitlines()) == 1 + len({parent(cell) for cell in CELLS})
    assert one_released(folder).product == "residents"
    shown = CliRunner().invoke(app, ["sum", str(folder), "--by", "4"]).output
    assert "residents, 2026-03, residents/1, synthetic, restricted" in " ".join(shown.split())
    both = CliRunner().invoke(app, ["sum", str(folder), "--by", "4", "--zones", "x"])
    assert isinstance(both.exception, ConfigError)

"""A month's report says what the month's bundles say, what is missing from them, and the same every time."""

import base64
import hashlib
import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from html.parser import HTMLParser
from math import hypot, sqrt
from pathlib import Path
from unittest.mock import patch

import h3
import numpy as np
import pandas as pd
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from jobs.cli import app
from jobs.publish.bundle import bundle_files
from jobs.publish.card import read_card
from jobs.publish.country import whole_of
from jobs.publish.drawn_zones import drawn_zones
from jobs.publish.indicators.intensity import MOST_UNPLACED
from jobs.publish.indicators.moves import moves_of
from jobs.publish.monthly.figures import Balances, breaks_in, figures_of, flows_of
from jobs.publish.monthly.languages import WORDS
from jobs.publish.monthly.page import page_html
from jobs.publish.monthly.pictures import apart, classes_of
from jobs.publish.monthly.reading import TOLD, MonthBundle, one_of_each_release, read_month
from jobs.publish.monthly.report import report_pdf, report_sheets
from jobs.publish.monthly.run import report_of_bundles, write_report
from jobs.publish.monthly.telling import report_of
from jobs.publish.paper.catalogue import each_text
from jobs.publish.situation.estimate import Estimate, Share
from jobs.publish.situation.geometry import ground_of
from privacy.unit import PrivacyMonth
from schemas.errors import BundleError, ConfigError
from tests.approvals import clearance_for, key_of
from tests.boundaries import by_unit
from tests.papers import assert_well_set
from tests.readers import drawn
from tests.unit import test_bundle_example
from tests.unit.test_admin_bundle import CELLS as COAST
from tests.unit.test_admin_bundle import exact, units
from tests.unit.test_bundle_example import plan_for
from tests.unit.test_product_bundles import files_of, written

ROOT = Path(__file__).parents[2]
MONTH = PrivacyMonth.parse("2026-03")
ENGLISH = WORDS["en"]
PRODUCTS = ("residents", "presence", "home_visits", "relocations", "churn", "active_subscribers")
HOSTILE = '<script>alert("x")</script> & $\\frac$'
PAIR = ("origin", "destination")
CODE = re.compile(r"\b[0-9a-f]{15}\b")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("release")
    made = [written(root / product, files_of(product), product) for product in PRODUCTS]
    plan = replace(test_bundle_example.plan_for(test_bundle_example.coast(6)), country="Numenia")
    with patch.object(test_bundle_example, "plan_for", lambda _: plan):
        release = test_bundle_example.example_release.__wrapped__(radius=6)
    return [
        *made,
        written(root / "od_trips", bundle_files(release, clearance_for(release)), "od_trips", release.card["period"]),
    ]


@pytest.fixture(scope="module")
def bundles(folders):
    return read_month(folders, MONTH)


@pytest.fixture(scope="module")
def figures(bundles):
    return figures_of(bundles)


@pytest.fixture(scope="module")
def told(bundles):
    """The report in a language, made once."""
    return cache(lambda language="en": report_of_bundles(bundles, WORDS[language], keys_known=False))


@pytest.fixture(scope="module")
def page(told):
    return page_html(told()).decode()


class Reader(HTMLParser):
    """Elements and texts of a page."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self._open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if data.strip() and "style" not in self._open:
            self.texts.append(" ".join(data.split()))


def rows_in(folders, product):
    (folder,) = (one for one in folders if one.name == product)
    return pd.read_csv(folder / f"{product}.csv", keep_default_na=False, na_values=[""])


def summed(rows):
    return rows["value"].sum(), sqrt((rows["noise_sd"] ** 2).sum())


# The numbers are the bundles'


def test_residents_of_the_country_are_the_sum_of_its_coarsest_zones_and_not_of_more_rows_of_strata(folders, figures):
    rows = rows_in(folders, "residents")
    coarsest = rows[(rows["resolution"] == rows["resolution"].min()) & (rows["sex"] == "all")]
    value, sd = summed(coarsest[coarsest["age_band"] == "all"])
    assert (figures.residents.whole.value, figures.residents.whole.sd) == (pytest.approx(value), pytest.approx(sd))


def test_a_row_of_the_country_goes_before_sums_and_a_breakdown_is_added_up_only_where_nothing_else_is():
    columns = ["zone", "resolution", "sex", "value", "noise_sd"]
    strata = [(None, np.nan, "female", 60.0, 3.0), (None, np.nan, "male", 45.0, 4.0)]
    zones = [("z", 4.0, "all", 100.0, 2.0), ("y", 5.0, "all", 98.0, 9.0)]
    own = [(None, np.nan, "all", 101.0, 1.0)]
    tables = (strata, strata + zones, strata + zones + own)
    found = [whole_of(pd.DataFrame(rows, columns=columns)) for rows in tables]
    assert found == [Estimate(105.0, 5.0), Estimate(100.0, 2.0), Estimate(101.0, 1.0)]


def test_the_pyramid_holds_every_stratum_and_names_those_that_are_not_held(folders, figures):
    rows = rows_in(folders, "residents")
    strata = rows[rows["zone"].isna()].set_index(["sex", "age_band"])
    assert {key: number.value for key, number in figures.residents.strata.items()} == pytest.approx(
        strata["value"].to_dict()
    )
    lost = [number for key, number in strata["value"].items() if "not available" in key]
    assert figures.residents.without_strata.value == pytest.approx(sum(lost))


def test_presence_by_time_is_the_sum_of_the_coarsest_zones(folders, figures):
    rows = rows_in(folders, "presence")
    rows = rows[(rows["sim_country"] == "all") & (rows["resolution"] == rows["resolution"].min())]
    expected = {start: summed(group) for start, group in rows.groupby("bin_start_h")}
    found = {start: (number.value, number.sd) for start, number in figures.presence.items()}
    assert found == {start: pytest.approx(pair) for start, pair in expected.items()}


def test_churn_and_active_subscribers_are_the_rows_of_the_country(folders, figures):
    churn, active = rows_in(folders, "churn"), rows_in(folders, "active_subscribers")
    whole = churn[churn["zone"].isna()].set_index("change")["value"]
    assert figures.churn.appeared.value == pytest.approx(whole["appeared"])
    assert figures.churn.fell_silent.value == pytest.approx(whole["fell_silent"])
    assert figures.active[date(2026, 3, 4)].value == pytest.approx(active.loc[active["zone"].isna(), "value"].item())


def test_the_total_of_trips_is_that_of_all_rows_and_its_error_less_than_the_remainders(folders, figures):
    rows = rows_in(folders, "od_trips")
    assert figures.trips.total.value == pytest.approx(rows["value"].sum())
    is_remainder = rows["status"] == "remainder"
    remainder, (_, of_rows) = rows.loc[is_remainder].iloc[0], summed(rows[~is_remainder])
    assert figures.trips.total.sd == pytest.approx(remainder["noise_sd"] - of_rows)
    assert figures.trips.remainder.value == pytest.approx(remainder["value"])


def pairs(*rows):
    columns = ["origin", "destination", "value", "noise_sd", "status"]
    return pd.DataFrame([*rows, (None, None, 50.0, 30.0, "remainder")], columns=columns)


@given(
    weeks=st.lists(
        st.dictionaries(
            st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")),
            st.tuples(st.floats(1, 1e4), st.floats(0.1, 50)),
            max_size=8,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_flow_is_the_mean_of_the_weeks_and_is_told_only_where_every_week_has_a_row(weeks):
    found = flows_of([pairs(*((*pair, *n, "published") for pair, n in week.items())) for week in weeks], 100)
    common = set.intersection(*(set(week) for week in weeks))
    expected = {
        pair: (sum(w[pair][0] for w in weeks) / len(weeks), hypot(*(w[pair][1] for w in weeks)) / len(weeks))
        for pair in common
    }
    assert {(f.origin, f.destination): (f.mean.value, f.mean.sd) for f in found.flows} == {
        pair: pytest.approx(number) for pair, number in expected.items()
    }
    assert found.n_held == len(common)
    assert found.n_some == len(set().union(*weeks)) - len(common)
    lows = [flow.mean.ci_low for flow in found.flows]
    assert lows == sorted(lows, reverse=True)


def test_rows_that_hold_a_rest_are_no_flows():
    week = pairs(("a", "b", 100.0, 5.0, "published"), ("A", "B", 900.0, 5.0, "residual"))
    assert [flow.origin for flow in flows_of([week], 10).flows] == ["a"]
    assert flows_of([week], 10).total.value == pytest.approx(1_050.0)


def test_moves_in_and_out_are_those_of_rows_between_coarse_zones(folders, figures):
    rows = rows_in(folders, "relocations").query("status != 'remainder'")
    balance = {one.zone: one for one in figures.balances.zones}
    level = int(rows["res_from"].min())
    ends = [rows[end].map(lambda zone: h3.cell_to_parent(zone, level)) for end in PAIR]
    assert balance
    for zone, one in balance.items():
        leaving = rows[(ends[0] == zone) & (ends[1] != zone)]
        if one.left is None:
            assert leaving.empty
        else:
            assert one.left.value == pytest.approx(leaving["value"].sum())


def test_sums_of_moves_have_the_errors_that_indicators_give_them(bundles, figures):
    released = bundles.of("relocations")[0].released
    moves = moves_of(released, drawn_zones([released]), min(released.card.resolutions))
    for one in figures.balances.zones:
        n = moves.zones.index(one.zone)
        told = {weights.tobytes(): number for weights, number in (
            (moves.into[n], one.arrived), (moves.out_of[n], one.left), (moves.into[n] - moves.out_of[n], one.net),
        ) if number}  # fmt: skip
        assert told
        for weights, number in told.items():
            assert number.sd == moves.errors.sd_of(np.frombuffer(weights))


def test_a_net_is_told_only_where_few_moves_are_in_no_zone_as_indicators_have_it(bundles, figures):
    few, many = (Balances(figures.balances.zones, share) for share in (MOST_UNPLACED, MOST_UNPLACED + 0.01))
    for balances in (few, many):
        made = report_from(bundles, replace(figures, balances=balances))
        table = made.balances
        assert (ENGLISH.net in table.heads) == balances.net_is_told == (table.note == "")
        assert {len(row) for row in table.rows} == {len(table.heads)}
        shown = page_html(made).decode(), " ".join(report_sheets(made)[1].texts)
        assert all(text.count("larger direction") == (0 if balances.net_is_told else 1) for text in shown)
    assert "21 % of the relocations" in table.note


def report_from(bundles, figures):
    return report_of(bundles, figures, ground_of(bundles.zones), ENGLISH, keys_known=False)


def test_relocations_between_administrative_units_have_balances_too(bundles):
    plan = by_unit(plan_for(COAST), units())
    trips = drawn(plan, exact(plan)[0], seed=1)
    card = trips.card.model_copy(update={"product": "relocations"})
    report = replace(bundles.of("relocations")[0].report, card=card)
    one = MonthBundle(report, trips.rows, tuple(trips.zones["features"]))
    found = figures_of(replace(bundles, bundles=(one,))).balances
    inside = dict(zip(units().at(2), units().at(1), strict=True))
    rows = trips.rows[trips.rows["status"] != "remainder"]
    came = rows[
        [inside.get(a, a) != inside.get(b, b) for a, b in zip(rows["origin"], rows["destination"], strict=True)]
    ]
    came = came.groupby(came["destination"].map(lambda zone: inside.get(zone, zone)))["value"].sum()
    assert {z.zone: z.arrived.value for z in found.zones if z.arrived} == pytest.approx(came.to_dict())


def test_a_day_that_differs_clearly_from_the_others_is_a_break_and_noise_is_none():
    days = {date(2026, 3, 2) + timedelta(days=n): Estimate(1_000.0, 20.0) for n in range(7)}
    assert breaks_in(days) == ()
    broken = days | {date(2026, 3, 5): Estimate(600.0, 20.0)}
    assert breaks_in(broken) == (date(2026, 3, 5),)
    assert breaks_in(days | {date(2026, 3, 5): Estimate(600.0, 200.0)}) == ()
    assert breaks_in({}) == ()


# What is said of the data


def test_missing_days_weeks_and_products_are_said(folders, told):
    text = " ".join(t for note in told().notes for t in note.texts)
    assert "Active subscribers: 1 of 28 days were released." in text
    assert "Missing: 2026-03-02 to 2026-03-03; 2026-03-05 to 2026-03-29." in text
    assert "Presence by time of day: 1 of 4 weeks were released. Missing: 2026-W11; 2026-W12; 2026-W13." in text
    assert ENGLISH.missing_none in text
    few = report_of_bundles(read_month([folders[0]], MONTH), ENGLISH, keys_known=False)
    text = " ".join(t for note in few.notes for t in note.texts)
    assert "and so not told: Trips between zones; Presence by time of day; Visits by zone of home" in text
    assert few.flows.rows == ()
    assert [chart.drawing for chart in few.charts] == [None, None]
    assert [figure.trust for figure in few.key_figures][1:] == ["not released"] * 3


def test_of_two_revisions_the_later_is_told_and_the_other_named(bundles):
    first = bundles.of("residents")[0]
    card = first.card.model_copy(update={"revision": 2})
    second = replace(first, report=replace(first.report, card=card, sha256="2" * 64))
    for order in ([first, second], [second, first]):
        found = one_of_each_release(order, MONTH)
        assert found.bundles == (second,)
        notes = " ".join(t for note in report_of_bundles(found, ENGLISH, keys_known=False).notes for t in note.texts)
        assert "of the same release is told: residents_2026-03_r1" in notes
        assert "later revision than the first: residents_2026-03_r2" in notes


def test_bundles_of_two_operators_are_refused_and_of_two_keys_of_one_the_other_is_named(bundles):
    first = bundles.of("residents")[0]
    other = replace(first, report=replace(first.report, signer=key_of("Amina").public, sha256="f" * 64))
    with pytest.raises(BundleError, match=r"signed by different keys.*operator by operator"):
        one_of_each_release([first, other], MONTH)
    found = one_of_each_release([first, other], MONTH, trusted=True)
    assert (found.bundles, found.superseded) == ((other,), ("residents_2026-03_r1",))
    assert one_of_each_release([first, first], MONTH).superseded == ()


def test_releases_of_single_days_are_no_weeks_and_have_parameters_of_their_own(bundles, told):
    week = bundles.of("od_trips")[0]
    privacy = week.card.privacy.model_copy(update={"publish_sigma": 9.5})
    card = week.card.model_copy(update={"period": "2026-03-29", "privacy": privacy})
    day = replace(week, report=replace(week.report, card=card, sha256="d" * 64))
    both = replace(bundles, bundles=(*bundles.bundles, day))
    assert both.weekly("od_trips") == bundles.of("od_trips")
    made = report_of_bundles(both, ENGLISH, keys_known=False)
    assert (made.flows, made.visits) == (told().flows, told().visits)
    assert made.flows.more.startswith("Trips in the one week released")
    rows = [row for row in made.parameters.rows if row[0] == ENGLISH.products["od_trips"]]
    assert [(row[2], row[4]) for row in rows] == [("1 day", "9.5"), ("1 week", f"{week.card.cut:.1f}")]


def test_an_empty_release_says_that_no_pair_stands_above_the_cut(bundles):
    trips = bundles.of("od_trips")[0]
    empty = replace(trips, rows=trips.rows[trips.rows["status"] == "remainder"])
    made = report_of_bundles(replace(bundles, bundles=(empty,)), ENGLISH, keys_known=False)
    assert made.flows.rows == ()
    assert ENGLISH.flows_none in page_html(made).decode()
    assert ENGLISH.balances_none in page_html(made).decode()
    assert ENGLISH.map_nothing in {view.drawing.description for view in made.maps}


def test_every_level_and_loss_of_the_parameters_is_the_cards(bundles, told):
    rows = {row[0]: row for row in told().parameters.rows}
    assert set(rows) == {ENGLISH.products[product] for product in TOLD}
    card = bundles.of("relocations")[0].card
    row = rows["Relocations"]
    levels = sorted((note.resolution, note.sigma) for note in card.privacy.levels)
    assert row[3] == "; ".join(f"{level}: {sigma:.1f}" for level, sigma in levels)
    assert row[-3:] == (
        f"{card.privacy.claimed_micro_rho / 1e6:.4f}",
        *(f"{at.epsilon:.2f}" for at in card.privacy.epsilon),
    )


def test_what_no_row_shows_is_told_with_its_interval(figures, told):
    (below,) = [note for note in told().notes if note.title == ENGLISH.below]
    trips = figures.trips
    share = Share(trips.remainder.value / trips.total.value, trips.remainder.sd / trips.total.value)
    assert ENGLISH.locale.shared(share) in below.texts[0]
    assert below.texts[-1] == ENGLISH.below_absence


def test_every_number_of_a_zone_is_explained_by_its_place_and_code_on_page_and_second_sheet(figures, told):
    report = told()
    flows = (*figures.trips.flows, *figures.visits.flows)
    used = {
        *(end for flow in flows for end in (flow.origin, flow.destination)),
        *(b.zone for b in figures.balances.zones),
    }
    codes = {CODE.search(line)[0]: int(line.split(" ")[0]) for line in report.key}
    assert codes.keys() == used
    assert sorted(codes.values()) == list(range(1, len(used) + 1))
    latitude, longitude = h3.cell_to_latlng(figures.balances.zones[0].zone)
    (line,) = (one for one in report.key if figures.balances.zones[0].zone in one)
    assert f"{abs(latitude):.1f}" in line
    assert f"{abs(longitude):.1f}" in line
    assert {" ".join(one.split()) for one in report.key} <= set(Reader(page_html(report).decode()).texts)
    assert set(report.key) <= set(report_sheets(report)[1].texts)


def test_who_points_at_a_zone_reads_its_code(figures, told):
    tips = " ".join(Reader(page_html(told()).decode()).texts)
    assert set(figures.residents.zones) <= set(CODE.findall(tips))


def test_the_sources_name_every_bundle_with_its_digest(bundles, told):
    sources = told().sources
    for bundle in bundles.bundles:
        assert any(bundle.card.slug in line and bundle.report.sha256 in line for line in sources)


# What is refused


def test_a_month_without_bundles_is_refused_with_the_months_that_there_are(folders, tmp_path):
    with pytest.raises(ConfigError, match=r"None of 7 bundles is of 2026-02.*these are of 2026-03"):
        write_report(folders, PrivacyMonth.parse("2026-02"), tmp_path / "out")
    with pytest.raises(ConfigError, match="None of 0 bundles"):
        read_month([], MONTH)
    assert not (tmp_path / "out").exists()


def test_bundles_of_other_months_are_left_aside(folders, tmp_path):
    later = written(tmp_path / "later", files_of("displacement"), "displacement")
    assert len(read_month([*folders, later], MONTH).bundles) == len(folders)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"synthetic": False}, "one is synthetic"), ({"country": "Elsewhere"}, "different countries")],
)
def test_bundles_of_two_kinds_or_countries_are_refused(bundles, change, complaint):
    first, second, *_ = bundles.bundles
    other = replace(second, report=replace(second.report, card=second.card.model_copy(update=change)))
    with pytest.raises(BundleError, match=complaint):
        one_of_each_release([first, other], MONTH)


def test_a_card_of_a_later_schema_is_refused():
    card = files_of("residents")["card.json"]
    with pytest.raises(BundleError, match=r"schema version 2.*at most 1.*later version of Whimbrel"):
        read_card(card.replace(b'"schema_version": 1', b'"schema_version": 2'))


def test_a_bundle_that_was_altered_is_refused_and_nothing_is_written(folders, tmp_path):
    forged = tmp_path / "residents"
    forged.mkdir()
    for path in folders[0].iterdir():
        (forged / path.name).write_bytes(path.read_bytes())
    (forged / "residents.csv").write_bytes((forged / "residents.csv").read_bytes()[:-20])
    with pytest.raises(BundleError, match=r"residents\.csv was altered"):
        write_report([forged], MONTH, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_refuses_an_unknown_language_and_a_month_that_is_none(folders, tmp_path):
    for arguments, complaint in ((["--month", "2026-03", "--language", "de"], "de"), (["--month", "March"], "March")):
        result = CliRunner().invoke(app, ["report", str(folders[0]), *arguments, "--out", str(tmp_path / "out")])
        assert complaint in str(result.exception)
    assert not (tmp_path / "out").exists()


# Page and paper


def test_the_page_is_self_contained_and_runs_nothing(page):
    assert not re.search(r"https?:|//|url\((?!#)|@import|javascript:", page.replace("<!DOCTYPE html>", ""))
    reader = Reader(page)
    assert not {tag for tag, _ in reader.elements} & {"script", "link", "img", "iframe", "object", "form", "base", "a"}
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [m["content"] for tag, m in reader.elements if tag == "meta" and "http-equiv" in m]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert 'style="' not in page


def test_what_a_bundle_says_is_escaped(bundles):
    cards = [b.card.model_copy(update={"country": HOSTILE}) for b in bundles.bundles]
    made = tuple(
        replace(b, report=replace(b.report, card=card)) for b, card in zip(bundles.bundles, cards, strict=True)
    )
    report = report_of_bundles(replace(bundles, bundles=made), ENGLISH, keys_known=False)
    reader = Reader(page_html(report).decode())
    assert "script" not in {tag for tag, _ in reader.elements}
    assert HOSTILE in reader.texts
    assert len(pypdf.PdfReader(io.BytesIO(report_pdf(report))).pages) == 2


def test_every_id_is_unique_and_every_picture_is_described(page):
    elements = Reader(page).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    pictures = [attributes for tag, attributes in elements if tag == "svg" and attributes.get("role") == "img"]
    assert len(pictures) == 5
    assert all(set(one["aria-labelledby"].split()) <= set(ids) for one in pictures)


UNMARKED = ("language", "name", "direction", "thousands", "decimal", "compass", "list_separator", "first_of_month")


def test_every_word_of_page_and_sheets_comes_from_the_catalogue(bundles):
    def mark(text):
        return f"⟦{text}⟧"

    kept = {name: getattr(ENGLISH.locale, name) for name in UNMARKED}
    locale = replace(each_text(ENGLISH.locale, mark), **kept)
    country = {"country": "⟦Numenia⟧"}
    made = tuple(replace(b, report=replace(b.report, card=b.card.model_copy(update=country))) for b in bundles.bundles)
    words = replace(each_text(ENGLISH, mark), locale=locale)
    report = report_of_bundles(replace(bundles, bundles=made), words, keys_known=False)
    reader = Reader(page_html(report).decode())
    named = [attributes["aria-label"] for _, attributes in reader.elements if "aria-label" in attributes]
    assert unmarked([*reader.texts, *named]) == []
    for sheet in report_sheets(report):
        assert unmarked([" ".join(text for text in sheet.texts if text not in report.digests)]) == []


def unmarked(texts):
    outside = []
    for text in texts:
        rest = text
        while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", "", rest)) != rest:
            rest = shorter
        outside += [rest] if re.search(r"[A-Za-z]", CODE.sub("", rest)) else []
    return outside


@pytest.mark.parametrize("language", WORDS)
def test_texts_of_the_sheets_lie_on_them_and_not_on_each_other(language, told):
    for sheet in report_sheets(told(language)):
        assert_well_set(sheet)


@pytest.mark.parametrize("language", WORDS)
def test_headings_are_read_back_from_the_pdf(language, told):
    pdf = pypdf.PdfReader(io.BytesIO(report_pdf(told(language))))
    found = set(re.sub("[\u200f]", "", " ".join(page.extract_text() for page in pdf.pages)).split())
    words = WORDS[language]
    vowels = re.compile("[\u064b-\u0652]")
    for heading in (words.report, words.pyramid, words.balances, words.quality, words.parameters):
        assert {vowels.sub("", word).strip(":,") for word in heading.split()} - {""} <= {w.strip(":,") for w in found}


def test_page_and_sheets_are_the_same_bytes_in_another_process(folders, told, tmp_path):
    first = [page_html(told("ar")), report_pdf(told("ar"))]
    code = (
        "import matplotlib;"
        "matplotlib.rcParams.update({'font.size': 30, 'font.family': 'DejaVu Serif', 'pdf.fonttype': 3});"
        "from jobs.cli import run; run()"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT), "TZ": "Pacific/Fiji"}
    paths = [str(folder) for folder in reversed(folders)]
    arguments = ["report", *paths, "--month", "2026-03", "--language", "ar", "--out", str(tmp_path / "b")]
    subprocess.run([sys.executable, "-c", code, *arguments], env=environment, check=True)
    assert [(tmp_path / "b" / f"report_2026-03.ar.{form}").read_bytes() for form in ("html", "pdf")] == first


# Pictures


@given(places=st.lists(st.tuples(st.floats(0, 500), st.floats(0, 300)), max_size=9))
def test_numbers_on_a_map_are_kept_apart(places):
    found = np.array(apart([(round(x, 1), round(y, 1)) for x, y in places], 20.0)).reshape(-1, 2)
    between = np.hypot(*(found[:, None, :] - found[None, :, :]).transpose(2, 0, 1))
    assert len(found) == len(places)
    assert not len(found) > 1 or between[~np.eye(len(found), dtype=bool)].min() > 5.0


def test_places_that_are_far_from_each_other_are_left_where_they_are():
    assert apart([(0.0, 0.0), (50.0, 0.0)], 20.0) == ((0.0, 0.0), (50.0, 0.0))


def test_classes_of_the_map_hold_the_largest_zone():
    classes = classes_of({"a": Estimate(730.0, 1.0), "b": Estimate(3.0, 1.0)})
    assert [limit for limit, _ in classes] == [10.0, 30.0, 100.0, 300.0, 1_000.0]

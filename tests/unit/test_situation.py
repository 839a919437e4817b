"""The page for the emergency lead says what the bundles say, in words, to nobody else, and the same every time."""

import base64
import csv
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from math import hypot
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.publish.bundle import publish
from jobs.publish.displacement_series import excess, returns
from jobs.publish.explorer.words import catalogue
from jobs.publish.paper.atlas import Atlas
from jobs.publish.paper.catalogue import each_text
from jobs.publish.paper.sheet import Type, fitted, width_of, wrapped
from jobs.publish.situation.estimate import Estimate, Share, Trust, clear_sds, share_of, total
from jobs.publish.situation.figures import COLUMNS, figures_of, moment_of
from jobs.publish.situation.geometry import ground_of
from jobs.publish.situation.languages import WORDS
from jobs.publish.situation.levels import are_homes
from jobs.publish.situation.network import network_on
from jobs.publish.situation.page import page_html
from jobs.publish.situation.reading import one_of_each_period, read_event
from jobs.publish.situation.report import report_pdf, report_sheet
from jobs.publish.situation.run import situation_of_bundles, write_situation
from jobs.publish.situation.telling import situation_of
from jobs.publish.situation.unseen import away_of_all
from jobs.publish.situation.view import Event, Provenance
from privacy.unit import Period
from schemas.errors import BundleError, ConfigError, InputError
from schemas.network import FEED, NETWORK_STATUS, PHONES
from tests.approvals import clearance_for, key_of
from tests.papers import assert_well_set
from tests.situations import DAYS, WEEK_BEFORE, flood_bundles, flood_releases
from tests.unit.test_bundle_example import example_release

ROOT = Path(__file__).parents[2]
ONSET = date(2026, 4, 8)
TODAY = date(2026, 4, 13)
PERIODS = (WEEK_BEFORE, *DAYS[:3])
RADIUS = 5
TOLD = Provenance(("A bundle.",), "Protected.", "Checked.", synthetic=True, restricted=True)
ENGLISH = WORDS["en"]
FLOOD = Event("Flood of April", "flood", ONSET)
HOSTILE = '<script>alert("x")</script> & <img src=https://evil.example/x> $\\frac$'
STATUSES = ("home", "away", "silent")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return flood_bundles(tmp_path_factory.mktemp("release"), flood_releases(PERIODS, radius=RADIUS))


@pytest.fixture(scope="module")
def bundles(folders):
    return read_event(folders)


@pytest.fixture(scope="module")
def ground(bundles):
    return ground_of(bundles.zones)


@pytest.fixture(scope="module")
def figures(bundles):
    return figures_of(bundles.rows, ONSET)


@pytest.fixture(scope="module")
def situation(bundles):
    return situation_of_bundles(bundles, today=TODAY, network=None, keys_known=False, words=ENGLISH)


@pytest.fixture(scope="module")
def page(situation):
    return page_html(situation).decode()


class Reader(HTMLParser):
    """What a browser would see of a page: its elements, and the texts between them."""

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

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def released(bundles, period, before=None, now=None):
    """The sum of the whole area's rows of a period, and its standard deviation, by pandas alone."""
    rows = bundles.rows
    mine = rows[(rows["period"] == period) & rows["home"].isna() & rows["location"].isna()]
    mine = mine[mine["status_before"].isin([before] if before else STATUSES)]
    mine = mine[mine["status"].isin([now] if now else STATUSES)]
    return mine["value"].sum(), np.sqrt((mine["noise_sd"] ** 2).sum())


def rows_of(*parts):
    return pd.DataFrame([row for part in parts for row in part], columns=list(COLUMNS))


def area_rows(period, away, *, sd=10.0):
    values = {("home", "home"): 1_000.0, ("away", "away"): away}
    return [
        (period, None, np.nan, None, np.nan, before, now, "all", values.get((before, now), 0.0), sd)
        for before in STATUSES
        for now in STATUSES
    ]


# The numbers are the bundle's


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [
        ("away", None, "away"),
        ("home", None, "home"),
        ("silent", None, "silent"),
        ("before", "away", None),
        ("newly_away", "home", "away"),
        ("reappeared", "silent", "away"),
        ("returned", "away", "home"),
        ("lost", "away", "silent"),
    ],
)
def test_a_number_of_the_area_is_the_sum_of_its_rows_with_their_variances_added(bundles, figures, name, before, now):
    for moment in figures.moments:
        value, sd = released(bundles, str(moment.period), before, now)
        assert getattr(moment, name).value == pytest.approx(value)
        assert getattr(moment, name).sd == pytest.approx(sd)


def test_the_stock_is_that_of_the_day_before_and_who_came_and_went(figures):
    for moment in figures.moments:
        came, went = moment.newly_away.value + moment.reappeared.value, moment.returned.value + moment.lost.value
        assert moment.away.value == pytest.approx(moment.before.value + came - went)


def test_the_excess_is_all_people_away_less_those_of_the_week_before_with_variances_added(bundles, figures):
    moments = [moment_of(bundles.rows, Period.parse(period)) for period in (PERIODS[-1], WEEK_BEFORE)]
    now, usual = (away_of_all(moment.sights, {}) for moment in moments)
    found = excess(figures.moments[-1], figures.usual)
    assert (found.value, found.sd) == (pytest.approx(now.value - usual.value), pytest.approx(hypot(now.sd, usual.sd)))


def test_the_first_period_of_the_page_is_the_first_that_touches_the_event(figures):
    assert [str(moment.period) for moment in figures.moments] == list(PERIODS[1:])


def test_an_origin_is_the_sum_of_its_zones_where_the_pairs_are_coarser(bundles, figures):
    rows = bundles.rows
    away = rows[rows["home"].notna() & rows["location"].isna() & (rows["status"] == "away")]
    away = away[away["period"] == PERIODS[-1]]
    assert sum(origin.away.value for origin in figures.origins) == pytest.approx(away["value"].sum())
    assert sum(o.away.sd**2 for o in figures.origins) == pytest.approx((away["noise_sd"] ** 2).sum())


def test_every_home_zone_lies_in_one_piece_of_the_map(bundles, figures):
    homes = bundles.rows.loc[bundles.rows["home"].notna() & bundles.rows["location"].isna(), "home"]
    drawn = [zone for part in figures.parts for zone in part.zones]
    assert sorted(drawn) == sorted(set(homes))


def test_pairs_are_listed_by_the_lower_end_of_their_interval_and_none_is_chance(bundles, figures):
    rows = bundles.rows
    pairs = rows[rows["home"].notna() & rows["location"].notna() & (rows["period"] == PERIODS[-1])]
    clear = pairs[pairs["value"] > clear_sds(len(pairs)) * pairs["noise_sd"]]
    expected = clear.assign(low=clear["value"] - 1.959964 * clear["noise_sd"]).nlargest(20, "low")
    assert [pair.away.value for pair in figures.pairs] == pytest.approx(expected["value"].tolist())


def test_a_pair_that_is_surer_is_listed_before_one_that_seems_larger():
    pairs = [("2026-04-09", "h", 5.0, place, 5.0, "all", "away", "all", *number)
             for place, number in (("seems larger", (110.0, 30.0)), ("surer", (100.0, 10.0)))]  # fmt: skip
    found = figures_of(rows_of(area_rows("2026-04-09", 210.0), pairs), ONSET)
    assert [pair.location for pair in found.pairs] == ["surer", "seems larger"]


def test_where_nobody_is_away_no_pair_and_no_place_is_listed():
    random = np.random.default_rng(3)
    pairs = [
        ("2026-04-09", f"h{home}", 5.0, f"l{place}", 5.0, "all", "away", "all", random.normal(0, 19), 19.0)
        for home in range(30)
        for place in range(70)
    ]
    places = [("2026-04-09", None, np.nan, f"l{n}", 5.0, "all", "away", "all", random.normal(0, 19), 19.0)
              for n in range(70)]  # fmt: skip
    found = figures_of(rows_of(area_rows("2026-04-09", 0.0), pairs, places), ONSET)
    assert (found.pairs, found.here) == ((), {})


def test_a_usual_number_that_was_not_released_is_said_to_be_missing(ground):
    found = figures_of(rows_of(area_rows("2026-04-09", 500.0)), ONSET)
    made = situation_of(found, FLOOD, ground, TOLD, None, TODAY, ENGLISH)
    assert found.usual is None
    assert ENGLISH.usual_unknown in made.changes
    assert [figure.trust for figure in made.key_figures if figure.label == ENGLISH.card_excess] == ["not released"]


def test_what_became_of_the_excess_is_told_from_its_peak_on(ground):
    days = {WEEK_BEFORE: 100.0, "2026-04-08": 1_100.0, "2026-04-09": 700.0, "2026-04-10": 500.0, "2026-04-11": 350.0}
    found = figures_of(rows_of(*(area_rows(day, away, sd=1.0) for day, away in days.items())), ONSET)
    made = situation_of(found, FLOOD, ground, TOLD, None, TODAY, ENGLISH)
    assert made.course == (
        "Since the peak (8 Apr), 75 (75 to 75) % of the excess is no longer away. "
        "It took 2 days (1 to 2) for half of it."
    )


@pytest.mark.parametrize(
    ("sd", "said"), [(20.0, "It took 2 days (1 to 3) for half of it."), (25.0, "It took 2 days (1 or more) for half")]
)
def test_how_long_half_of_the_return_took_is_told_with_its_interval(ground, sd, said):
    days = {WEEK_BEFORE: 100.0, "2026-04-08": 1_100.0, "2026-04-09": 700.0, "2026-04-10": 580.0, "2026-04-11": 500.0}
    found = figures_of(rows_of(*(area_rows(day, away, sd=sd) for day, away in days.items())), ONSET)
    half = returns(found.moments, found.usual).half_life
    made = situation_of(found, FLOOD, ground, TOLD, None, TODAY, ENGLISH)
    assert (round(half.earliest), half.latest and round(half.latest)) == (1, None if "more" in said else 3)
    assert said in made.course


def test_a_stock_is_called_no_flow_in_any_language(ground, figures):
    for words in WORDS.values():
        table = situation_of(figures, FLOOD, ground, TOLD, None, TODAY, words).flows
        assert not re.search("flow|flux|تدفق", " ".join((table.title, table.more, table.empty, table.cut_title)))
        assert not re.search("flow|flux|تدفق", " ".join(words.flows.forms.values()))


def test_at_the_peak_nothing_is_said_of_return(ground):
    found = figures_of(rows_of(area_rows(WEEK_BEFORE, 100.0), area_rows("2026-04-09", 900.0)), ONSET)
    assert situation_of(found, FLOOD, ground, TOLD, None, TODAY, ENGLISH).course == ""


def test_a_place_of_origin_at_its_peak_has_no_known_share_of_return(bundles, ground):
    def told(*days):
        away = dict(zip((WEEK_BEFORE, *PERIODS[1:]), days, strict=True))
        home = bundles.rows.loc[are_homes(bundles.rows), "home"].iloc[0]
        rows = rows_of(*([(day, home, 6.0, *row[3:]) for row in area_rows(day, n, sd=1.0)] for day, n in away.items()))
        (row,) = situation_of(figures_of(rows, ONSET), FLOOD, ground, TOLD, None, TODAY, ENGLISH).origins.rows
        return row[-1]

    assert told(100.0, 300.0, 400.0, 900.0) == ENGLISH.locale.no_number
    assert told(100.0, 300.0, 900.0, 500.0) == "50 (49 to 51) %"


def test_a_week_is_told_as_a_mean_a_day(ground):
    found = figures_of(rows_of(area_rows("2026-W17", 500.0)), ONSET)
    made = situation_of(found, FLOOD, ground, TOLD, None, TODAY, ENGLISH)
    assert "on an average day of the week of 20 April 2026" in made.headline
    assert ENGLISH.card_returned_in_week in [figure.label for figure in made.key_figures]


# Words for numbers


def test_the_headline_gives_number_interval_place_and_day(bundles, situation):
    n = ENGLISH.locale.estimated(away_of_all(moment_of(bundles.rows, Period.parse(PERIODS[-1])).sights, {}))
    assert situation.headline == (
        f"About {n} phone subscribers were away from their homes in the flooded area on 10 April 2026."
    )
    assert situation.age == "Data up to 10 April 2026: 3 days old on 13 April 2026."


@pytest.mark.parametrize(
    ("until", "provisional", "said"),
    [(ONSET, True, ENGLISH.provisional), (TODAY, False, ENGLISH.settled), (None, False, "")],
)
def test_the_page_says_of_late_records_what_the_card_says_and_nothing_where_it_is_silent(
    figures, ground, until, provisional, said
):
    told = replace(TOLD, provisional=provisional, delivered_until=until)
    age = situation_of(figures, FLOOD, ground, told, None, TODAY, ENGLISH).age
    assert [text for text in (ENGLISH.provisional, ENGLISH.settled) if text in age] == ([said] if said else [])
    assert age == age.strip()


def test_a_card_without_a_day_of_delivery_is_provisional_nowhere(bundles):
    card = bundles.latest.card.model_copy(update={"delivered_until": None})
    latest = replace(bundles.latest, report=replace(bundles.latest.report, card=card))
    told = replace(bundles, bundles=(*bundles.bundles[:-1], latest))
    made = situation_of_bundles(told, today=TODAY, network=None, keys_known=False, words=ENGLISH)
    assert not card.is_provisional
    assert ENGLISH.provisional not in made.age


@pytest.mark.parametrize("language", WORDS)
def test_page_and_explorer_say_the_same_of_late_records(language):
    assert WORDS[language].provisional.split() == catalogue(language)["provisional"].split()


def test_the_page_says_from_which_distance_on_somebody_is_away_as_the_card_does(situation, figures, ground):
    assert any("less than 10 km" in point for point in situation.blind)
    unsaid = situation_of(figures, FLOOD, ground, TOLD, None, TODAY, ENGLISH)
    assert any("less than a few km" in point for point in unsaid.blind)


def test_the_page_counts_subscribers_and_never_calls_anybody_an_idp(page):
    text = " ".join(Reader(page).texts)
    assert "not people" in text
    assert "phone-based estimate of people away" in text.lower()
    assert not re.search(r"\bIDPs?\b|internally displaced", text)


@pytest.mark.parametrize(
    ("value", "sd", "text"),
    [
        (12_312.4, 200.0, "12,300 (11,900 to 12,700)"),
        (83.0, 18.9, "80 (50 to 120)"),
        (20.0, 18.9, "20 (0 to 60)"),
        (7.0, 0.0, "7 (7 to 7)"),
        (157_372.0, 18.9, "157,400 (157,300 to 157,400)"),
    ],
)
def test_a_number_is_rounded_as_its_interval_allows(value, sd, text):
    assert ENGLISH.locale.estimated(Estimate(value, sd)) == text


@given(value=st.floats(0, 9_999), sd=st.floats(0.1, 1e5))
def test_rounding_moves_no_end_of_an_interval_by_more_than_half_its_width(value, sd):
    estimate = Estimate(value, sd)
    shown = [float(text.replace(",", "")) for text in ENGLISH.locale.range_of(estimate).split(" to ")]
    ends = [max(0.0, estimate.ci_low), max(0.0, estimate.ci_high)]
    assert all(abs(a - b) <= max(1, 1.96 * sd) / 2 + 1e-6 for a, b in zip(shown, ends, strict=True))


@pytest.mark.parametrize(
    ("value", "sd", "trust"),
    [(1_000, 50, Trust.WELL), (1_000, 150, Trust.ROUGHLY), (1_000, 500, Trust.BARELY), (1_000, 600, Trust.NOT),
     (0, 0, Trust.NOT), (-50, 1, Trust.NOT)],
)  # fmt: skip
def test_how_sure_follows_from_the_width_of_the_interval(value, sd, trust):
    assert Estimate(value, sd).trust is trust


def test_a_share_has_the_error_of_independent_parts():
    random = np.random.default_rng(1)
    part, rest = random.normal(300, 12, 40_000), random.normal(700, 20, 40_000)
    share = share_of(Estimate(300, 12), Estimate(700, 20))
    assert share.value == pytest.approx(0.3)
    assert share.sd == pytest.approx(np.std(part / (part + rest)), rel=0.02)


def test_a_share_of_what_cannot_be_told_from_nothing_is_unknown():
    assert share_of(Estimate(10, 20), Estimate(5, 20)).trust is Trust.NOT


def test_a_small_share_may_be_well_known():
    assert Share(0.01, 0.01).trust is Trust.WELL


@pytest.mark.parametrize("wrong", [(float("nan"), 1.0), (1.0, float("inf")), (1.0, -1.0)])
def test_a_number_that_is_none_is_refused(wrong):
    with pytest.raises(BundleError):
        Estimate(*wrong)


def test_the_sum_of_none_is_nothing_without_an_error():
    assert total([]) == Estimate(0.0, 0.0)


# What the page may and may not do


def test_the_page_is_self_contained(page):
    assert not re.search(r"https?:|//|url\((?!#)|@import|javascript:", page.replace("<!DOCTYPE html>", ""))
    reader = Reader(page)
    names = {tag for tag, _ in reader.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a"}
    handlers = [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]
    assert not handlers


def test_the_policy_of_the_page_allows_its_own_style_and_nothing_else(page):
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    (policy,) = [meta["content"] for meta in Reader(page).all("meta") if "http-equiv" in meta]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert 'style="' not in page


def test_what_a_bundle_says_is_escaped_and_the_sheet_stays_one_page_of_a4(figures, ground):
    hostile_ground = replace(ground, names={origin.zone: HOSTILE for origin in figures.origins})
    told = replace(TOLD, sources=(HOSTILE,), privacy=HOSTILE)
    made = situation_of(
        figures, replace(FLOOD, name=HOSTILE, hazard=HOSTILE), hostile_ground, told, None, TODAY, ENGLISH
    )
    reader = Reader(page_html(made).decode())
    assert not reader.all("script")
    assert not reader.all("img")
    assert HOSTILE in reader.texts
    pdf = report_pdf(made)  # a text in dollars would be set as a formula, and this one is none
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 1
    assert b"/MediaBox [ 0 0 595.275" in pdf
    assert b"CreationDate" not in pdf


def test_page_and_sheet_are_the_same_bytes_in_another_process(folders, tmp_path):
    written = write_situation(folders[-2:], tmp_path / "a", today=TODAY, languages=("ar",))
    first = [path.read_bytes() for path in written]
    code = (
        "import matplotlib;"
        "matplotlib.rcParams.update({'font.size': 30, 'font.family': 'DejaVu Serif', 'pdf.fonttype': 3});"
        "from jobs.cli import run; run()"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT), "TZ": "Pacific/Fiji"}
    zips = [f"{folder}.zip" for folder in reversed(folders[-2:])]
    arguments = ["situation", *zips, "--out", str(tmp_path / "b"), "--today", TODAY.isoformat(), "--language", "ar"]
    subprocess.run([sys.executable, "-c", code, *arguments], env=environment, check=True)
    assert [(tmp_path / "b" / name).read_bytes() for name in ("situation.ar.html", "situation.ar.pdf")] == first


LONG = "A very long name of a place that is not large, "


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "little"), ("en", "much"), ("fr", "much"), ("fr", "with a network"), ("ar", "much"),
     ("ar", "with a network")],
)  # fmt: skip
def test_texts_of_the_sheet_lie_on_it_above_its_foot_and_not_on_each_other(figures, ground, tmp_path, language, said):
    words, network = WORDS[language], None
    if said == "much":
        ground = replace(ground, names={zone: f"{LONG}{zone}" for zone in ground.rings})
    if said == "with a network":
        rows = [feed("2026-04-10", zone, 3) for zone in figures.parts[0].zones]
        network = network_on(network_table(tmp_path / "network.csv", rows), TODAY)
    event = replace(FLOOD, name=LONG) if said == "much" else FLOOD
    told = replace(TOLD, provisional=True, delivered_until=ONSET, min_away_km=10.0)
    sheet = report_sheet(situation_of(figures, event, ground, told, network, TODAY, words))
    assert_well_set(sheet)


# Every visible word is of the catalogue


def pseudo(words):
    """The catalogue with every text between brackets: what is not between them was not taken from it."""
    locale = each_text(words.locale, lambda text: f"⟦{text}⟧")
    unmarked = {name: getattr(words.locale, name) for name in UNMARKED}
    return replace(each_text(words, lambda text: f"⟦{text}⟧"), locale=replace(locale, **unmarked))


UNMARKED = ("language", "name", "direction", "thousands", "decimal", "compass", "list_separator", "first_of_month")


def unmarked(texts):
    """Texts outside all brackets that hold a letter."""
    outside = []
    for text in texts:
        rest = text
        while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", "", rest)) != rest:
            rest = shorter
        outside += [rest] if re.search(r"[A-Za-z]", rest) else []
    return outside


def test_every_word_of_page_and_sheet_comes_from_the_catalogue(figures, ground):
    told = Provenance(("⟦a⟧",), "⟦b⟧", "⟦c⟧", synthetic=True, restricted=True)
    made = situation_of(figures, Event("⟦e⟧", "flood", ONSET), ground, told, None, TODAY, pseudo(ENGLISH))
    reader = Reader(page_html(made).decode())
    named = [attributes["aria-label"] for _, attributes in reader.elements if "aria-label" in attributes]
    assert unmarked([*reader.texts, *named]) == []
    # A line of a paragraph may hold one of two brackets: what is left of either is no word of its own.
    assert unmarked([" ".join(report_sheet(made).texts)]) == []


@pytest.mark.parametrize(("language", "direction"), [("fr", "ltr"), ("ar", "rtl")])
def test_a_page_says_its_language_and_direction(figures, ground, language, direction):
    made = situation_of(figures, FLOOD, ground, TOLD, None, TODAY, WORDS[language])
    assert Reader(page_html(made).decode()).all("html") == [{"lang": language, "dir": direction}]


# For those who cannot see it


def test_every_picture_has_a_title_and_a_description(page):
    reader = Reader(page)
    pictures = [svg for svg in reader.all("svg") if svg.get("role") == "img"]
    ids = {attributes["id"] for _, attributes in reader.elements if "id" in attributes}
    assert len(pictures) == 6
    for picture in pictures:
        assert set(picture["aria-labelledby"].split()) <= ids
    assert all(svg.get("role") == "img" or svg.get("aria-hidden") == "true" for svg in reader.all("svg"))


def test_the_page_has_landmarks_and_tables_with_headed_rows_and_columns(page):
    reader = Reader(page)
    assert [len(reader.all(name)) for name in ("header", "main", "footer", "h1")] == [1, 1, 1, 1]
    scopes = [head.get("scope") for head in reader.all("th")]
    assert set(scopes) == {"col", "row"}
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_administrative_units_are_drawn_by_level_and_called_by_number_and_name():
    units = [unit("NM01", 1, 2.0), unit("NM0101", 2, 1.0)]
    ground = ground_of({"type": "FeatureCollection", "features": units})
    assert ground.land == ("NM0101",)
    atlas = Atlas(ground, {"NM0101": 3}, ENGLISH.locale)
    assert (atlas.name("NM0101"), atlas.name("NM01")) == ("3 Name of NM0101", "Name of NM01")


def unit(code, level, size, west=0.0):
    ring = [[west, 0.0], [west + size, 0.0], [west + size, size], [west, size], [west, 0.0]]
    told = {"zone": code, "pcode": code, "name": f"Name of {code}", "level": level}
    return {"properties": told, "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]}}


def test_the_border_of_two_squares_leaves_out_the_edge_that_they_share():
    ground = ground_of({"features": [unit("west", 1, 1.0), unit("east", 1, 1.0, west=1.0)]})
    assert (len(ground.border(["west"])), len(ground.border(["west", "east"]))) == (4, 6)


# Little, none and wrong input


@pytest.mark.parametrize("away", [0.0, -40.0])
def test_below_the_noise_the_page_says_so(ground, away):
    found = figures_of(rows_of(area_rows("2026-04-09", away)), ONSET)
    made = situation_of(found, FLOOD, ground, TOLD, None, TODAY, ENGLISH)
    assert made.headline.startswith("Too few phone subscribers were away")
    assert ENGLISH.flows_none in page_html(made).decode()
    assert ENGLISH.flows_none in report_sheet(made).texts


def test_without_a_period_after_the_onset_the_page_says_so(ground):
    found = figures_of(rows_of(area_rows(WEEK_BEFORE, 500.0)), ONSET)
    made = situation_of(found, FLOOD, ground, TOLD, None, TODAY, ENGLISH)
    assert made.headline == ENGLISH.no_data
    assert ENGLISH.no_data_more in page_html(made).decode()
    assert ENGLISH.no_data_more in " ".join(report_sheet(made).texts)


def test_of_two_revisions_of_a_period_the_later_counts(bundles):
    first, second = bundles.bundles[-1], replace(bundles.bundles[-1], report=revised(bundles.bundles[-1].report))
    for order in ([first, second], [second, first]):
        assert one_of_each_period([*bundles.bundles[:-1], *order]).latest is second


def revised(report):
    return replace(report, card=report.card.model_copy(update={"revision": 2}))


def test_a_bundle_that_was_altered_is_refused(folders, tmp_path):
    forged = tmp_path / folders[-1].name
    forged.mkdir()
    for path in folders[-1].iterdir():
        (forged / path.name).write_bytes(path.read_bytes())
    table = forged / "displacement.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(",home,away,", ",home,home,", 1), encoding="utf-8")
    with pytest.raises(BundleError, match=r"displacement\.csv was altered"):
        write_situation([forged], tmp_path / "out", today=TODAY)
    assert not (tmp_path / "out").exists()


def test_bundles_of_another_product_or_of_two_events_are_refused(bundles, tmp_path):
    trips = publish(example_release(), clearance_for(example_release()), tmp_path).folder
    with pytest.raises(BundleError, match="is a bundle of od_trips"):
        read_event([trips])
    other = replace(bundles.latest, event=bundles.latest.event.model_copy(update={"id": "another"}))
    with pytest.raises(BundleError, match="different events"):
        one_of_each_period([*bundles.bundles, other])


def test_bundles_of_two_operators_are_refused(bundles):
    other = replace(bundles.latest, report=replace(bundles.latest.report, signer=key_of("Amina").public))
    with pytest.raises(BundleError, match="signed by different keys"):
        one_of_each_period([*bundles.bundles, other])
    assert one_of_each_period([*bundles.bundles, other], trusted=True).event == bundles.event


def test_no_bundle_is_no_page():
    with pytest.raises(ConfigError):
        read_event([])


# The network


def network_table(path, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, NETWORK_STATUS.names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def feed(day, zone, down, resolution=6):
    return {"date": day, "zone": zone, "resolution": resolution, "cells": 4, "cells_down": down,
            "down_share": down / 4, "basis": FEED}  # fmt: skip


def test_towers_down_are_shown_beside_people_who_left(bundles, figures, tmp_path):
    zones = figures.parts[0].zones
    table = network_table(tmp_path / "network.csv", [feed("2026-04-10", zone, 3) for zone in zones])
    made = situation_of_bundles(bundles, today=TODAY, network=table, keys_known=False, words=ENGLISH)
    assert made.network.texts[0].startswith(f"{3 * len(zones)} of {4 * len(zones)} radio cells were down")
    assert [view.drawing.name for view in made.maps] == ["here", "left", "network"]


def test_without_a_network_table_the_page_says_what_that_hides(situation):
    assert situation.network.texts == (ENGLISH.network_missing,)


def test_the_nearest_day_of_the_finest_zones_wanted_is_read_and_its_age_is_told(bundles, tmp_path):
    rows = [feed("2026-04-05", "a", 0), feed("2026-04-09", "b", 1), feed("2026-04-09", "c", 1, 4)]
    table = network_table(tmp_path / "network.csv", rows)
    assert network_on(table, date(2026, 4, 8), 6).shares == {"b": 0.25}
    made = situation_of_bundles(bundles, today=TODAY, network=table, keys_known=False, words=ENGLISH)
    assert made.network.texts[-1] == "The report nearest to 10 April 2026 is of 9 April 2026."


def test_counts_of_phones_do_not_pretend_to_know_why_few_are_seen(bundles, tmp_path):
    seen = {"basis": PHONES, "date": "2026-04-10", "resolution": 6}
    rows = [{**seen, "zone": "a", "ratio": 0.4, "ratio_low": 0.3, "ratio_high": 0.5},
            {**seen, "zone": "b", "ratio": 0.9, "ratio_low": 0.7, "ratio_high": 1.1}]  # fmt: skip
    table = network_table(tmp_path / "network.csv", rows)
    assert network_on(table, date(2026, 4, 10)).shares == {"a": pytest.approx(0.6), "b": 0.0}
    made = situation_of_bundles(bundles, today=TODAY, network=table, keys_known=False, words=ENGLISH)
    assert made.network.texts[0].endswith("this cannot tell which.")


@pytest.mark.parametrize("text", ["", "date,zone\n", "date,zone,resolution\n2026-04-10,a,6\n", "\0"])
def test_what_is_no_table_of_the_network_is_refused(tmp_path, text):
    (tmp_path / "network.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"network\.csv is no table"):
        network_on(tmp_path / "network.csv", TODAY)


# Pictures


def test_numbers_of_the_lists_stand_on_the_maps(situation):
    here, left = (view.drawing for view in situation.maps[:2])
    shown = {mark.text for drawing in (here, left) for kind, mark in drawing.runs if kind == "label"}
    listed = {cell.removeprefix("Zone ") for row in situation.flows.rows for cell in row[1:3]} - {"same zone"}
    assert listed <= shown


def test_marks_of_a_chart_lie_inside_it(situation):
    for chart in situation.charts:
        places = [place for kind, mark in chart.runs if kind == "line" for place in mark.places]
        assert all(0 <= x <= chart.width and 0 <= y <= chart.height for x, y in places)


@given(text=st.text(alphabet="abcdefg hij", max_size=80), width=st.floats(10, 60))
def test_lines_of_a_paragraph_are_as_wide_as_they_may_be_and_lose_no_word(text, width):
    how = Type(8)
    lines = wrapped(text, how, width)
    assert " ".join(lines).split() == text.split()
    assert all(width_of(line, how) <= width for line in lines if " " in line)


def test_a_name_that_is_too_long_for_its_column_is_cut_with_a_mark():
    cut = fitted("A very long name of a small place", Type(7), 20)
    assert cut.endswith("…")
    assert width_of(cut, Type(7)) <= 20

"""The explorer in a real browser: everything by mouse and by keyboard, in three languages, from the disk."""

import csv
import io
import json
import re
import subprocess
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from jobs.publish.explorer.page import json_in_html
from tests.explorers import HOSTILE, zone_named
from tests.unit.test_bundle_example import coast

LANGUAGES = ("en", "fr", "ar")
TRIPS = "product=od_trips/week"
FLOOD = "product=displacement/flood-2026-04"
ISOLATES = re.compile("[\u2060\u2066-\u2069]")


def text_of(page, selector):
    return ISOLATES.sub("", page.locator(selector).inner_text())


def test_the_page_runs_from_the_disk_and_shows_the_event_first(opened):
    page = opened("both")

    assert page.url.startswith("file:")
    assert text_of(page, "h1") == "Flood of April"
    assert "phone subscribers were away from their homes in the flooded area" in text_of(page, "#headline")
    assert "not a count of displaced persons" in text_of(page, "#kind")
    assert "SYNTHETIC DATA" in text_of(page, ".synthetic")


def test_the_emergency_lead_reads_in_the_order_that_was_asked_for(opened):
    page = opened("both")
    order = ["headline", "age", "figures", "network", "map", "series", "table", "blind-list", "sources"]
    found = page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")

    assert [one for one in found if one in order] == order


def test_the_slider_moves_by_keyboard_and_the_headline_is_told(opened):
    page = opened("both")
    last = text_of(page, "#headline")
    page.locator("#period").focus()
    page.keyboard.press("ArrowLeft")

    assert text_of(page, "#period-code") == "12 Apr"
    assert text_of(page, "#headline") != last
    assert text_of(page, "#live") == text_of(page, "#headline")
    page.keyboard.press("Home")
    assert "2026-W14" in page.locator("#period").get_attribute("aria-valuetext")
    assert "Before the event" in text_of(page, "#changes")


def test_a_click_on_a_zone_shows_its_series_and_its_flows(opened):
    page = opened("both", f"lang=en&{TRIPS}&level=h6")
    page.locator(f"#zones path[data-z='{busiest(page)}']").click()

    assert page.locator("#marks path").count() == 1
    assert page.locator("#series figure").count() == 2
    rows = page.locator("#table tbody tr")
    assert rows.count() > 0
    assert all(code_of(page) in row for row in rows.all_inner_texts())
    expect(page).to_have_url(re.compile("zone="))


def test_the_map_is_walked_by_arrow_keys_and_a_zone_is_chosen_by_enter(opened):
    page = opened("both", f"lang=en&{TRIPS}&level=h6")
    page.locator("#map").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    told = text_of(page, "#live")
    page.keyboard.press("Enter")

    assert re.match(r".*[0-9a-f]{15}.*, Trips or moves out of the zone: ", told)
    assert page.locator("#selection").inner_text() in told
    page.keyboard.press("Escape")
    assert text_of(page, "#selection") in ("Whole country", "Whole affected area")


def test_a_zone_is_found_by_a_name_without_its_accents_and_by_its_code(opened):
    page = opened("both", f"lang=en&{TRIPS}")
    page.locator("#search").fill("elan")
    assert text_of(page, "#found-count") == "Zones found: 1"
    page.keyboard.press("Enter")
    assert "Élan-Bay" in text_of(page, "#selection")

    page.locator("#search").fill(coast(8)[7])
    page.locator("#found button").first.click()
    assert coast(8)[7] in text_of(page, "#selection")


def test_a_pair_is_followed_over_time(opened):
    page = opened("both", f"lang=en&{TRIPS}")
    page.locator("#table tbody tr button.small").first.click()

    assert text_of(page, "#selection").count("ffff") == 2
    assert "Flow of the pair" in text_of(page, "#series")
    page.get_by_role("radio", name="series over time").check()
    assert page.locator("#table tbody tr").count() == 12


@pytest.mark.parametrize(("side", "column"), [("out of the zone", 0), ("into the zone", 1)])
def test_flows_are_shown_out_of_a_zone_or_into_it(opened, side, column):
    page = opened("both", f"lang=en&{TRIPS}&level=h6")
    page.locator(f"#zones path[data-z='{busiest(page)}']").click()
    page.get_by_role("radio", name=side).check()
    code = code_of(page)
    shown = [page.locator("#table tbody tr").nth(k).locator("th, td").nth(column).inner_text() for k in range(3)]

    assert all(code in one for one in shown)


def test_few_flows_are_drawn_however_many_there_are(opened):
    page = opened("both", f"lang=en&{TRIPS}")
    arcs = page.locator("#arcs path[stroke='#ffffff']")

    assert arcs.count() <= 20
    page.locator("#most").select_option("10")
    assert arcs.count() <= 10
    page.locator("#arcs-on").uncheck()
    assert page.locator("#arcs *").count() == 0


def test_what_is_below_the_cut_is_hatched_and_said_not_to_be_zero(opened):
    page = opened("both", f"lang=en&{TRIPS}&level=h6")
    hatched = page.locator("#zones path[fill='url(#hatch)']")

    assert hatched.count() > 0
    hatched.first.hover(force=True)
    assert text_of(page, "#readout").endswith("below the cut")
    assert "that is not zero" in text_of(page, "#table-note")


def test_the_network_is_a_layer_beside_the_people(opened):
    page = opened("both", f"lang=en&{FLOOD}&period=2026-04-09")
    page.locator("#layer").select_option("network")

    assert "radio cells were down" in text_of(page, "#network")
    assert page.locator("#zones path[fill='#4a1486'], #zones path[fill='#756bb1']").count() > 0


def test_the_view_is_in_the_address_and_comes_back_from_it(opened):
    page = opened("both", f"lang=fr&{TRIPS}&period=2026-W12&layer=in&level=h5&table=zones&most=50")

    assert page.locator("#period").input_value() == "2"
    assert page.locator("#layer").input_value() == "in"
    assert page.locator("#level").input_value() == "h5"
    assert page.get_by_role("radio", name="zones", exact=True).is_checked()
    expect(page).to_have_url(re.compile("table=zones"))
    again = page.url
    page.goto("about:blank")
    page.goto(again)
    assert text_of(page, "#period-code") == "2026-W12"
    assert page.url == again


def test_a_broken_address_shows_the_page_all_the_same(opened):
    page = opened("both", "lang=xx&product=nothing&period=9&layer=%3Cb%3E&zone=none&pair=a~b&table=what&most=1e9")

    assert text_of(page, "h1") == "Flood of April"


def test_the_table_is_downloaded_and_no_cell_of_it_is_a_formula(opened):
    page = opened("both", f"lang=en&{TRIPS}&level=h6&layer=out&table=zones")
    with page.expect_download() as started:
        page.locator("#download").click()
    content = started.value.path().read_bytes()
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))

    assert started.value.suggested_filename == "od_trips_week_2026-W21_zones.csv"
    assert {row["synthetic"] for row in rows} == {"true"}
    assert {row["definition_id"] for row in rows} == {"od_trips/1"}
    assert {row["sensitivity"] for row in rows} == {"restricted"}
    assert all(float(row["ci_low"]) < float(row["value"]) < float(row["ci_high"]) for row in rows)
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in (row["zone"], row["name"]))
    assert {row["zone"]: row["name"] for row in rows}[zone_named("=HYPERLINK(1)")] == "'=HYPERLINK(1)"


def downloaded(page):
    """The rows of the table as the page's CSV has them."""
    with page.expect_download() as started:
        page.locator("#download").click()
    return list(csv.DictReader(io.StringIO(started.value.path().read_bytes().decode("utf-8-sig"))))


def test_people_away_by_home_and_place_are_a_stock_and_called_no_flows(opened):
    page = opened("both", f"lang=en&{FLOOD}&table=flows")

    assert {row["measure"] for row in downloaded(page)} == {"away_by_place"}
    assert "flow" not in text_of(page, "#table-caption") + text_of(page, "#table-kinds") + text_of(
        page, "#arc-controls"
    )
    assert "people away, by home and place" in text_of(page, "#table-caption")


def test_a_series_says_in_its_csv_what_it_is_a_series_of(opened):
    assert {row["measure"] for row in downloaded(opened("both", f"lang=en&{FLOOD}&table=series"))} == {"away"}
    assert {row["measure"] for row in downloaded(opened("both", f"lang=en&{TRIPS}&table=series"))} == {"total"}


@pytest.mark.parametrize(
    ("instant", "zone", "days"),
    [
        ("2026-05-25T20:00:00Z", "UTC", 44),
        ("2026-05-25T01:00:00Z", "UTC", 44),
        ("2026-05-25T20:00:00Z", "Pacific/Auckland", 45),
    ],
)
def test_the_age_is_counted_in_days_of_the_reader_s_calendar(opened, instant, zone, days):
    page = opened("both", f"lang=en&{FLOOD}&period=2026-04-11", timezone_id=zone)
    page.clock.set_fixed_time(instant)
    page.reload()

    assert f"days since then: {days}." in text_of(page, "#age")


def altered(pages, name, change):
    """A page whose data were changed."""
    text = (pages / "both.html").read_text(encoding="utf-8")
    found = re.search(r'(?<=id="data">).*?(?=</script>)', text)
    data = json.loads(found[0])
    change(next(one for one in data["products"] if one["form"] == "event"))
    told = json_in_html(data)
    (pages / f"{name}.html").write_text(text[: found.start()] + told + text[found.end() :], encoding="utf-8")
    return name


def test_fewer_people_away_than_usual_are_told_as_that(opened, pages):
    def fewer(event):
        event["area"]["excess"]["v"][-1] = -900
        event["area"]["excess"]["s"][-1] = 50

    assert "fewer than usual" in text_of(opened(altered(pages, "fewer", fewer), f"lang=en&{FLOOD}"), "#changes")


def test_places_of_origin_that_may_be_chance_are_not_listed_and_what_is_not_known_has_no_number(opened, pages):
    listed = opened("both", f"lang=en&{FLOOD}&table=origins").locator("#table tbody tr").count()

    def unsure(event):
        first, *others = [one for one in event["origins"] if one["listed"][-1]]
        first["listed"][-1] = False
        for one in others:
            one["residents"]["s"][-1] = one["gone"]["s"][-1] = 1e6
            one["gone"]["v"][-1] = 0.5

    page = opened(altered(pages, "unsure", unsure), f"lang=en&{FLOOD}&table=origins")
    assert page.locator("#table tbody tr").count() == listed - 1
    assert text_of(page, "#table tbody").count("not known") == 2 * (listed - 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_speaks_and_no_word_is_left_in_braces(opened, language):
    for view in (TRIPS, FLOOD, f"{FLOOD}&layer=left&table=origins", f"{TRIPS}&table=series"):
        page = opened("both", f"lang={language}&{view}")
        words = page.locator("body").inner_text()
        assert page.locator("html").get_attribute("lang") == language
        assert "{" not in words
        assert "undefined" not in words
        assert "NaN" not in words


def test_the_language_is_switched_by_keyboard_and_keeps_the_view(opened):
    page = opened("both", f"lang=en&{TRIPS}&period=2026-W12")
    page.locator("#lang-ar").focus()
    page.keyboard.press("Enter")

    assert page.locator("html").get_attribute("dir") == "rtl"
    assert page.evaluate("document.activeElement.id") == "lang-ar"
    assert text_of(page, "h1") == "الرحلات بين المناطق"
    expect(page).to_have_url(re.compile("lang=ar"))
    expect(page).to_have_url(re.compile("period=2026-W12"))
    assert text_of(page, "#period-code") == "2026-W12"


LEFT_EDGES = """([selector, parts]) => {
  const walker = document.createTreeWalker(document.querySelector(selector), NodeFilter.SHOW_TEXT);
  const nodes = []; for (let node = walker.nextNode(); node; node = walker.nextNode()) nodes.push(node);
  let from = 0, at = 0;
  return parts.map((part) => {
    for (; at < nodes.length; at += 1, from = 0) {
      const place = nodes[at].data.indexOf(part, from);
      if (place < 0) continue;
      from = place + part.length;
      const range = document.createRange();
      range.setStart(nodes[at], place); range.setEnd(nodes[at], from);
      const box = range.getBoundingClientRect();
      return [box.left, box.right];
    }
    return null;
  });
}"""


def runs_from_left_to_right(page, selector, parts):
    boxes = page.evaluate(LEFT_EDGES, [selector, parts])
    return all(a[1] <= b[0] + 1 for a, b in pairwise(boxes))


def test_codes_numbers_and_ranges_keep_their_order_in_arabic(opened):
    page = opened("both", f"lang=ar&{TRIPS}&period=2026-W12&table=flows")
    low, high = re.search(r"([\d,]+)\s\u2013\s([\d,]+)", text_of(page, "#headline")).groups()

    assert float(low.replace(",", "")) < float(high.replace(",", ""))
    assert runs_from_left_to_right(page, "#headline", ["2026", "-W12"])
    assert runs_from_left_to_right(page, "#headline", [low, "\u2013", high])
    first = "#table tbody tr:first-child td.number:nth-of-type(3)"
    low, high = re.search(r"([\d,.]+)\s\u2013\s([\d,.]+)", text_of(page, first)).groups()
    assert runs_from_left_to_right(page, first, [low, "\u2013", high])
    headings = page.locator("#table thead th").all()
    assert headings[0].bounding_box()["x"] > headings[1].bounding_box()["x"]


@pytest.mark.parametrize("width", [300, 330, 360, 420, 500])
def test_a_range_is_not_broken_over_two_lines(opened, width):
    page = opened("both", f"lang=fr&{TRIPS}", viewport={"width": width, "height": 740})
    low, high = re.search(r"\(([\d\s]+)\s\u2013\s([\d\s]+)\)", text_of(page, "#headline")).groups()
    lines = page.evaluate(
        """([selector, from, to]) => {
          const node = document.querySelector(selector).firstChild;
          const top = (text) => {
            const range = document.createRange(), at = node.data.indexOf(text);
            range.setStart(node, at); range.setEnd(node, at + text.length);
            return range.getClientRects()[0].top;
          };
          return [top(from), top(to)];
        }""",
        ["#headline", low, high],
    )

    assert lines[0] == lines[1]


def test_dates_and_numbers_take_the_form_of_the_language(opened):
    page = opened("both", f"lang=fr&{FLOOD}&period=2026-04-09")
    assert text_of(page, "#period-title") == "9 avril 2026"
    assert re.search(r"\d\u202f\d{3}", page.locator("#headline").inner_text())
    page.locator("#lang-ar").click()
    assert text_of(page, "#period-title") == "9 أبريل 2026"
    assert not re.search("[\u0660-\u0669]", page.locator("body").inner_text())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("view", [TRIPS, f"{FLOOD}&layer=left&table=origins"], ids=["trips", "flood"])
def test_axe_finds_no_serious_fault(opened, language, view):
    page = opened("both", f"lang={language}&{view}")
    found = Axe().run(page).response["violations"]

    assert [
        (fault["id"], fault["nodes"][0]["html"]) for fault in found if fault["impact"] in ("serious", "critical")
    ] == []


def test_every_control_is_reached_by_tab_and_shows_its_focus(opened):
    page = opened("both", f"lang=en&{TRIPS}")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"

    assert {
        "skip",
        "lang-en",
        "product",
        "period",
        "earlier",
        "layer",
        "level",
        "search",
        "map",
        "arcs-on",
        "most",
    } <= reached


def test_the_skip_link_leads_to_the_tables(opened):
    page = opened("both", f"lang=en&{TRIPS}")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "table-title"


def test_nothing_that_a_bundle_says_is_run(opened):
    page = opened("hostile", f"lang=en&{TRIPS}&zone={zone_named(HOSTILE)}&table=zones&level=h6")

    assert page.evaluate("window.harmed") is None
    assert "</script><script>window.harmed=1" in text_of(page, "#selection")
    assert "</script><script>window.harmed=3" in text_of(page, "#sources")
    assert page.locator("img").count() == 0


def test_the_policy_refuses_a_script_a_handler_a_style_and_an_address_that_are_put_in(chromium, pages):
    harm = (
        "<script>window.harmed=5</script><p id=put onclick='window.harmed=6' style='color:red'>x</p>"
        "<img src='https://example.org/x.png' onerror='window.harmed=7'>"
    )
    text = (pages / "both.html").read_text(encoding="utf-8").replace("</body>", f"{harm}</body>")
    (pages / "harmed.html").write_text(text, encoding="utf-8")
    page, complaints, asked = chromium.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.goto((pages / "harmed.html").as_uri())
    page.locator("#put").dispatch_event("click") if page.locator("#put").count() else None

    assert page.evaluate("window.harmed") is None
    assert page.locator("h1").count() == 1
    assert all(url.startswith("file:") for url in asked)
    assert sum("Content Security Policy" in text for text in complaints) >= 3
    page.close()


def test_a_release_with_nothing_above_the_cut_says_so(opened):
    page = opened("empty", "lang=en")

    assert "There are no figures to show" in text_of(page, ".empty")
    assert "does not mean that nothing happened" in text_of(page, ".empty")
    assert text_of(page, "#table").count("Nothing is published here") == 1
    assert page.locator("#arcs *").count() == 0


def test_the_week_before_an_event_is_told_as_the_usual_number(opened):
    page = opened("before", "lang=en")

    assert "Before the event: this is the usual number." in text_of(page, "#changes")
    assert page.locator("#period").is_disabled()


def test_stocks_and_flows_never_share_a_picture_or_a_table(opened):
    page = opened("both", f"lang=en&{FLOOD}")
    titles = [ISOLATES.sub("", title) for title in page.locator("#series figcaption").all_inner_texts()]

    assert [title.split(" subscribers")[0] for title in titles] == [
        "Away from home",
        "Newly away, a day",
        "Returned, a day",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_view_is_printed_on_paper_with_its_table_and_its_sources(opened, language, tmp_path):
    page = opened("both", f"lang={language}&{TRIPS}&period=2026-W12")
    page.pdf(path=tmp_path / "page.pdf", format="A4", print_background=True)
    told = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "page.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout

    assert "2026-W12" in told
    assert "od_trips_2026-W12_r1" in told
    assert "SHA256SUMS" in told
    assert page.locator("#table tbody tr bdi.code").first.inner_text() in told
    assert told.count("\f") <= 3


def test_a_page_of_a_narrow_screen_does_not_scroll_sideways(opened):
    page = opened("both", f"lang=fr&{TRIPS}", viewport={"width": 360, "height": 740})

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def code_of(page):
    """The code of the chosen zone."""
    return re.search("[0-9a-f]{15}", text_of(page, "#selection"))[0]


def busiest(page):
    """The zone of the map with the most flows out of it."""
    return page.evaluate(
        "() => { const d = JSON.parse(document.getElementById('data').textContent);"
        "const p = d.products.find((one) => one.product === 'od_trips'); const c = p.layers[0].cells[''].h6;"
        "const v = c.v[p.periods.length - 1]; return c.z[v.indexOf(Math.max(...v))]; }"
    )

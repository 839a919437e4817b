"""What all papers share: catalogues of every language say the same, and sheets are set in either direction."""

import io
import re
import string
from dataclasses import fields
from datetime import date

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.publish.monthly.languages import WORDS as MONTHLY
from jobs.publish.paper.arabic import ARABIC
from jobs.publish.paper.catalogue import LANGUAGES, each_text, file_name, languages_of
from jobs.publish.paper.charts import Series, chart_of
from jobs.publish.paper.english import ENGLISH
from jobs.publish.paper.french import FRENCH
from jobs.publish.paper.layout import MARGIN
from jobs.publish.paper.locales import LRI, MINUS, PDI, RLI, Counted
from jobs.publish.paper.sheet import WIDTH, Sheet, Type, pdf_of, width_of, wrapped
from jobs.publish.situation.estimate import Estimate
from jobs.publish.situation.languages import WORDS as SITUATION
from schemas.errors import ConfigError

LOCALES = {locale.language: locale for locale in (ENGLISH, FRENCH, ARABIC)}
CATALOGUES = {"locale": LOCALES, "situation": SITUATION, "monthly": MONTHLY}
BODY = Type(9)


def texts_of(catalogue):
    """Every text of a catalogue by its place in it; of a counted text, each form."""
    found = {}
    for field in fields(catalogue):
        collect(field.name, getattr(catalogue, field.name), found)
    return found


def collect(place, entry, found):
    match entry:
        case str():
            found[place] = entry
        case Counted():
            collect(place, entry.forms, found)
        case dict():
            for key, one in entry.items():
                collect(f"{place}/{key}", one, found)
        case tuple():
            for number, one in enumerate(entry):
                collect(f"{place}/{number}", one, found)


def names_in(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def entries_of(catalogue):
    """Names filled in by entry; those of a counted text together, but for the count, which words may tell."""
    names = {}
    for place, text in texts_of(catalogue).items():
        is_counted = isinstance(getattr(catalogue, place.split("/")[0]), Counted)
        key = place.split("/")[0] if is_counted else place
        names.setdefault(key, set()).update(names_in(text) - ({"count"} if is_counted else set()))
    return names


# Catalogues


@pytest.mark.parametrize("kind", CATALOGUES)
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_the_same_entries_with_the_same_names_in_braces(kind, language):
    assert entries_of(CATALOGUES[kind][language]) == entries_of(CATALOGUES[kind]["en"])


@pytest.mark.parametrize("kind", CATALOGUES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_counted_text_has_the_forms_that_counts_take_in_its_language(kind, language):
    forms = {LOCALES[language].plural(count) for count in range(1_000)}
    catalogue = CATALOGUES[kind][language]
    counted = [getattr(catalogue, field.name) for field in fields(catalogue)]
    assert all(set(one.forms) == forms for one in counted if isinstance(one, Counted))


@pytest.mark.parametrize("kind", ["situation", "monthly"])
def test_no_sentence_was_left_in_english(kind):
    english = texts_of(CATALOGUES[kind]["en"])
    for language in LANGUAGES[1:]:
        other = texts_of(CATALOGUES[kind][language])
        told = {place: re.sub(r"\{\w*\}", "", text) for place, text in other.items()}
        same = {place for place in told if len(told[place]) > 12 and other[place] == english.get(place)}
        assert same == set()


@pytest.mark.parametrize("kind", CATALOGUES)
def test_arabic_holds_no_latin_words_but_names(kind):
    known = {"SIM", "SHA", "Whimbrel", "card", "json", "docs", "methods", "zCDP", "ltr", "rtl", "ar", "LRI", "PDI"}
    for place, text in texts_of(CATALOGUES[kind]["ar"]).items():
        words = set(re.findall(r"[A-Za-z]{2,}", re.sub(r"\{\w*\}", "", text)))
        assert words <= known, place


@pytest.mark.parametrize("kind", CATALOGUES)
def test_french_is_set_with_its_own_spaces_and_apostrophes(kind):
    for place, text in texts_of(CATALOGUES[kind]["fr"]).items():
        assert not re.search(r" [:;?!%»]|« |'", text), place


@pytest.mark.parametrize("kind", ["situation", "monthly"])
def test_nobody_is_called_displaced(kind):
    forbidden = {"en": r"\bIDPs?\b|internally displaced", "fr": r"\bPDI\b|déplacés internes", "ar": "نزوح|نازحون"}
    for language, pattern in forbidden.items():
        found = [t for t in texts_of(CATALOGUES[kind][language]).values() if re.search(pattern, t)]
        assert found == []


def test_a_catalogue_that_lacks_an_entry_is_refused():
    whole = {field.name: getattr(FRENCH, field.name) for field in fields(FRENCH)}
    del whole["trust"]
    with pytest.raises(TypeError, match="trust"):
        type(FRENCH)(**whole)


def test_every_text_is_changed_also_within_counted_ones_and_tuples():
    upper = each_text(SITUATION["en"], str.upper)
    assert all(text == text.upper() for text in texts_of(upper).values())
    assert upper.locale == SITUATION["en"].locale


# Forms of numbers, days and counts


@pytest.mark.parametrize(
    ("count", "form"),
    [(0, "zero"), (1, "one"), (2, "two"), (3, "few"), (10, "few"), (11, "many"), (26, "many"), (99, "many"),
     (100, "other"), (102, "other"), (103, "few"), (111, "many"), (200, "other"), (1_000, "other"), (1_003, "few")],
)  # fmt: skip
def test_arabic_counts_take_the_forms_that_the_cldr_gives_them(count, form):
    assert ARABIC.plural(count) == form


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ["1 day", "2 days", "3 days", "11 days", "100 days"]),
        ("fr", ["1 jour", "2 jours", "3 jours", "11 jours", "100 jours"]),
        ("ar", ["يوم واحد", "يومان", "3 أيام", "11 يوماً", "100 يوم"]),
    ],
)
def test_ages_of_data_agree_with_their_number(language, told):
    words = SITUATION[language]
    assert [words.locale.counted(words.age_days, count) for count in (1, 2, 3, 11, 100)] == told


@pytest.mark.parametrize(
    ("language", "number", "day", "interval", "difference"),
    [
        ("en", "12,345.6", "1 April 2026", "12,300 (11,900 to 12,700)", f"{MINUS}80 ({MINUS}120 to {MINUS}40)"),
        ("fr", "12\u202f345,6", "1er avril 2026", "12\u202f300 (11\u202f900 à 12\u202f700)",
         f"{MINUS}80 ({MINUS}120 à {MINUS}40)"),
        ("ar", "12,345.6", "1 أبريل 2026", "12,300 (11,900 إلى 12,700)",
         f"{LRI}{MINUS}80{PDI} ({LRI}{MINUS}120{PDI} إلى {LRI}{MINUS}40{PDI})"),
    ],
)  # fmt: skip
def test_numbers_and_days_take_the_form_of_the_language(language, number, day, interval, difference):
    locale = LOCALES[language]
    assert locale.number(12_345.6, 1) == number
    assert locale.day(date(2026, 4, 1)) == day
    assert locale.estimated(Estimate(12_312.4, 200.0)) == interval
    assert locale.signed(Estimate(-80.0, 20.0)) == difference


def test_a_difference_that_may_be_nothing_is_not_told():
    assert ENGLISH.signed(Estimate(-30.0, 20.0)) == ENGLISH.signed(None) == "not known"


# Texts of other hands


@pytest.mark.parametrize(
    ("language", "text", "set_in"),
    [
        ("en", "Flood of April", "Flood of April"),
        ("en", "فيضان أبريل 2026", f"{RLI}فيضان أبريل 2026{PDI}"),
        ("fr", "2026-W10", "2026-W10"),
        ("ar", "2026-W10", f"{LRI}2026-W10{PDI}"),
        ("ar", "فيضان أبريل 2026", "فيضان أبريل 2026"),
        ("ar", "", ""),
    ],
)
def test_an_inserted_text_keeps_its_direction_among_others(language, text, set_in):
    assert LOCALES[language].inserted(text) == set_in


@given(text=st.text(alphabet="abc \u202e\u202d\u2066\u2067\u2068\u2069\u200f\u200eفيض", max_size=20))
def test_no_name_of_a_stranger_turns_the_text_around_it(text):
    for locale in LOCALES.values():
        found = locale.inserted(text)
        assert not re.search("[\u200e\u200f\u202a-\u202e\u2068]", found)
        assert len(re.findall(f"[{LRI}{RLI}]", found)) == found.count(PDI) <= 1


# Sheets


def shown(sheet):
    return pypdf.PdfReader(io.BytesIO(pdf_of([sheet], "Title"))).pages[0].extract_text()


def test_a_mirrored_sheet_starts_lines_at_the_right_edge_and_mirrors_no_drawing():
    days = (date(2026, 4, 8), date(2026, 4, 9))
    chart = chart_of(Series("n", "t", days, (Estimate(1, 0.1), Estimate(9, 0.1)), "#000000"), ARABIC)
    plain, mirrored = Sheet(), Sheet("rtl")
    for sheet in (plain, mirrored):
        sheet.text((MARGIN, 20), "المقيمون", BODY)
        sheet.drawing((MARGIN, 30), chart, 50)
    (_, (left, _, right, _)), *labels = mirrored.boxes
    assert right == pytest.approx(WIDTH - MARGIN, abs=0.3)
    assert left == pytest.approx(WIDTH - MARGIN - width_of("المقيمون", BODY), abs=0.5)
    places = {text: box[0] for text, box in labels}
    assert places["8 أبريل"] < places["9 أبريل"]  # time runs to the right
    shift = {text: box[0] - dict(plain.boxes)[text][0] for text, box in labels}
    assert max(shift.values()) - min(shift.values()) < 1e-6  # the chart as a whole has moved, and nothing in it


def test_inserted_texts_stand_in_the_order_in_which_a_line_is_read():
    sheet = Sheet("rtl")
    sheet.text((MARGIN, 20), f"في {LRI}2026-W10{PDI} و{LRI}2026-W11{PDI} كان العدد {LRI}+400{PDI}", BODY)
    ends = [right for _, (_, _, right, _) in sheet.boxes]
    assert [text.strip("\u200f") for text, _ in sheet.boxes] == ["في", "2026-W10", "و", "2026-W11", "كان العدد", "+400"]
    assert ends == sorted(ends, reverse=True)


def test_arabic_letters_are_joined():
    joined, apart = width_of("منازلهم", BODY), width_of("\u200c".join("منازلهم"), BODY)
    assert joined < 0.9 * apart


@pytest.mark.parametrize("heading", ["أين هم الآن", "ما لا تراه هذه الأرقام", "من أين إلى أين", "التقرير الشهري"])
def test_arabic_is_read_back_from_a_pdf_letter_by_letter(heading):
    sheet = Sheet("rtl")
    sheet.text((MARGIN, 20), heading, BODY)
    # The reader lists the words of a line from left to right, and the letters of each as they are read.
    assert shown(sheet).replace("\u200f", "").split()[::-1] == heading.split()


def test_a_line_that_begins_with_a_code_starts_at_the_right_all_the_same():
    sheet = Sheet("rtl")
    sheet.text((MARGIN, 20), "W10 هو الأسبوع", BODY)
    assert shown(sheet).replace("\u200f", "").split() == ["الأسبوع", "هو", "W10"]


@given(words=st.lists(st.sampled_from(["فيضان", f"{LRI}Flood of April{PDI}", "2026", "في"]), max_size=30))
def test_a_text_that_runs_over_several_lines_is_closed_in_each(words):
    lines = wrapped(" ".join(words), BODY, 25.0)
    assert all(line.count(LRI) == line.count(PDI) for line in lines)
    plain = re.sub(f"[{LRI}{PDI}]", "", " ".join(lines))
    assert plain == re.sub(f"[{LRI}{PDI}]", "", " ".join(words))


# Languages asked for


def test_all_languages_may_be_asked_for_and_each_is_written_once():
    assert languages_of(["all"]) == LANGUAGES
    assert languages_of(["ar", "en", "ar"]) == ("en", "ar")
    assert languages_of([]) == ("en",)


def test_a_language_that_is_none_of_ours_is_refused():
    with pytest.raises(ConfigError, match="en, fr, ar, or all"):
        languages_of(["de"])


def test_english_files_have_plain_names_and_others_name_their_language():
    names = [file_name("situation", language, "pdf") for language in LANGUAGES]
    assert names == ["situation.pdf", "situation.fr.pdf", "situation.ar.pdf"]

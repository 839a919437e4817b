"""The catalogue lists what was verified, what became of it and where series break, and runs and fetches nothing."""

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from jobs.publish.bundle import bundle_files
from jobs.publish.catalogue.run import write_catalogue
from jobs.publish.errata import erratum_about, keep_erratum
from privacy.ledger import ReleaseKey
from privacy.release import release
from privacy.signing import sign
from schemas.errors import BundleError, SignatureError
from tests.approvals import clearance_for, key_of, trust
from tests.plans import plan_of
from tests.shares import agreement, shared, written
from tests.unit.test_product_bundles import made, released

SLUG = "active_subscribers_2026-03-04_r1"
HOSTILE = '<script>alert("x")</script><img src=http://h.example/>'


def bundle_of(root, one):
    files = bundle_files(one, clearance_for(one))
    return written(root / one.key.slug, files)


def plan_like(**fields):
    plan = plan_of("active_subscribers", period=fields.pop("period", None))
    return replace(plan, **fields)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Three releases of a day each, the second by another definition, and the homes of a month."""
    root = tmp_path_factory.mktemp("release")
    later = plan_like(period="2026-03-05")
    changed = replace(later, definition_parameters={"max_gap_h": 12.0}, country=HOSTILE)
    for one in (made("active_subscribers"), released(changed), made("residents")):
        bundle_of(root, one)
    return root


@pytest.fixture
def folder(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "release")


def catalogue_of(folder, tmp_path, **options):
    page, document = write_catalogue(folder, tmp_path / "out", **options)
    return page.read_text(encoding="utf-8"), json.loads(document.read_bytes())


class Elements(HTMLParser):
    """What a page consists of, read by the standard library's parser."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_every_release_is_listed_with_its_class_its_cost_and_its_digest(folder, tmp_path):
    page, document = catalogue_of(folder, tmp_path, trust=trust())

    assert [one["bundle"] for one in document["releases"]] == [
        SLUG, "active_subscribers_2026-03-05_r1", "residents_2026-03_r1",
    ]  # fmt: skip
    assert all(one["status"] == "current" and one["sums_sha256"] in page for one in document["releases"])
    assert {one["signed_by"] for one in document["releases"]} == {"gate (publisher)"}
    assert {one["approved_by"] for one in document["releases"]} == {"Amina (dpo)"}
    assert document["schema_version"] == 1


def test_a_break_of_definition_is_told_with_before_and_after(folder, tmp_path):
    page, document = catalogue_of(folder, tmp_path)
    (found,) = document["breaks"]
    assert found == {
        "series": "active_subscribers/day",
        "period": "2026-03-05",
        "what": "parameters of the definition",
        "before": "",
        "after": "max_gap_h 12.0",
    }
    assert "max_gap_h 12.0" in page


def test_the_page_fetches_and_runs_nothing_whatever_bundles_say(folder, tmp_path):
    erratum = erratum_about(SLUG, "e1", "corrected", HOSTILE, None)
    keep_erratum(tmp_path / "errata", sign(erratum, key_of("gate")))
    page, _ = catalogue_of(folder, tmp_path, errata=tmp_path / "errata")
    found = Elements(page)

    assert not {"script", "img", "link", "iframe", "object", "form"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in {"src", "style"}]
    assert all(value.startswith("#") for name, value in found.attributes if name == "href")
    assert any("default-src 'none'" in value for name, value in found.attributes if name == "content")
    assert page.count("&lt;script&gt;") >= 2


def test_links_of_the_calendar_lead_to_releases_of_the_page(folder, tmp_path):
    page, document = catalogue_of(folder, tmp_path)
    found = Elements(page)
    targets = {value for name, value in found.attributes if name == "id"}
    links = {value[1:] for name, value in found.attributes if name == "href"}
    assert links == {one["bundle"] for one in document["releases"]}
    assert links <= targets


def test_equal_bundles_give_equal_bytes_from_folders_and_from_zips(folder, tmp_path):
    first = [path.read_bytes() for path in write_catalogue(folder, tmp_path / "one")]
    for bundle in [*folder.iterdir()]:
        shutil.make_archive(str(bundle), "zip", folder, bundle.name)
    assert [path.read_bytes() for path in write_catalogue(folder, tmp_path / "two")] == first
    for bundle in [path for path in folder.iterdir() if path.is_dir()]:
        shutil.rmtree(bundle)
    assert [path.read_bytes() for path in write_catalogue(folder, tmp_path / "three")] == first


def test_a_later_revision_supersedes_and_the_calendar_shows_it(folder, tmp_path):
    bundle_of(folder, revised())
    page, document = catalogue_of(folder, tmp_path)
    states = {one["bundle"]: (one["status"], one["superseded_by"]) for one in document["releases"]}
    assert states[SLUG] == ("superseded", "active_subscribers_2026-03-04_r2")
    assert states["active_subscribers_2026-03-04_r2"] == ("current", None)
    assert re.search(r'href="#active_subscribers_2026-03-04_r2"[^>]*>✓ r2', page)
    assert f'href="#{SLUG}"' not in page


def test_a_revision_that_was_never_published_does_not_make_the_one_before_it_current(folder, tmp_path):
    bundle_of(folder, revised(3))
    _, document = catalogue_of(folder, tmp_path)
    states = {one["bundle"]: (one["status"], one["superseded_by"]) for one in document["releases"]}
    assert states[SLUG] == ("superseded", "active_subscribers_2026-03-04_r3")
    assert states["active_subscribers_2026-03-04_r3"] == ("current", None)


def revised(last=2):
    """A later revision, released after those before it in a ledger of its own."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from privacy.ledger import Ledger
    from privacy.policy import Policy
    from privacy.vault import Vault
    from tests.unit.test_bundle_example import HEAD_AT
    from tests.unit.test_product_bundles import totals

    with TemporaryDirectory() as root:
        ledger = Ledger.open(f"sqlite:///{root}/ledger.sqlite", clock=lambda: HEAD_AT)
        doors = {"ledger": ledger, "vault": Vault(Path(root) / "vault"), "policy": Policy.load()}
        for revision in range(1, last + 1):
            plan = plan_like(key=ReleaseKey("active_subscribers", "2026-03-04", revision))
            one = release(plan, exact=lambda plan=plan: (totals(plan), "ab" * 32), **doors)
        return one


def test_errata_and_revoked_keys_are_listed_and_what_is_withdrawn_says_so(folder, tmp_path):
    erratum = erratum_about(SLUG, "e1", "withdrawn", "Towers were misplaced", None)
    keep_erratum(tmp_path / "errata", sign(erratum, key_of("Amina")))
    revoked = trust(("former gate", datetime(2026, 3, 1, tzinfo=UTC)))
    page, document = catalogue_of(folder, tmp_path, errata=tmp_path / "errata", trust=revoked)

    assert {one["bundle"]: one["status"] for one in document["releases"]}[SLUG] == "withdrawn"
    assert [one["reason"] for one in document["errata"]] == ["Towers were misplaced"]
    assert [one["name"] for one in document["revoked_keys"]] == ["former gate"]
    assert "Towers were misplaced" in page
    assert "former gate" in page


def test_a_stranger_s_erratum_is_refused_where_the_keys_are_known(folder, tmp_path):
    erratum = erratum_about(SLUG, "e1", "withdrawn", "Because", None)
    keep_erratum(tmp_path / "errata", sign(erratum, key_of("stranger")))
    with pytest.raises(SignatureError, match="is not in the list"):
        catalogue_of(folder, tmp_path, errata=tmp_path / "errata", trust=trust())
    assert not (tmp_path / "out").exists()


def test_what_was_shared_with_somebody_is_left_out(folder, tmp_path):
    slug, files = shared(made("presence"), agreement())
    written(folder / slug, files)
    page, document = catalogue_of(folder, tmp_path)
    assert "Ministry" not in page
    assert "1 bundles that were shared" in page
    assert len(document["releases"]) == 3


def test_a_damaged_bundle_and_an_empty_folder_are_refused(folder, tmp_path):
    (folder / SLUG / "README.md").write_text("x")
    with pytest.raises(BundleError, match="was altered"):
        write_catalogue(folder, tmp_path / "out")
    with pytest.raises(BundleError, match="no published bundle"):
        write_catalogue(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_purpose_recorded_before_the_run_stands_in_the_ledger_the_card_and_the_readme():
    purpose = {
        "purpose": "Official tourism statistics", "legal_basis": "Statistics Act, section 9", "controller": "Operator",
        "contact": "dpo@operator.example", "reviewed_on": "2026-02-01",
    }  # fmt: skip
    plan, plain = plan_like(purpose=purpose), plan_like()
    one = released(plan)
    files = bundle_files(one, clearance_for(one))

    assert plan.specification.parameters["purpose"] == purpose
    assert "purpose" not in plain.specification.parameters
    assert "purpose" not in plain.card
    assert json.loads(files["card.json"])["purpose"] == purpose
    assert (
        "Made for: Official tourism statistics. Legal basis: Statistics Act, section 9." in files["README.md"].decode()
    )
    assert plan.has_the_terms_of(plain.card)  # why it is made changes no value

"""Subscribers who object: as if they had never been there, and nobody can tell how many they are."""

import json
import shutil
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from jobs.config import IngestConfig
from jobs.ingest import exclusions
from jobs.ingest.exclusions import exclude_from_stored_days, listed_numbers
from jobs.releases import Desk
from jobs.storage import Storage
from privacy.unit import Period
from schemas.errors import ConfigError
from tests.installations import FIRST, deliver, exact_totals, files_of, installation, parts, subscriber_days

LAST = FIRST + timedelta(1)
DAY = Period.parse(str(LAST))


@pytest.fixture(scope="module")
def objecting(tiny_country):
    """A tenth of the country, some of them spelt in other ways than the operator does."""
    numbers = pq.read_table(tiny_country.folder / "truth/homes.parquet")["msisdn"].to_pylist()[::10]
    return numbers, [("+", "00", " ", "")[n % 4] + number for n, number in enumerate(numbers)]


def with_list(config, lines):
    path = config.storage.confidential.parent / "exclusions.txt"
    path.write_text("# who objected\n\n" + "\n".join(lines) + "\n")
    path.chmod(0o600)
    return config.model_copy(update={"ingest": IngestConfig(exclusions=path)})


@pytest.fixture(scope="module")
def without_them(tiny_country, objecting, tmp_path_factory):
    """The files of two days as they would be if the operator had never had these subscribers."""
    folder = tmp_path_factory.mktemp("without")
    for number, file in enumerate(files_of(tiny_country, "whimbrel")[:2]):
        table = pq.read_table(file)
        spelt = pc.utf8_ltrim(pc.utf8_trim_whitespace(pc.cast(table["msisdn"], "string")), characters="+0")
        theirs = pc.fill_null(pc.is_in(spelt, value_set=pc.cast(pa.array(objecting[0]), "string")), False)
        pq.write_table(table.filter(pc.invert(theirs)), folder / f"{number}.parquet")
    return sorted(folder.iterdir())


def ingested(session, root, country, files, lines=None):
    """An installation with two days, delivered one after the other so that the second brings late rows of the first."""
    config = installation(root, cells=country.folder / "cells.csv")
    config = config if lines is None else with_list(config, lines)
    for number, file in enumerate(files[:2]):
        day = FIRST + timedelta(number)
        deliver(session, config, [file], first=day, last=day)
    return config


def seen(config):
    storage = Storage.of(config.storage)
    return subscriber_days(storage, FIRST, LAST), [row[-1] for row in parts(storage)]


def books(config):
    return [record.model_dump(exclude={"files"}) for record in Storage.of(config.storage).deliveries().values()]


@pytest.fixture(scope="module")
def made(engines, tiny_country, objecting, without_them, tmp_path_factory):
    """`made("spark", "listed")`: an installation of one engine, ingested once; not to be changed.

    Its subscribers are everybody; listed: everybody but those on a list; never: those who do not object alone.
    """
    files, done = files_of(tiny_country, "whimbrel"), {}
    of = {
        "everybody": (files, None),
        "nobody": (files, []),
        "listed": (files, objecting[1]),
        "never": (without_them, None),
    }

    def ask(engine, kind):
        if (engine, kind) not in done:
            with engines(engine) as session:
                root = tmp_path_factory.mktemp(f"{engine}_{kind}")
                done[engine, kind] = ingested(session, root, tiny_country, *of[kind])
        return done[engine, kind]

    return ask


@pytest.mark.parametrize("name", ["sail", "spark"])
def test_who_is_on_the_list_has_never_been_there(engines, made, name):
    listed, never = made(name, "listed"), made(name, "never")

    assert seen(listed)[0] == seen(never)[0]
    assert len(seen(listed)[0]) > 100
    with engines(name) as session:
        assert exact_totals(session, listed, period=DAY) == exact_totals(session, never, period=DAY)


def test_the_books_do_not_tell_how_many_object(made):
    everybody, nobody, some = (made("sail", kind) for kind in ("everybody", "nobody", "listed"))

    assert books(everybody) == books(nobody) == books(some)
    assert all(book["read"] == book["kept"] + sum(book["quarantined"].values()) for book in books(some))
    assert len(seen(some)[0]) < len(seen(nobody)[0]) == len(seen(everybody)[0])


@pytest.fixture
def late_objection(made, objecting, tiny_country, tmp_path):
    """A copy of an installation in which everybody is stored, with a list that came afterwards."""

    def copy(name):
        shutil.copytree(made(name, "everybody").storage.confidential.parent, tmp_path, dirs_exist_ok=True)
        return with_list(installation(tmp_path, cells=tiny_country.folder / "cells.csv"), objecting[1])

    return copy


@pytest.mark.parametrize("name", ["sail", "spark"])
def test_a_later_objection_empties_the_days_before_it(engines, made, objecting, late_objection, name, capfd):
    config, never = late_objection(name), made(name, "never")
    with engines(name) as session:
        exclude_from_stored_days(session, config, Storage.of(config.storage))
        assert exact_totals(session, config, period=DAY) == exact_totals(session, never, period=DAY)

    assert seen(config) == seen(never)
    told = capfd.readouterr()
    assert not [number for number in objecting[0] if str(number) in told.out + told.err]


def test_an_exclusion_that_was_killed_is_finished_by_the_next(sail, made, late_objection):
    config, write, calls = late_objection("sail"), exclusions.write_whole, []

    def killed(path, content):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write(path, content)

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(exclusions, "write_whole", killed)
        exclude_from_stored_days(sail, config, Storage.of(config.storage))
    assert seen(config) != seen(made("sail", "never"))
    exclude_from_stored_days(sail, config, Storage.of(config.storage))

    assert seen(config) == seen(made("sail", "never"))
    assert not (config.storage.confidential / "scratch").exists()


def test_no_file_of_the_installation_holds_a_listed_number(made, objecting):
    config = made("sail", "listed")
    for path in (path for path in config.storage.confidential.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not [number for number in objecting[0] if str(number).encode() in content], path


@pytest.mark.parametrize(("prepare", "complaint"), [
    (lambda _: None, "cannot be read"),
    (lambda path: (path.write_text("1"), path.chmod(0o644)), "by others"),
    (lambda path: (path.write_bytes(b"\xff\xfe\xff"), path.chmod(0o600)), "cannot be read"),
])  # fmt: skip
def test_a_list_that_cannot_be_used_is_refused_without_a_word_of_it(tmp_path, prepare, complaint):
    prepare(tmp_path / "list")
    with pytest.raises(ConfigError, match=complaint) as refusal:
        listed_numbers(tmp_path / "list")
    assert refusal.value.remedy


def test_without_a_list_there_is_nothing_to_exclude(sail, tiny_country, tmp_path):
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    with pytest.raises(ConfigError, match="No list of exclusions is configured"):
        exclude_from_stored_days(sail, config, Storage.of(config.storage))
    assert json.dumps(Desk.of(config).ledger.charges()) == "[]"

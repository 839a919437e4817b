"""More than 20,000 damaged inputs, seeded: files, their names and packing, configuration, cell tables, lists, maps.

Whatever comes in: nothing but our own error reaches the user, no number of a subscriber stands in what is said or set
aside, every row that is read is kept or quarantined, rows beside a damaged one are kept, and memory is bounded. A
failure names its seed and shows the smallest input that still fails.
"""

import gzip
import json
import re
import resource
import shutil
import subprocess
import sys
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import session as sessions
from jobs.config import Config
from jobs.ingest.arrival import Arrived
from jobs.ingest.damage import first_unreadable
from jobs.ingest.exclusions import listed_numbers
from jobs.storage import DeliveryRecord, Storage
from privacy.approval import Trust
from privacy.places import SensitivePlaces
from privacy.policy import Policy
from schemas.errors import WhimbrelError
from tests.audit.mutations import damaged, damaged_line, packed_badly, random_of, smallest, trick
from tests.end_to_end.canaries import unfolded
from tests.installations import KEY, SOURCES, deliver, installation, run_whimbrel

pytestmark = pytest.mark.audit

SEED = 20_260_302
DAY = date(2026, 3, 2)
CANARY = re.compile(rb"263771[0-9]{6}")
MOST_MB = 2_000
"""Megabytes that this process may take at most, sessions of an engine included; a bomb unpacks to far more."""

CELLS = (
    "cell_id,latitude,longitude,valid_from,valid_to\nC0,-20.1,57.5,2020-01-01,\nC1,-20.2,57.6,2020-01-01,2030-01-01\n"
)


def number(n):
    return f"263771{n:06}"


# Documents: configuration, cell tables, lists, policy.

CONFIG = """\
policy = "policy.toml"
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
base_resolution = 6
[storage]
confidential = "confidential"
[engine]
name = "sail"
shuffle_partitions = 2
[pseudonyms]
key_file = "key"
[[pseudonyms.epochs]]
from = "2028-01"
key_command = ["vault", "kv", "get"]
[cells]
path = "cells.csv"
[ingest]
late_days = 7
[retention]
quarantine_days = 14
subscriber_days = 90
[approval]
publisher_key = "keys/gate.pem"
[boundaries]
path = ["adm1.geojson"]
levels = [1]
snap_km = 5.0
[sources.own]
format = "csv"
header = false
fields = 3
columns = { subscriber = 0, time = 1, cell = 2 }
time_format = "dd/MM/yyyy HH:mm:ss"
time_zone = "local"
"""
PLACES = """\
version = 1
[[places]]
id = "shelter-3"
kind = "shelter"
rule = "withhold"
reason = "address not public"
review_by = 2027-01-31
cells = ["86754e64fffffff"]
"""
OUTAGES = "cell_id,down_from,down_to\nC0,2026-03-02 10:00:00,2026-03-03 10:00:00\n"
BOUNDARIES = json.dumps(
    {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"ADM1_PCODE": f"N{n}", "ADM1_EN": f"North {n}", "ADM0_PCODE": "N"},
                "geometry": {"type": "Polygon", "coordinates": [[[n, 0], [n + 1, 0], [n + 1, 1], [n, 1], [n, 0]]]},
            }
            for n in range(2)
        ],
    }
)
TRUST = """\
version = 1
[[keys]]
name = "Amina"
role = "dpo"
key = "ed25519:AAAAC3NzaC1lZDI1NTE5AAAAIGZha2VrZXlmYWtla2V5ZmFrZWtleWZha2VrZXlmYWtl"
from = 2026-01-01T00:00:00Z
"""


def read_config(file):
    Config.load(file)


def read_cell_table(file):
    from jobs.config import CellsConfig
    from jobs.ingest.cells import read_cells

    read_cells(CellsConfig(path=file))


def read_outage_feed(file):
    from jobs.mobility.network import read_outages

    read_outages(file, [])


def read_layer(file):
    from jobs.boundaries import read_boundaries
    from jobs.config import BoundariesConfig

    read_boundaries(BoundariesConfig(path=file, levels=(1,)))


def read_exclusions(file):
    file.chmod(0o600)
    listed_numbers(file)


DOCUMENTS = {
    "whimbrel.toml": (read_config, CONFIG, 2_500),
    "cells.csv": (read_cell_table, CELLS, 2_500),
    "outages.csv": (read_outage_feed, OUTAGES, 1_000),
    "adm1.geojson": (read_layer, BOUNDARIES, 1_500),
    "places.toml": (SensitivePlaces.load, PLACES, 1_000),
    "policy.toml": (
        Policy.load,
        (Path(sys.modules["privacy.policy"].__file__).with_name("policy.toml")).read_text(),
        250,
    ),
    "trust.toml": (Trust.load, TRUST, 500),
    "exclusions.txt": (read_exclusions, f"# who objects\n{number(1)}\n+{number(2)}\n", 500),
}
"""Reader, sound document, how many damaged ones."""


def ends_well(read, file, data):
    """Tell whether a reader takes a document or refuses it as it should."""
    file.write_bytes(data)
    try:
        read(file)
    except WhimbrelError as error:
        return CANARY.search(str(error).encode()) is None
    except Exception:
        return False
    return True


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_damaged_document_is_read_or_refused_in_our_own_words(tmp_path, name):
    read, sound, many = DOCUMENTS[name]
    file = tmp_path / name
    for n in range(many):
        data = damaged(random_of(SEED, name, n), sound.encode())
        if not ends_well(read, file, data):
            least = smallest(lambda shorter: not ends_well(read, file, shorter), data)
            file.write_bytes(least)
            pytest.fail(f"seed {SEED}/{name}/{n}: {least[:500]!r} ends with {_what(read, file)}")


def _what(read, file):
    try:
        read(file)
    except BaseException as error:
        return repr(error)[:300]
    return "nothing now"


# Files, before an engine sees them.

LINE = f"{number(7)},02/03/2026 10:00:00,C0\n".encode()
TABLE = pa.table(
    {
        "msisdn": [number(n) for n in range(30)],
        "event_at": pa.array([1_772_434_800_000_000 + n for n in range(30)], pa.timestamp("us", tz="UTC")),
        "cell_id": ["C0"] * 30,
        "sex": ["female"] * 30,
        "age_band": ["15-24"] * 30,
    }
)


def parquet(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


SOUND_PARQUET = parquet(TABLE)


def damaged_file(chance):
    """Bytes of a file in one of the layouts, and the layout with its suffix."""
    match chance.randrange(5):
        case 0:
            return damaged(chance, LINE * 20), "world_bank", ".csv"
        case 1:
            return packed_badly(chance, LINE * 20), "world_bank", ".csv.gz"
        case 2:
            return packed_badly(chance, damaged(chance, LINE * 20)), "world_bank", ".gz"
        case 3:
            return damaged(chance, SOUND_PARQUET, most=8), "whimbrel", ".parquet"
        case _:
            return parquet(odd_table(chance)), "whimbrel", ".parquet"


ODD_COLUMNS = (
    pa.array([1] * 30), pa.array([1.5] * 30), pa.array([None] * 30, pa.string()), pa.nulls(30), pa.array([[1, 2]] * 30),
    pa.array([{"a": 1}] * 30), pa.array([b"\xff"] * 30), pa.array([True] * 30), pa.array(["x" * 5_000] * 30),
    pa.array([b"\xff\xfe"] * 30, pa.binary()), pa.array([0] * 30, pa.timestamp("ns")), pa.array([0] * 30, pa.date32()),
    pa.array([0] * 30, pa.time64("us")), pa.array([2**62] * 30, pa.timestamp("us")),
    pa.array([-(2**62)] * 30, pa.int64()), pa.array(["C0"] * 30).dictionary_encode(), pa.array([number(3)] * 30),
    pa.array([DAY] * 30), pa.array([0] * 30, pa.uint64()), pa.array(["2026-03-02 10:00:00"] * 30, pa.large_string()),
    pa.array([b"\xff"] * 30, pa.binary()).view(pa.string()),
)  # fmt: skip


def odd_table(chance):
    """The table with columns of other types, names, order or number."""
    table = TABLE
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(table.num_columns) if table.num_columns else 0
        match chance.randrange(5):
            case 0 | 1 | 2 if table.num_columns:
                table = table.set_column(place, table.column_names[place], chance.choice(ODD_COLUMNS))
            case 3 if table.num_columns > 1:
                table = table.remove_column(place)
            case _:
                table = table.append_column(
                    chance.choice(("x", "CELL_ID", "a.b", "`", "msisdn ", "é")), chance.choice(ODD_COLUMNS)
                )
    return table


def test_a_damaged_file_is_taken_or_refused_before_an_engine_sees_it(tmp_path):
    for n in range(2_500):
        chance = random_of(SEED, "file", n)
        data, layout, suffix = damaged_file(chance)
        file = tmp_path / f"{n}{suffix}"
        file.write_bytes(data)
        try:
            first_unreadable(Arrived.of([file], SOURCES[layout]).files, SOURCES[layout])
        except WhimbrelError as error:
            assert not CANARY.search(str(error).encode()), (SEED, n)
        except Exception as error:
            pytest.fail(f"seed {SEED}/file/{n}: {data[:300]!r} ends with {error!r}"[:900])
        file.unlink()


def test_a_path_is_the_file_that_it_names_or_refused(tmp_path):
    for n in range(1_500):
        chance = random_of(SEED, "path", n)
        path = trick(chance, tmp_path / str(n), LINE)
        try:
            arrived = Arrived.of([path], SOURCES["world_bank"])
            links = arrived.plainly_named(tmp_path / "links")
        except WhimbrelError:
            continue
        except Exception as error:
            pytest.fail(f"seed {SEED}/path/{n}: {path!r} ends with {error!r}")
        finally:
            linked = [link.read_bytes() for link in (tmp_path / "links").rglob("*") if link.is_file()]
            shutil.rmtree(tmp_path / "links", ignore_errors=True)
            shutil.rmtree(tmp_path / str(n))
        assert linked in ([], [LINE] * len(linked)), (SEED, n)
        assert all(re.fullmatch(r"[/\w+=@~. -]+", str(link)) for link in links), (SEED, n)
        assert not [link for link in links if link.name.startswith((".", "_"))], "engines pass over such names"


# Rows, through the engine.


@pytest.fixture
def config(tmp_path):
    (tmp_path / "cells.csv").write_text(CELLS)
    return installation(tmp_path / "root", cells=tmp_path / "cells.csv")


def rows_of_file(round_, file, many):
    """Sound lines with damaged ones between them, and how many sound ones there are."""
    lines = []
    for n in range(many):
        lines.append(f"{number(1_000 * file + n)},02/03/2026 1{n % 10}:00:00,C{n % 2}\n".encode())
        lines.append(damaged_line(random_of(SEED, "row", round_, file, n), LINE))
    return lines


def is_sound(session, config, folder, sound):
    """Deliver a folder, say what is wrong, and clear the installation."""
    storage = Storage.of(config.storage)
    try:
        deliver(session, config, [folder], layout="world_bank", first=DAY, last=DAY)
        (record,) = storage.deliveries().values()
        return accounted(storage, record) and record.kept >= sound
    except Exception:
        return False
    finally:
        for path in storage.confidential.glob("[!.]*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def accounted(storage, record):
    """Whether each row read is kept or set aside, is there, and nothing of a subscriber stands beside it."""
    written = [path for name in ("quarantine", "deliveries") for path in (storage.confidential / name).rglob("*")]
    texts = [unfolded(path.name, path.read_bytes()) for path in written if path.is_file()]
    return (
        record.read == record.kept + sum(record.quarantined.values())
        and not any(CANARY.search(text) for text in texts)
        and not (storage.confidential / "scratch").exists()
    )


@pytest.mark.parametrize("round_", range(4))
def test_damaged_rows_are_kept_or_quarantined_and_those_beside_them_are_kept(sail, config, tmp_path, round_):
    folder, files, many = tmp_path / "inbox", 10, 250
    folder.mkdir()
    rows = [rows_of_file(round_, file, many) for file in range(files)]
    for file, lines in enumerate(rows):
        text = b"".join(lines)
        (folder / f"{file}.csv{'.gz' * (file % 2)}").write_bytes(gzip.compress(text) if file % 2 else text)

    if not is_sound(sail, config, folder, files * many):
        pytest.fail(f"seed {SEED}/row/{round_}: {_smallest_rows(sail, config, tmp_path, rows)}")


def _smallest_rows(session, config, tmp_path, rows):
    """The damaged lines without which the delivery goes well, beside one sound line."""

    def fails(lines):
        folder = tmp_path / "smaller"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "a.csv").write_bytes(b"".join([rows[0][0], *lines]))
        return not is_sound(session, config, folder, 1)

    lines = [line for file in rows for line in file[1::2]]
    return smallest(fails, lines)[:5] if fails(lines) else "all of it together, not in one file"


# Whole commands.

DAYS = (*["2026-03-02"] * 8, "2026-W10", "2026-03-02/2026-03-03", "2026-13-40", "x", "2026-03-03/2026-03-02", "")
WORLD_BANK = """\
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
[engine]
shuffle_partitions = 2
[pseudonyms]
key_file = "key"
[cells]
path = "cells.csv"
[sources.world_bank]
format = "csv"
header = false
fields = 3
columns = { subscriber = 0, time = 1, cell = 2 }
time_format = "dd/MM/yyyy HH:mm:ss"
time_zone = "local"
[sources.whimbrel]
format = "parquet"
columns = { subscriber = "msisdn", time = "event_at", cell = "cell_id", sex = "sex", age_band = "age_band" }
"""


def lay_out(root, chance, data, layout, suffix):
    """An installation, and a delivery in it of which something is wrong; gives the path of the delivery."""
    root.mkdir()
    for name, text in {"whimbrel.toml": WORLD_BANK, "cells.csv": CELLS, "key": KEY}.items():
        sound = text.encode()
        (root / name).write_bytes(damaged(chance, sound) if name != "key" and chance.random() < 0.1 else sound)
    (root / "key").chmod(0o600)
    if chance.random() < 0.25 and layout == "world_bank":
        return trick(chance, root / "inbox", LINE * 3)
    (root / "inbox").mkdir()
    (root / "inbox" / f"damaged{suffix}").write_bytes(data)
    good = (LINE * 5, ".csv") if layout == "world_bank" else (SOUND_PARQUET, ".parquet")
    (root / "inbox" / f"good{good[1]}").write_bytes(good[0])
    return root / "inbox"


def test_whole_commands_end_with_0_or_2_and_say_nothing_of_anybody(sail, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sessions, "open_session", lambda _: nullcontext(sail))
    ended = []
    for n in range(250):
        chance = random_of(SEED, "command", n)
        root = tmp_path / str(n)
        path = lay_out(root, chance, *(made := damaged_file(chance)))
        days = chance.choice(DAYS) or "''"
        line = f"ingest {str(path).replace(' ', '*')} --days {days} --source {made[1]} --config {root}/whimbrel.toml"

        code, out, err = run_whimbrel(line, monkeypatch, capsys)

        assert code in {0, 2}, f"seed {SEED}/command/{n}: {path} {made[0][:200]!r} ends with {code}: {err[:500]}"
        assert "Traceback" not in err, f"seed {SEED}/command/{n}"
        assert not CANARY.search((out + err).encode()), f"seed {SEED}/command/{n}: {(out + err)[:500]}"
        records = list((root / "confidential" / "deliveries").glob("*.json"))
        assert len(records) == (code == 0), f"seed {SEED}/command/{n}"
        for file in records:
            storage = Storage(root / "confidential", root / "release")
            record = DeliveryRecord.model_validate_json(file.read_bytes())
            assert accounted(storage, record), f"seed {SEED}/command/{n}"
            assert record.read >= 2, f"seed {SEED}/command/{n}: a file was passed over"
        ended.append(code)
        shutil.rmtree(root)
    assert 40 < ended.count(0) < 210, "some of each, or nothing is tried"
    assert _peak_mb() < MOST_MB


# Bombs.

BOMB = """
import gzip, resource, sys
from datetime import date
from pathlib import Path
sys.path.insert(0, {root!r})
import jobs.cli
sys.argv = ["whimbrel", "ingest", "inbox", "--days", "2026-03-02", "--source", "world_bank"]
try:
    jobs.cli.run()
except SystemExit as ended:
    print(ended.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
MB = 1 << 20


def one_line_of_zeros():
    return (b"0" * MB for _ in range(700))


def one_line_at_the_end():
    yield LINE * 1_000
    yield from (b"\0" * MB for _ in range(700))


def one_row_many_times():
    return (LINE * 25_000 for _ in range(150))


@pytest.mark.parametrize(
    ("blocks", "code"), [(one_line_of_zeros, "2"), (one_line_at_the_end, "2"), (one_row_many_times, "0")]
)
def test_a_bomb_is_refused_or_read_in_bounded_memory(tmp_path, blocks, code):
    for name, text in {"whimbrel.toml": WORLD_BANK, "cells.csv": CELLS, "key": KEY}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "inbox").mkdir()
    with gzip.open(tmp_path / "inbox" / "bomb.csv.gz", "wb", compresslevel=1) as bomb:
        for block in blocks():
            bomb.write(block)

    program = BOMB.format(root=str(Path(__file__).parents[2]))
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)

    ended, peak_mb = done.stdout.split()[-2:]
    assert ended in {code, "None"} if code == "0" else ended == code, done.stderr
    assert int(peak_mb) < MOST_MB


def _peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def test_there_are_twenty_thousand_inputs():
    rows, files, paths, commands = 4 * 10 * 250, 2_500, 1_500, 250

    assert sum(many for _, _, many in DOCUMENTS.values()) + rows + files + paths + commands >= 20_000


# The net itself.


def test_a_planted_defect_of_each_kind_is_caught(tmp_path):
    def traceback_for_a_bracket(file):
        if b"[bold]" in file.read_bytes():
            raise KeyError("bold")

    def number_in_an_error(file):
        raise WhimbrelError(f"{number(5)} is wrong in {file.name}.")

    file = tmp_path / "a"
    assert not ends_well(traceback_for_a_bracket, file, b"x[bold]y")
    assert smallest(lambda data: not ends_well(traceback_for_a_bracket, file, data), b"xx[bold]yyyy") == b"[bold]"
    assert ends_well(traceback_for_a_bracket, file, b"xy")
    assert not ends_well(number_in_an_error, file, b"")

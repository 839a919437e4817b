"""The disaster drill of the operator guide, line by line, on a small country."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.approvals import with_keys
from tests.installations import KEY, run_whimbrel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_500)]  # its processes share a machine with whatever else runs

GUIDE = Path(__file__).parents[2] / "docs" / "operator-guide.md"

TOML = """events = "country/events.toml"
[country]
name = "Synthetica"
timezone = "Indian/Mauritius"
[engine]
shuffle_partitions = 2
[pseudonyms]
key_file = "key"
[cells]
path = "country/cells.csv"
[network]
outages = "country/outages.csv"
[approval]
trust = "trust.toml"
publisher_key = "keys/gate.pem"
[sources.whimbrel]
format = "parquet"
columns = { subscriber = "msisdn", time = "event_at", cell = "cell_id" }
"""


def lines():
    """The commands of the drill as the guide shows them."""
    section = GUIDE.read_text(encoding="utf-8").split("## A disaster drill")[1]
    return re.search(r"```sh\n(.*?)```", section, re.DOTALL).group(1).splitlines()


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A folder with a configuration and keys, as the guide asks for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    with_keys(tmp_path)
    for name in ("Amina", "Esi"):
        shutil.copy2(tmp_path / "keys" / f"{name}.pem", tmp_path / "keys" / f"{name.lower()}.pem")
    from tests.approvals import key_of

    (tmp_path / "keys" / "gate.pub").write_text(f"{key_of('gate').public}\n")
    (tmp_path / "whimbrel.toml").write_text(TOML)
    return tmp_path


def words(line, room):
    """A line as a shell hands it on: patterns become files."""
    for word in shlex.split(line)[1:]:
        yield from sorted(str(path.relative_to(room)) for path in room.glob(word)) if "*" in word else [word]


def run(line, room, monkeypatch, capsys):
    """Run a line; whoever signs says yes beforehand, and the country is small."""
    small = {"--subscribers 20000": "--subscribers 2000"}
    for long, short in small.items():
        line = line.replace(long, short)
    yes = " --yes" if " --key keys/" in line and "verify" not in line else ""
    return run_whimbrel(" ".join(words(line, room)) + yes, monkeypatch, capsys)


def test_the_drill_goes_through_and_its_questions_have_the_answers_that_the_guide_states(room, monkeypatch, capsys):
    drill = lines()
    for line in drill:
        if "whimbrel displacement" in line:
            shutil.copy(room / "confidential" / "ledger.sqlite", room / "yesterday.sqlite")
        code, out, told = run(line, room, monkeypatch, capsys)
        assert code == 0, f"{line}\n{out}\n{told}"
    assert (room / "situation" / "situation.html").is_file()

    charged = run_whimbrel("ledger --json", monkeypatch, capsys)[1]
    run("whimbrel displacement flood-2026-04", room, monkeypatch, capsys)
    assert run_whimbrel("ledger --json", monkeypatch, capsys)[1] == charged, "a repeat costs nothing"

    (room / "keys" / "gate.pem").unlink()
    code, _, told = run_whimbrel("publish displacement 2026-04-08", monkeypatch, capsys)
    assert (code, "gate.pem" in told) == (2, True)

    shutil.copy(room / "yesterday.sqlite", room / "confidential" / "ledger.sqlite")
    code, _, told = run_whimbrel("release od_trips 2026-W12", monkeypatch, capsys)
    assert (code, "forgotten" in told) == (2, True)
    assert run_whimbrel("doctor", monkeypatch, capsys)[0] == 2

"""Keys, signatures and publication through the command line, as people use them; nothing but an approval publishes."""

import json
import re
import shutil
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from privacy.approval import Trust
from privacy.signing import ReleaseApproval, sign
from privacy.unit import Period
from tests.approvals import key_of, with_keys
from tests.installations import FIRST, KEY, deliver, files_of, installation, run_whimbrel

DAYS = ("2026-03-02", "2026-03-03")
CONFIG = """\
events = "events.toml"
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
[pseudonyms]
key_file = "key"
[cells]
path = "{cells}"
[approval]
publisher_key = "keys/gate.pem"
[sources.whimbrel]
format = "parquet"
columns = {{ subscriber = "msisdn", time = "event_at", cell = "cell_id" }}
"""
EVENTS = """\
[[events]]
id = "cyclone-ana"
name = "Cyclone Ana"
hazard = "cyclone"
onset = 2026-05-12
source = "the meteorological service"
area = {{ zones = ["{zone}"] }}
"""


@pytest.fixture(scope="module")
def sealed(engines, tiny_country, tmp_path_factory):
    """An installation with two daily releases sealed, the first with a revision; nothing approved."""
    root = tmp_path_factory.mktemp("sealed")
    config = installation(root, cells=tiny_country.folder / "cells.csv")
    with engines("sail") as session:
        deliver(session, config, files_of(tiny_country, "whimbrel")[:2], last=FIRST + timedelta(1))
        desk = Desk.of(config)
        for day, revision in ((DAYS[0], 1), (DAYS[1], 1), (DAYS[0], 2)):
            desk.release(desk.plan("od_trips", Period.parse(day), revision), lambda: nullcontext(session))
    (root / "whimbrel.toml").write_text(CONFIG.format(cells=config.cells.path))
    (root / "events.toml").write_text(EVENTS.format(zone=desk.zones[0]))
    return root


@pytest.fixture
def root(sealed, tmp_path, monkeypatch):
    """A copy of it, to work in."""
    shutil.copytree(sealed, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def whimbrel(root, monkeypatch, capsys):  # noqa: ARG001  it works in that folder
    """`whimbrel("publish od_trips 2026-03-02")`: the exit code, and all that was said."""

    def run(line):
        code, out, err = run_whimbrel(line, monkeypatch, capsys)
        return code, err + out

    return run


def desk_of(root):
    from jobs.config import Config

    return Desk.of(Config.load(root / "whimbrel.toml"))


def left(root):
    return sorted(path.name for path in (root / "release").iterdir())


def kinds(root):
    return [str(entry.kind) for entry in desk_of(root).ledger.entries() if entry.kind in {"APPROVE", "PUBLISH"}]


def test_from_a_new_key_to_a_verified_bundle(root, whimbrel):
    shutil.rmtree(root / "keys")
    blocks = []
    for name, role in (("amina", "dpo"), ("gate", "publisher")):
        code, told = whimbrel(f"keys new {name} --role {role}")
        assert code == 0
        blocks.append(told[told.index("[[keys]]") :])
    (root / "trust.toml").write_text("version = 1\n" + "\n".join(blocks))

    code, told = whimbrel("approve release od_trips 2026-03-02 --key keys/amina.pem --yes")
    assert code == 0
    for fact in (
        "revision 1",
        "1,000 micro-rho",
        "1e-06",
        "1e-09",
        "privacy month",
        "2026-03",
        "artefact",
        "origin",
        "class",
    ):
        assert fact in told
    assert whimbrel("publish od_trips 2026-03-02")[0] == 0
    assert left(root) == ["od_trips_2026-03-02_r1", "od_trips_2026-03-02_r1.zip"]
    code, told = whimbrel("verify release/od_trips_2026-03-02_r1.zip --key keys/gate.pub --trust trust.toml")
    assert (code, "amina (dpo)" in " ".join(told.split())) == (0, True)
    code, told = whimbrel("ledger check")
    assert (code, "1 signatures hold" in told) == (0, True)
    code, told = whimbrel("approve show")
    assert (code, "amina" in told, "recorded" in told) == (0, True, True)
    code, told = whimbrel("keys list")
    assert (code, "gate" in told, "publisher" in told) == (0, True, True)


def test_without_an_approval_nothing_is_published_and_the_command_is_named(root, whimbrel):
    code, told = whimbrel("publish od_trips 2026-03-02")
    assert code == 2
    assert "od_trips 2026-03-02 r1 is not approved. Nobody has signed anything for it" in told
    assert "whimbrel approve release od_trips 2026-03-02 --key FILE" in told
    assert (left(root), kinds(root)) == ([], [])


def kept_by_hand(root, content, name=None):
    """What somebody who may write into the folder of approvals can put there."""
    from privacy.canonical import sha256_hex

    folder = root / "confidential" / "approvals"
    folder.mkdir(exist_ok=True)
    (folder / f"{name or sha256_hex(content)}.json").write_bytes(content)


def by_hand(root, *, by="Amina", day=DAYS[0], of=DAYS[0]):
    """A signed approval of a day, over the artefact that was sealed for another day or the same."""
    desk = desk_of(root)
    artefact = desk.ledger.sealed(desk.plan("od_trips", Period.parse(of), 1).key).artefact_sha256
    return sign(ReleaseApproval("od_trips", day, 1, artefact), key_of(by)).to_bytes()


TRICKS = {
    "has no [approval]": lambda root: (root / "whimbrel.toml").write_text(
        (root / "whimbrel.toml").read_text().replace("[approval]\npublisher_key", "# publisher_key")
    ),
    "list of trusted keys": lambda root: (root / "trust.toml").unlink(),
    "is not in the list of trusted keys": lambda root: (root / "trust.toml").write_text("version = 1\n"),
    "Nobody has signed": lambda root: kept_by_hand(root, by_hand(root, day=DAYS[1], of=DAYS[1])),
    "another artefact": lambda root: kept_by_hand(root, by_hand(root, of=DAYS[1])),
    "not that of key": lambda root: kept_by_hand(root, by_hand(root).replace(b'"revision":1', b'"revision":3')),
    "no JSON": lambda root: kept_by_hand(root, b"approved"),
    "another name than its digest": lambda root: kept_by_hand(root, by_hand(root), name="ab" * 32),
    "has the role emergency": lambda root: kept_by_hand(root, by_hand(root, by="Esi")),
    "has the role publisher": lambda root: kept_by_hand(root, by_hand(root, by="gate")),
    "a stranger's": lambda root: kept_by_hand(root, by_hand(root, by="a stranger")),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_nothing_but_a_real_approval_publishes(trick, root, whimbrel):
    TRICKS[trick](root)
    code, told = whimbrel("publish od_trips 2026-03-02")
    assert code == 2
    assert trick in told or (trick == "a stranger's" and f"{key_of('a stranger').public.id} is not in the list" in told)
    assert left(root) == []
    assert "PUBLISH" not in kinds(root)


def test_an_entry_in_the_ledger_made_by_somebody_who_may_not_publishes_nothing(root, whimbrel):
    from privacy.approval import as_recorded
    from privacy.signing import read_signed

    desk = desk_of(root)
    key = desk.plan("od_trips", Period.parse(DAYS[0]), 1).key
    desk.ledger.approve(key, as_recorded(read_signed(by_hand(root, by="a stranger"))))
    code, told = whimbrel("publish od_trips 2026-03-02")
    assert (code, "is not approved" in told, left(root)) == (2, True, [])

    desk.ledger.publish(key, bundle_sha256="ab" * 32)  # by hand, past the command
    code, told = whimbrel("ledger check")
    assert (code, "left on" in told, "without an approval that counts" in told) == (2, True, True)


def test_a_standing_plan_covers_routine_releases_after_the_first_and_no_revision(root, whimbrel):
    until = date.today() + timedelta(30)
    assert whimbrel(f"approve plan --products od_trips/day --until {until} --key keys/Amina.pem --yes")[0] == 0
    code, told = whimbrel("publish od_trips 2026-03-03")
    assert (code, "it is the first release of od_trips/day" in told) == (2, True)

    assert whimbrel("approve release od_trips 2026-03-02 --key keys/Bao.pem --yes")[0] == 0
    assert whimbrel("publish od_trips 2026-03-02")[0] == 0
    assert whimbrel("publish od_trips 2026-03-03")[0] == 0
    code, told = whimbrel("publish od_trips 2026-03-02 --revision 2")
    assert (code, "it is a revision" in told, "--revision 2 --key FILE" in told) == (2, True, True)
    assert whimbrel("approve release od_trips 2026-03-02 --revision 2 --key keys/Bao.pem --yes")[0] == 0
    assert whimbrel("publish od_trips 2026-03-02 --revision 2")[0] == 0

    trust = Trust.load(root / "trust.toml")
    approvals = [verify_bundle(folder, trust=trust).approval for folder in sorted((root / "release").glob("*r?"))]
    assert [found.signed.statement.KIND for found in approvals] == ["release", "release", "standing plan"]
    assert whimbrel("ledger check")[0] == 0


@pytest.mark.usefixtures("root")
def test_an_expired_plan_publishes_nothing(whimbrel):
    yesterday = date.today() - timedelta(2)
    plan = f"approve plan --products od_trips/day --from {yesterday} --until {yesterday} --key keys/Amina.pem --yes"
    assert whimbrel(plan)[0] == 0
    whimbrel("approve release od_trips 2026-03-02 --key keys/Bao.pem --yes")
    assert whimbrel("publish od_trips 2026-03-02")[0] == 0
    code, told = whimbrel("publish od_trips 2026-03-03")
    assert (code, f"expired on {yesterday}" in told) == (2, True)


def test_a_key_revoked_before_use_publishes_nothing_and_one_revoked_after_takes_nothing_back(root, whimbrel):
    for day in DAYS:
        whimbrel(f"approve release od_trips {day} --key keys/Amina.pem --yes")
    assert whimbrel("publish od_trips 2026-03-02")[0] == 0
    before = {path: path.read_bytes() for path in (root / "release").rglob("*") if path.is_file()}
    (recorded_at,) = [e.at for e in desk_of(root).ledger.entries() if e.kind == "APPROVE"]
    a_second_later = datetime.fromisoformat(recorded_at) + timedelta(seconds=1)

    code, told = whimbrel(f"keys revoke {key_of('Amina').public.id} --from {a_second_later.isoformat()} --reason lost")
    assert (code, "is revoked from" in told) == (0, True)
    while datetime.now(UTC) < a_second_later:
        pass

    code, told = whimbrel("publish od_trips 2026-03-03")
    assert (code, "is revoked from" in told) == (2, True)
    assert whimbrel("approve release od_trips 2026-03-03 --key keys/Amina.pem --yes")[0] == 2
    assert whimbrel("publish od_trips 2026-03-02")[0] == 0  # again: it left before
    assert {path: path.read_bytes() for path in (root / "release").rglob("*") if path.is_file()} == before
    assert whimbrel("verify release/od_trips_2026-03-02_r1 --trust trust.toml")[0] == 0
    assert whimbrel("ledger check")[0] == 0
    assert whimbrel("approve release od_trips 2026-03-03 --key keys/Bao.pem --yes")[0] == 0
    assert whimbrel("publish od_trips 2026-03-03")[0] == 0


def test_publishing_twice_gives_the_same_bytes_under_a_new_key_of_the_gate_too(root, whimbrel):
    whimbrel("approve release od_trips 2026-03-02 --key keys/Amina.pem --yes")
    assert whimbrel("publish od_trips 2026-03-02")[0] == 0
    before = {path: path.read_bytes() for path in (root / "release").rglob("*") if path.is_file()}
    (root / "whimbrel.toml").write_text((root / "whimbrel.toml").read_text().replace("gate.pem", "former gate.pem"))
    assert whimbrel("publish od_trips 2026-03-02")[0] == 0
    assert {path: path.read_bytes() for path in (root / "release").rglob("*") if path.is_file()} == before
    assert kinds(root) == ["APPROVE", "PUBLISH"]


def test_nothing_is_signed_without_a_yes(root, whimbrel, monkeypatch):
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: PTH123, SIM115  nobody answers
    code, told = whimbrel("approve release od_trips 2026-03-02 --key keys/Amina.pem")
    assert (code, "Nothing was signed" in told, "artefact" in told) == (2, True, True)
    assert not list((root / "confidential").glob("approvals/*"))


OPEN = "emergency open cyclone-ana --onset 2026-05-12 --hazard cyclone --yes"


def test_an_event_is_opened_by_two_people_in_two_sittings(root, whimbrel):
    code, told = whimbrel(f"{OPEN} --key keys/Esi.pem")
    assert (code, "cyclone-ana is not open. Signed by Esi (emergency)" in told) == (0, True)
    code, told = whimbrel(f"{OPEN} --key keys/Esi.pem")
    assert (code, "is not open" in told) == (0, True)
    assert desk_of(root).ledger.openings() == ()

    code, told = whimbrel(f"{OPEN} --key keys/Amina.pem")
    assert (code, "Event cyclone-ana is open" in told) == (0, True)
    assert "249,600 micro-rho to the emergency pool of privacy month 2026-04" in " ".join(told.split())
    assert "named zones, holding 1 of the network's cells" in " ".join(told.split())
    assert [opening.event for opening in desk_of(root).ledger.openings()] == ["cyclone-ana"]
    assert whimbrel("ledger check")[0] == 0
    charged = desk_of(root).ledger.charges()
    assert whimbrel(f"{OPEN} --key keys/Amina.pem --key keys/Bao.pem")[0] == 0
    assert desk_of(root).ledger.charges() == charged


@pytest.mark.parametrize(
    "line",
    [
        f"{OPEN} --key keys/Esi.pem --key keys/Femi.pem",
        f"{OPEN} --key keys/Amina.pem --key keys/Amina.pem",
        f"{OPEN} --key keys/gate.pem",
        "emergency open cyclone-bela --yes --key keys/Amina.pem --key keys/Bao.pem",
        "emergency open cyclone-ana --onset 2026-05-13 --yes --key keys/Amina.pem --key keys/Bao.pem",
        "displacement cyclone-ana",
        f"{OPEN} --key keys/Amina.pem --product od_trips",
        "emergency open cyclone-ana --onset 2026-05-12 --hazard Great --yes --key keys/Amina.pem",
        "emergency open cyclone-ana --onset May --hazard cyclone --yes --key keys/Amina.pem",
        "approve release od_trips 2026-03-02 --key keys/none.pem --yes",
        "approve release od_trips 2026-03-05 --key keys/Amina.pem --yes",
        "approve plan --products tourism --until 2030-01-01 --key keys/Amina.pem --yes",
        "approve plan --products od_trips --until 2020-01-01 --key keys/Amina.pem --yes",
        "keys revoke 0123456789abcdef",
        f"keys revoke {'0' * 16} --from tomorrow",
        "keys new ../amina",
        "verify release --key ed25519:00",
        "verify release --trust none.toml",
    ],
)
def test_a_mistake_ends_with_code_2_a_remedy_and_no_change(line, root, whimbrel):
    before = sorted((root / "keys").iterdir()), (root / "trust.toml").read_bytes()
    code, told = whimbrel(line)
    assert code == 2
    assert re.search("Remedy|Expected", told)
    assert (sorted((root / "keys").iterdir()), (root / "trust.toml").read_bytes()) == before
    assert desk_of(root).ledger.openings() == ()


def test_a_locked_key_signs_with_its_passphrase_only(root, whimbrel, monkeypatch):
    monkeypatch.setenv("SECRET", "horse battery")
    code, told = whimbrel("keys new caro --role dpo --passphrase-variable SECRET")
    block = told[told.index("[[keys]]") :]
    (root / "trust.toml").write_text((root / "trust.toml").read_text() + "\n" + block)
    line = "approve release od_trips 2026-03-02 --key keys/caro.pem --yes"
    code, told = whimbrel(line)
    assert (code, "locked" in told, "horse" in told) == (2, True, False)
    assert whimbrel(f"{line} --passphrase-variable SECRET")[0] == 0
    assert b"horse" not in b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


def test_no_private_key_crosses_the_line(root, whimbrel):
    whimbrel("approve release od_trips 2026-03-02 --key keys/Amina.pem --yes")
    whimbrel("publish od_trips 2026-03-02")
    secrets = [key_of(name).secret.private_bytes_raw() for name in ("Amina", "gate")]
    pems = [(root / "keys" / f"{name}.pem").read_bytes().splitlines()[1] for name in ("Amina", "gate")]
    content = b"".join(path.read_bytes() for path in (root / "release").rglob("*") if path.is_file())
    for secret in [*secrets, *(secret.hex().encode() for secret in secrets), *pems, KEY.encode()]:
        assert secret not in content
    approval = json.loads((root / "release" / "od_trips_2026-03-02_r1" / "approval.json").read_text())
    assert approval["approval"]["key"] == str(key_of("Amina").public)
    assert with_keys(root).publisher_key.stat().st_mode & 0o077 == 0

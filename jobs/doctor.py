"""Is this installation fit to work? One line a check: ok, warn or fail, what was found, and what to do.

Nothing here reads a table of subscribers, charges anything or leaves anything behind; no line holds a count of records.
"""

import fcntl
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zoneinfo import ZoneInfo

from rich.markup import escape
from rich.table import Table

from jobs.approvals import kept
from jobs.config import ApprovalConfig, Config, EngineConfig
from jobs.ingest.cells import read_cells
from jobs.ingest.pseudonyms import load_key
from jobs.publish.bundle import published_heads
from jobs.session import open_session, packaged_java
from privacy.approval import Role, Trust, instant
from privacy.budget import refuse_overrun, simulate
from privacy.ledger import EntryKind, Ledger
from privacy.policy import Policy
from privacy.signing import PublicKey, StandingPlan, passphrase_in, read_private_key
from privacy.unit import PrivacyMonth
from privacy.vault import Vault
from schemas.errors import ConfigError, WhimbrelError

JAVA_VERSIONS: Final = (17, 21)
"""What Spark 4.2 runs on."""

LITTLE_SPACE: Final = 0.10
"""Share of free disk below which a check warns; at a tenth of it, it fails: a merge writes a day a second time."""

SOON: Final = timedelta(days=30)
"""How long before its end a standing plan is worth a warning: time for a DPO to sign the next."""


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        check: What was looked at.
        state: How it ended.
        found: What is there.
        remedy: What to do; empty where nothing is to be done.
    """

    check: str
    state: State
    found: str
    remedy: str = ""


Check = Callable[[Config], Iterator[Finding]]


def examine(path: Path, engines: Sequence[str] = ()) -> list[Finding]:
    """Run every check on an installation; a broken configuration is the only finding.

    Args:
        path: Its `whimbrel.toml`.
        engines: Engines to start; none: the configured one.
    """
    try:
        config = Config.load(path)
    except ConfigError as error:
        return [_told("configuration", error)]
    found = [Finding("configuration", State.OK, f"{path} is valid")]
    for name, check in _CHECKS.items():
        found += _guarded(name, check, config)
    for engine in engines or [config.engine.name]:
        found += _engine_apart(config.engine.model_copy(update={"name": engine}))
    return found


def _guarded(name: str, check: Check, config: Config) -> list[Finding]:
    """What a check finds; a refusal of ours on the way is its finding."""
    try:
        return list(check(config))
    except WhimbrelError as error:
        return [_told(name, error)]


def _told(check: str, error: WhimbrelError) -> Finding:
    return Finding(check, State.FAIL, error.found, error.remedy)


def _java(config: Config) -> Iterator[Finding]:
    needed = config.engine.name == "spark"
    java = shutil.which("java", path=_java_path())
    if java is None:
        packaged_java() if needed else None  # raises where there is none
        yield Finding("Java", State.OK, "no Java of the machine's; Sail needs none, and Spark takes the packaged one")
        return
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603  found above
    major = int(match.group(1)) if (match := re.search(r'version "(\d+)', told)) else 0
    state = State.OK if major in JAVA_VERSIONS else State.FAIL if needed else State.WARN
    remedy = "" if state is State.OK else "install Java 17 or 21 and name it in JAVA_HOME, or use the engine sail"
    yield Finding("Java", state, f"version {major or 'unknown'} at {java}", remedy)


def _java_path() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin") if home else None


def _storage(config: Config) -> Iterator[Finding]:
    inside, outside = config.storage.confidential, config.storage.release
    for root in (inside, outside):
        if not root.is_dir():
            yield Finding("storage", State.WARN, f"{root} is not there yet", "the first run makes it")
        elif not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            yield Finding(
                "storage", State.FAIL, f"{root} cannot be written", "give it to the account that runs Whimbrel"
            )
        else:
            yield _rights(root, owner_only=root == inside)
    if inside.is_dir():
        yield _file_system(inside)


def _rights(root: Path, *, owner_only: bool) -> Finding:
    status = root.stat()
    mode = stat.S_IMODE(status.st_mode)
    if owner_only and mode & 0o077:
        return Finding("storage", State.FAIL, f"others may enter {root}: mode {mode:o}", f"chmod 700 {root}")
    if owner_only and status.st_uid != os.geteuid():
        return Finding("storage", State.FAIL, f"{root} belongs to another account", "run Whimbrel as its owner")
    if not owner_only and mode & 0o002:
        return Finding("storage", State.FAIL, f"anybody may write in {root}", f"chmod o-w {root}")
    return Finding("storage", State.OK, f"{root}: mode {mode:o}")


def _file_system(root: Path) -> Finding:
    """Whether files can be locked and renamed there, which keeps two writers apart and half-written files unseen."""
    try:
        with TemporaryDirectory(dir=root, prefix=".doctor-") as folder, (Path(folder) / "a").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (Path(folder) / "a").replace(Path(folder) / "b")
    except OSError as error:
        remedy = "use a POSIX file system with locks, such as NFS 4.1"
        return Finding("file system", State.FAIL, f"{root}: {error.strerror}", remedy)
    return Finding("file system", State.OK, f"{root} locks and renames")


def _zones(config: Config) -> Iterator[Finding]:
    inside, outside = config.storage.confidential, config.storage.release
    if not (inside.is_dir() and outside.is_dir()):
        return
    if os.access(inside, os.R_OK | os.X_OK) and os.access(outside, os.W_OK):
        yield Finding(
            "zones",
            State.WARN,
            "zones not separated: this identity reads the confidential root and writes the release root",
            "on one machine that is so; with two identities, run approve and publish as the gate (operator guide)",
        )
    else:
        yield Finding("zones", State.OK, "this identity has one of the two roots")


def _disk(config: Config) -> Iterator[Finding]:
    for root in (config.storage.confidential, config.storage.release):
        if root.is_dir():
            usage = shutil.disk_usage(root)
            share = usage.free / usage.total
            state = State.OK if share > LITTLE_SPACE else State.WARN if share > LITTLE_SPACE / 10 else State.FAIL
            remedy = "" if state is State.OK else "free space, or expire what the policy allows: `whimbrel retention`"
            yield Finding("disk", state, f"{share:.0%} of {root} is free", remedy)


def _pseudonym_keys(config: Config) -> Iterator[Finding]:
    today = PrivacyMonth.of(date.today())
    for epoch in config.pseudonyms.in_order:
        load_key(epoch.place)
    if not any(epoch.holds(today) for epoch in config.pseudonyms.in_order):
        yield Finding("pseudonym key", State.WARN, f"none holds in {today}", "name the key of this epoch")
    else:
        yield Finding("pseudonym key", State.OK, "every named key can be read, by its owner only")


def _signing_keys(config: Config) -> Iterator[Finding]:
    if config.approval is None:
        yield Finding("signing keys", State.WARN, "no [approval]: nothing can be published", "see the operator guide")
        return
    trust, now = Trust.load(config.approval.trust), datetime.now(UTC)
    yield from _people(trust, now)
    yield _gate(config.approval, trust, now)


def _people(trust: Trust, now: datetime) -> Iterator[Finding]:
    for role, least in ((Role.DPO, 1), (Role.EMERGENCY, 1)):
        valid = sum(not _is_revoked(trust, key, now) for key in trust.in_role(role))
        short = State.FAIL if role is Role.DPO else State.WARN
        remedy = "" if valid >= least else f"whimbrel keys new NAME --role {role}, and add its block to trust.toml"
        yield Finding("signing keys", State.OK if valid >= least else short, f"{valid} valid of role {role}", remedy)


def _gate(approval: ApprovalConfig, trust: Trust, now: datetime) -> Finding:
    if not os.access(approval.publisher_key, os.R_OK):
        remedy = "right where another identity publishes; else make one: whimbrel keys new gate --role publisher"
        return Finding("gate's key", State.WARN, f"{approval.publisher_key} cannot be read by this identity", remedy)
    key = read_private_key(approval.publisher_key, passphrase_in(approval.publisher_passphrase)).public
    if key not in trust.in_role(Role.PUBLISHER):
        return Finding("gate's key", State.FAIL, f"{key.id} is not trusted to publish", "add its block to trust.toml")
    if _is_revoked(trust, key, now):
        return Finding("gate's key", State.FAIL, f"{key.id} is revoked", "make a new key, and name it in [approval]")
    return Finding("gate's key", State.OK, f"{key.id} is trusted")


def _is_revoked(trust: Trust, key: PublicKey, now: datetime) -> bool:
    at = trust.revoked_at(key)
    return at is not None and at <= now


def _standing_plans(config: Config) -> Iterator[Finding]:
    folder, today = config.storage.confidential / "approvals", datetime.now(UTC).date()
    sha256 = Policy.load(config.policy).sha256
    plans = [signed.statement for signed in kept(folder)] if folder.is_dir() else []
    until = [p.valid_until for p in plans if isinstance(p, StandingPlan) and p.policy_sha256 == sha256]
    if not until or max(until) < today:
        yield Finding("standing plan", State.WARN, "none holds under today's policy", "whimbrel approve plan ...")
    elif max(until) - today < SOON:
        yield Finding("standing plan", State.WARN, f"the last one ends on {max(until)}", "whimbrel approve plan ...")
    else:
        yield Finding("standing plan", State.OK, f"one holds until {max(until)}")


def _policy(config: Config) -> Iterator[Finding]:
    policy = Policy.load(config.policy)
    refuse_overrun(simulate(policy, PrivacyMonth.of(date.today())))
    yield Finding("policy", State.OK, f"{policy.sha256[:16]}… overruns no pool in the months ahead")


def _ledger(config: Config) -> Iterator[Finding]:
    url = config.storage.ledger
    if url is None and not (config.storage.confidential / "ledger.sqlite").exists():
        yield from _no_ledger(config)
        return
    ledger = Ledger.open(config.storage.ledger_url, create=False)
    kept_artefacts = Vault(config.storage.confidential / "vault").kept()
    ledger.check(known_heads=published_heads(config.storage.release), artefacts=kept_artefacts)
    yield Finding(
        "ledger", State.OK, f"its chain holds, and knows all that is kept and published. Head {ledger.head()}"
    )
    yield from _unfinished(ledger)
    yield from _pools(ledger, Policy.load(config.policy))
    yield from _clock(ledger)


def _no_ledger(config: Config) -> Iterator[Finding]:
    if Vault(config.storage.confidential / "vault").kept() or published_heads(config.storage.release):
        remedy = "bring back the newest copy; do not empty the vault"
        yield Finding("ledger", State.FAIL, "there is none, and releases were made", remedy)
    else:
        yield Finding("ledger", State.WARN, "there is none yet", "the first release makes it")


def _unfinished(ledger: Ledger) -> Iterator[Finding]:
    kinds: dict[str, EntryKind] = {str(entry.key): entry.kind for entry in ledger.entries()}
    if waiting := [key for key, kind in kinds.items() if kind is EntryKind.RESERVE]:
        remedy = "run `whimbrel release` for it again: the same charge"
        yield Finding("releases", State.WARN, f"charged and not sealed: {', '.join(waiting)}", remedy)


def _pools(ledger: Ledger, policy: Policy) -> Iterator[Finding]:
    month = str(PrivacyMonth.of(date.today()))
    charged = {(pool.pool, pool.privacy_month): pool.left_micro_rho for pool in ledger.pools(policy.caps)}
    for pool, cap in policy.caps.items():
        left = charged.get((pool, month), cap)
        state = State.OK if left >= 0 else State.FAIL
        remedy = "" if left >= 0 else "a cap was lowered below what was charged: nothing more is released this month"
        yield Finding("pools", state, f"{pool} {month}: {left:,} of {cap:,} micro-rho left", remedy)


def _clock(ledger: Ledger) -> Iterator[Finding]:
    now, entries = datetime.now(UTC), ledger.entries()
    last = instant(entries[-1].at) if entries else None
    if last is not None and now < last - timedelta(seconds=60):
        found = f"it says {now:%Y-%m-%dT%H:%M:%SZ}, the ledger's last entry {entries[-1].at}"
        yield Finding("clock", State.FAIL, found, "set the clock right: until then nothing is written")
    else:
        yield Finding("clock", State.OK, f"{now:%Y-%m-%dT%H:%M:%SZ}, not before the ledger's last entry")


def _time_zone(config: Config) -> Iterator[Finding]:
    zone = ZoneInfo(config.country.timezone)  # the configuration has found it; this says whose data it is
    try:
        source = f"the package tzdata {version('tzdata')}"
    except PackageNotFoundError:
        source = "the machine's data alone"
    local = datetime.now(zone).strftime("%H:%M %z")
    yield Finding("time zone", State.OK, f"{zone.key}: {local}, by the machine's data, or else by {source}")


def _cells(config: Config) -> Iterator[Finding]:
    read_cells(config.cells)
    yield Finding("cell table", State.OK, f"{config.cells.path} can be used")


def _engine_apart(engine: EngineConfig) -> list[Finding]:
    """Start an engine in a process of its own: PySpark speaks with one kind of engine a process."""
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return [pool.submit(_engine, engine).result()]
    except BrokenProcessPool:
        remedy = "see whether memory is short: [engine] memory"
        return [Finding(f"engine {engine.name}", State.FAIL, "it ended without a word", remedy)]


def _engine(engine: EngineConfig) -> Finding:
    name = f"engine {engine.name}"
    try:
        with open_session(engine) as session:
            counted = session.range(3).count()
    except WhimbrelError as error:  # told here: it would not survive the way between processes
        return _told(name, error)
    if counted != 3:
        return Finding(name, State.FAIL, "it counts wrongly", "install the locked versions again")
    return Finding(name, State.OK, "it starts and counts")


_CHECKS: Final[dict[str, Check]] = {
    "Java": _java,
    "storage": _storage,
    "zones": _zones,
    "disk": _disk,
    "pseudonym key": _pseudonym_keys,
    "signing keys": _signing_keys,
    "standing plan": _standing_plans,
    "policy": _policy,
    "ledger": _ledger,
    "time zone": _time_zone,
    "cell table": _cells,
}
"""The checks that need no engine, in order; each by the name under which a refusal on its way is told."""

_COLOURS: Final = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}


def view(found: Sequence[Finding]) -> Table:
    """The findings on a screen."""
    table = Table(title="Whimbrel's doctor", show_lines=False)
    for heading in ("check", "state", "found", "remedy"):
        table.add_column(heading, overflow="fold")
    for one in found:
        state = f"[{_COLOURS[one.state]}]{one.state}[/]"
        table.add_row(one.check, state, escape(one.found), escape(one.remedy))
    return table


def as_json(found: Sequence[Finding]) -> list[dict[str, str]]:
    """The findings for a machine."""
    return [{name: str(value) for name, value in asdict(one).items()} for one in found]


def is_fit(found: Sequence[Finding]) -> bool:
    """Tell whether nothing failed."""
    return all(one.state is not State.FAIL for one in found)

"""Debian's PostgreSQL for the tests: one server a session, on loopback, in a temporary folder, as an ordinary user.

The server refuses to run as root, so root starts it as `postgres` or `nobody`. The process that is stopped at the end
is the one that was started here.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from privacy.ledger import postgresql_script

OWNER, ROLE = "owner", "whimbrel"
"""Who owns the ledger's tables, and who Whimbrel connects as."""

PATIENCE_S = 60
"""How long the server may take to start on a busy machine."""

_numbers = count(1)


def programs():
    """The folder of the server's programs, newest version first; nothing where PostgreSQL is not installed."""
    installed = list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if installed:
        return max(installed, key=lambda path: int(re.sub(r"\D", "", path.parts[4]) or 0)).parent
    on_path = shutil.which("postgres")
    return Path(on_path).parent if on_path else None


def is_expected():
    """Whether the tests of PostgreSQL run: where it is installed, and in CI, which then fails if it is missing."""
    return programs() is not None or os.environ.get("CI") == "true"


@dataclass(frozen=True)
class Server:
    """A running server.

    Args:
        port: Where it listens on loopback.
    """

    port: int

    def url(self, database, *, role=ROLE):
        """The address of a database for a role."""
        return f"postgresql+psycopg://{role}@127.0.0.1:{self.port}/{database}"

    def new_database(self):
        """Make an empty database of the owner's, and return its name."""
        name = f"ledger_{next(_numbers)}"
        self.run("postgres", f"CREATE DATABASE {name}")
        return name

    def new_ledger(self):
        """Make a database with an empty ledger, as docs/operator-guide.md says, and return its name."""
        name = self.new_database()
        self.run(name, postgresql_script(ROLE))
        return name

    def run(self, database, statements, *, role=OWNER):
        """Run SQL outside a transaction, as the owner unless told."""
        engine = create_engine(self.url(database, role=role), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statements)


@contextmanager
def serve() -> Iterator[Server]:
    """Start a server and stop it again."""
    if (folder := programs()) is None:
        raise RuntimeError("PostgreSQL is not installed. Expected: its server. Remedy: apt-get install postgresql")
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="whimbrel-postgres-"))
    try:
        if account:
            os.chown(home, account["user"], account["group"])
        command = [folder / "initdb", "-D", home / "data", "-U", OWNER, "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run([*command, "--no-locale"], cwd=home, check=True, capture_output=True, **account)
        with _running(folder, home, account) as server:
            server.run("postgres", f"CREATE ROLE {ROLE} LOGIN")
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _account():
    """Who runs the server: this user, or for root one of those that every Debian has."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def _running(folder, home, account):
    server = Server(_free_port())
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",  # clients are killed here, never the machine
        "max_connections": "40",
        "shared_buffers": "32MB",
    }
    options = [f"-c{name}={value}" for name, value in settings.items()]
    command = [folder / "postgres", "-D", home / "data", "-p", str(server.port), *options]
    with (home / "log").open("wb") as log, subprocess.Popen(command, cwd=home, stderr=log, **account) as process:
        try:
            _wait_for(server, process, home / "log")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # ends open sessions, then stops


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(server, process, log):
    engine = create_engine(server.url("postgres", role=OWNER), poolclass=NullPool)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                return
        except OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")) from None
            time.sleep(0.05)

"""What all suites share: one session of each engine, and one tiny country."""

import os
from contextlib import ExitStack, contextmanager
from datetime import date

import pytest
from hypothesis import HealthCheck, settings

from jobs.config import EngineConfig
from jobs.session import open_session
from jobs.synth import Dirt, Scenario, synthesise
from tests import postgres
from tests.installations import WEEK, deliver, files_of, installation
from tests.ledgers import Clock, Place

ENGINES = {
    "sail": EngineConfig(
        name="sail",
        shuffle_partitions=2,  # two, so that an exchange really moves rows; more only cost a task each
    ),
    "spark": EngineConfig(
        name="spark",
        master="local[2]",  # two tasks at once, so that order of rows is not that of one thread
        memory="1g",  # the tables are tiny, and the tests share a small machine with whatever else runs
        shuffle_partitions=2,
    ),
}

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
"""Spark's launcher forks while Sail's channel is open, and gRPC's handling of forks now and then kills the child."""

MODE = "SPARK_CONNECT_MODE_ENABLED"
"""How PySpark knows which kind of column to make: a Connect session (Sail) sets it for the whole process."""

LEDGERS = ("sqlite", "postgresql") if postgres.is_expected() else ("sqlite",)
"""Where the ledger is tested."""

collect_ignore = [] if postgres.is_expected() else ["unit/test_ledger_postgresql.py"]

settings.register_profile(
    "whimbrel",
    deadline=None,  # an engine's first query is slow, and its machine is shared
    derandomize=True,  # the same examples in every run, so that a red build is about the change
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("whimbrel")


@contextmanager
def _speaking(name):
    """Let PySpark's functions make columns for this engine; both live in one process."""
    before = os.environ.pop(MODE, None)
    if name == "sail":
        os.environ[MODE] = "1"
    try:
        yield
    finally:
        os.environ.pop(MODE, None)
        if before is not None:
            os.environ[MODE] = before


@pytest.fixture(scope="session")
def engines():
    """`with engines("spark") as session`: the one session of an engine, opened when first asked for."""
    with ExitStack() as closing:
        opened = {}

        def close(name, session):
            with _speaking(name):
                session.__exit__(None, None, None)

        @contextmanager
        def use(name):
            with _speaking(name):
                if name not in opened:
                    session = open_session(ENGINES[name])
                    opened[name] = session.__enter__()
                    closing.callback(close, name, session)
                yield opened[name]

        yield use


@pytest.fixture
def sail(engines):
    """The embedded engine."""
    with engines("sail") as session:
        yield session


@pytest.fixture
def spark(engines):
    """Classic Spark, on the machine's Java or on the packaged one."""
    with engines("spark") as session:
        yield session


@pytest.fixture(params=sorted(ENGINES))
def engine(request, engines):
    """Each engine in turn."""
    with engines(request.param) as session:
        yield session


@pytest.fixture(scope="session")
def tiny_country(tmp_path_factory):
    """300 people and a few machines over an ISO week and a day, in both layouts, with the truth beside them."""
    return synthesise(
        tmp_path_factory.mktemp("synth") / "country",
        seed=5,
        subscribers=300,
        first_day=date(2026, 3, 2),
        days=8,
        layouts=("whimbrel", "world_bank"),
        dirt=Dirt(late=0.01),  # more than by default, so that every file brings rows of the day before
    )


@pytest.fixture(scope="session")
def flooded_country(tmp_path_factory):
    """400 people over March and April 2026 (privacy months), a fifth of them in a flood on 8 April, and its truth."""
    return synthesise(
        tmp_path_factory.mktemp("flood") / "country",
        seed=5,
        subscribers=400,
        first_day=date(2026, 3, 2),
        days=63,
        processes=2,  # what two processes write has to be what one does
        dirt=Dirt(*[0.002] * 9),
        scenario=Scenario(area_share=0.2, drill_share=0.1, onset=date(2026, 4, 8)),
    )


@pytest.fixture(scope="session")
def week_ingested(engines, tiny_country, tmp_path_factory):
    """Root of an installation with the tiny country's week ingested and nothing released: to be copied, not changed."""
    root = tmp_path_factory.mktemp("week")
    config = installation(root, cells=tiny_country.folder / "cells.csv")
    with engines("sail") as session:
        deliver(session, config, files_of(tiny_country, "whimbrel")[:7], last=WEEK.last_day)
    return root


def pytest_terminal_summary(terminalreporter):
    """Say what a bare machine leaves out; with CI=true the same tests fail instead."""
    if not postgres.is_expected():
        terminalreporter.write_line("PostgreSQL is not installed: the ledger was tested on SQLite alone.")


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server on loopback, stopped at the end."""
    with postgres.serve() as server:
        yield server


@pytest.fixture(scope="session")
def ledger_places(request, tmp_path_factory):
    """`ledger_places("sqlite")`: an empty ledger of its own on a database, for Whimbrel's own role there."""

    def new(database):
        if database == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db"
            return Place(url, owner_url=url)
        server = request.getfixturevalue("postgres_server")
        name = server.new_ledger()
        return Place(server.url(name), owner_url=server.url(name, role=postgres.OWNER))

    return new


@pytest.fixture(params=LEDGERS)
def place(request, ledger_places):
    """An empty ledger on each database in turn."""
    return ledger_places(request.param)


@pytest.fixture
def clock():
    """A clock that the test sets."""
    return Clock()


@pytest.fixture
def ledger(place, clock):
    """The ledger at `place`, by that clock."""
    return place.open(clock=clock)

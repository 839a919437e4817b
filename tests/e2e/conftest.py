"""What the tests on a cluster share: a country, a cluster, an installation whose ledger is PostgreSQL's."""

from datetime import date

import pytest

from jobs.session import _java
from jobs.storage import Storage
from jobs.synth import synthesise
from tests.e2e.cluster import standalone
from tests.e2e.installed import Drivers, install
from tests.installations import WEEK, deliver, exact_totals, installation


@pytest.fixture(scope="session")
def country(tmp_path_factory):
    """2,000 people over an ISO week, whose files bear the synthetic mark."""
    folder = tmp_path_factory.mktemp("synth") / "country"
    return synthesise(folder, seed=5, subscribers=2_000, first_day=date(2026, 3, 2), days=7)


@pytest.fixture(scope="session", autouse=True)
def java():
    """A Java for master, workers, executors and drivers: the machine's, or the packaged one."""
    with _java():
        yield


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    with standalone(tmp_path_factory.mktemp("cluster") / "spark") as running:
        yield running


@pytest.fixture(scope="session")
def toml(country, tmp_path_factory, postgres_server):
    """An installation with its ledger on PostgreSQL, as where several machines release."""
    ledger = postgres_server.url(postgres_server.new_ledger())
    return install(tmp_path_factory.mktemp("operator"), cells=country.folder / "cells.csv", ledger=ledger)


@pytest.fixture(scope="session")
def drivers(cluster, tmp_path_factory):
    made = Drivers(cluster, tmp_path_factory.mktemp("drivers"))
    assert not made.knows_our_code(), "the code has to come from the zip"
    return made


@pytest.fixture(scope="session")
def embedded(country, engines, tmp_path_factory):
    """The same week, ingested by the embedded engine: storage, and exact totals."""
    config = installation(tmp_path_factory.mktemp("embedded"), cells=country.folder / "cells.csv")
    with engines("sail") as session:
        deliver(session, config, [country.folder / "whimbrel"], last=WEEK.last_day)
        yield Storage.of(config.storage), exact_totals(session, config)

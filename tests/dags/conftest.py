"""The DAGs as Airflow reads them, in its own environment and a home that is thrown away."""

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

DAGS = Path(__file__).parents[2] / "dags"
HOME = tempfile.TemporaryDirectory(prefix="airflow")

# Airflow reads these when it is imported.
os.environ |= {
    "AIRFLOW_HOME": HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME.name}/airflow.db",
}
sys.path.insert(0, str(DAGS))

collect_ignore_glob = [] if find_spec("airflow") else ["test_*.py"]


@pytest.fixture(scope="session")
def bag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(DAGS))


@pytest.fixture(scope="session")
def dags(bag):
    assert bag.import_errors == {}
    return bag.dags


def every_task(dags):
    return [task for dag in dags.values() for task in dag.tasks]

"""What the installation promises: pinned, hashed, free of addresses, and no name of ours taken by somebody else."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = [
    ROOT / "requirements.lock",
    ROOT / "requirements-build.lock",
    ROOT / "requirements-airflow.lock",
    ROOT / "infra/requirements.lock",
    ROOT / "infra/kubernetes/requirements.lock",
    *sorted((ROOT / "tests/benchmarks/peers").glob("requirements-*.txt")),
]


def requirements(lock: Path) -> list[str]:
    return lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_requirement_is_pinned_and_hashed(lock):
    assert all(re.match(r"[a-z0-9.\-\[\]]+==\S+ ", line) and "--hash=sha256:" in line for line in requirements(lock))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_address_and_no_folder(lock):
    assert not re.search(r"://|file:|--(extra-)?index|--find-links", lock.read_text(encoding="utf-8"))


def test_every_direct_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.match(r"[A-Za-z0-9\-]+", name).group().lower() for name in direct}
    locked = {re.match(r"[a-z0-9\-.]+", line).group() for line in requirements(LOCKS[0])}
    assert names <= locked


def test_no_installed_distribution_but_ours_ships_a_package_of_our_names():
    owners = packages_distributions()
    assert {name: set(owners.get(name, ["whimbrel"])) for name in ("jobs", "privacy", "schemas")} == {
        "jobs": {"whimbrel"},
        "privacy": {"whimbrel"},
        "schemas": {"whimbrel"},
    }


def test_airflow_brings_no_pyspark_that_would_stand_beside_the_clusters_own():
    locked = {re.match(r"[a-z0-9\-.]+", line).group() for line in requirements(ROOT / "requirements-airflow.lock")}
    assert "apache-airflow-providers-apache-spark" in locked
    assert not {name for name in locked if name.startswith("pyspark") or "openlineage" in name}


def test_pyspark_is_not_overwritten_by_its_client_distribution():
    assert packages_distributions()["pyspark"] == ["pyspark"]

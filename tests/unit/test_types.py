"""What the type checker refuses to publish, and what is refused all the same when nobody ran it."""

import copy
import dataclasses
import pickle
import re
from pathlib import Path

import h3
import numpy as np
import pyarrow as pa
import pytest
from mypy import api

from jobs.publish.bundle import publish, write_bundle
from privacy.bounding import Bounded
from privacy.ledger import Ledger
from privacy.policy import Policy
from privacy.release import Release, release
from privacy.vault import Vault
from schemas.errors import PrivacyError
from tests.approvals import clearance_for
from tests.installations import plan_over

ROOT = Path(__file__).parents[2]

SNIPPET = """\
from pathlib import Path

from pyspark.sql import DataFrame

from jobs.publish.approvals import Clearance
from jobs.publish.bundle import bundle_files, publish, write_bundle
from privacy.bounding import Bounded
from privacy.measurements import Measurements
from privacy.release import Release
from privacy.sealed import Opened


def leaves(made: Release, cleared: Clearance, root: Path) -> None:
    publish(made, cleared, root)
    bundle_files(made, cleared)


def exact(bounded: Bounded, frame: DataFrame, drawn: Measurements, read: Opened, cleared: Clearance, to: Path) -> None:
    publish(bounded, cleared, to)  # refused
    publish(frame, cleared, to)  # refused
    publish(drawn, cleared, to)  # refused
    publish(read, cleared, to)  # refused
    publish({"origin": "destination"}, cleared, to)  # refused
    publish(None, cleared, to)  # refused
    write_bundle(bounded, cleared, to)  # refused
    write_bundle(frame, cleared, to)  # refused
    bundle_files(bounded, cleared)  # refused
    bundle_files(frame, cleared)  # refused


def without_a_signature(made: Release, to: Path) -> None:
    publish(made, None, to)  # refused
    publish(made, to)  # refused


def by_hand(made: Release) -> Release:
    return Release(made.key, made.table, made.base_cells, made.card, made.seal)  # refused


def changed(made: Release) -> None:
    made.table = made.table  # refused
"""


def test_the_type_checker_refuses_to_publish_anything_but_a_release_and_to_make_one_by_hand(tmp_path):
    """In one run over one file, with the project's settings and the cache of `make check`."""
    file = tmp_path / "snippet.py"
    file.write_text(SNIPPET)
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]

    told, broken, _ = api.run([*settings, "--no-error-summary", str(file)])

    assert broken == ""
    found = {int(line) for line in re.findall(r"snippet\.py:(\d+): error", told)}
    assert found == {n for n, line in enumerate(SNIPPET.splitlines(), 1) if line.endswith("# refused")}


CELLS = tuple(sorted(h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 1)))
PLAN = plan_over(CELLS)
EXACT = Bounded(np.array([1]), np.array([10**9]), PLAN.bounds)


@pytest.fixture
def made(tmp_path):
    doors = {"ledger": Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite"), "vault": Vault(tmp_path / "vault")}
    return release(PLAN, policy=Policy.load(), exact=lambda: (EXACT, "ab" * 32), **doors)


def exact_table():
    return pa.table({"origin": ["a"], "destination": ["b"], "value": [3.0]})


@pytest.mark.parametrize("way", [publish, write_bundle], ids=lambda way: way.__name__)
@pytest.mark.parametrize("what", [EXACT, exact_table(), exact_table().to_pandas(), {"value": 3}, None], ids=type)
def test_at_run_time_too_nothing_but_a_release_is_published(way, what, made, tmp_path):
    """PyArrow ships no types, so a bare table passes the checker: this is what stops it."""
    with pytest.raises(PrivacyError, match=r"handed to publication.*Expected: a Release"):
        way(what, clearance_for(made), tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_at_run_time_too_a_release_is_not_made_by_hand(made):
    parts = (made.key, exact_table(), made.base_cells, made.card, made.seal)

    for ways_in in ((object(),), (None,), (True,)):
        with pytest.raises(PrivacyError, match="by hand"):
            Release(*parts, *ways_in)
    with pytest.raises(TypeError):
        Release(*parts)
    with pytest.raises((PrivacyError, ValueError, TypeError)):
        dataclasses.replace(made, table=exact_table())
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.table = exact_table()


def test_a_copy_of_a_release_holds_what_was_sealed(made):
    assert copy.copy(made).table.equals(made.table)
    assert copy.deepcopy(made).table.equals(made.table)
    assert pickle.loads(pickle.dumps(made)).table.equals(made.table)


def test_only_the_door_holds_the_key_to_it():
    """Python hides nothing: who writes `privacy.release._DOOR` or goes around `__init__` must be seen in a review."""
    around = re.compile(r"_DOOR\b|object\.__new__|__new__\(Release|object\.__setattr__")
    users = [
        file.relative_to(ROOT).as_posix()
        for package in ("schemas", "privacy", "jobs", "dags")
        for file in (ROOT / package).rglob("*.py")
        if around.search(file.read_text(encoding="utf-8"))
    ]
    assert users == ["privacy/release.py"]

"""The release gate: what it has to see of the confidential root, and that it is enough."""

import shutil

import pytest

from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from jobs.storage import Storage
from tests.approvals import approve
from tests.installations import installation, release_week


@pytest.fixture
def sealed(sail, week_ingested, tiny_country, tmp_path):
    """An installation with a week released and signed for, and nothing published."""
    root = tmp_path / "inside"
    shutil.copytree(week_ingested, root)
    config = installation(root, cells=tiny_country.folder / "cells.csv")
    key = release_week(sail, config).key
    approve(config, key)
    return config, key


def gate_of(config, root, *folders):
    """An installation that has the ledger, and of the confidential root these folders alone."""
    inside = root / "confidential"
    inside.mkdir(mode=0o700, parents=True)
    for folder in folders:
        shutil.copytree(config.storage.confidential / folder, inside / folder)
    storage = {"confidential": inside, "release": root / "release", "ledger": config.storage.ledger_url}
    return config.model_copy(update={"storage": config.storage.model_copy(update=storage)})


def test_what_was_sealed_and_signed_is_enough_to_publish_the_same_bytes(sealed, tmp_path):
    config, key = sealed
    gate = gate_of(config, tmp_path / "gate", "vault", "approvals")
    bundle = Desk.of(gate).publish(key)

    verify_bundle(bundle.folder)
    assert Desk.of(config).publish(key).sha256 == bundle.sha256
    assert sorted(path.name for path in gate.storage.confidential.iterdir()) == ["approvals", "vault"]


@pytest.mark.parametrize(("missing", "error"), [("vault", "SealLostError"), ("approvals", "ApprovalError")])
def test_without_either_nothing_is_published(sealed, tmp_path, missing, error):
    config, key = sealed
    gate = gate_of(config, tmp_path / "gate", *({"vault", "approvals"} - {missing}))

    with pytest.raises(Exception) as refused:
        Desk.of(gate).publish(key)
    assert type(refused.value).__name__ == error
    assert not any(Storage.of(gate.storage).release.iterdir())

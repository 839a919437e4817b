"""The door: what comes out was charged, drawn once and sealed; nothing else comes out."""

import dataclasses
import shutil
from unittest.mock import patch

import h3
import numpy as np
import pytest

from privacy import mechanisms
from privacy.bounding import Bounded, LevelBound
from privacy.ledger import Ledger, ReleaseKey
from privacy.measurements import Measurements
from privacy.policy import Policy, PoolPolicy
from privacy.release import Release, release, sealed_release
from privacy.unit import Period
from privacy.vault import Vault
from schemas.errors import (
    BudgetExceededError,
    LedgerError,
    PrivacyError,
    SealLostError,
    SpecificationChangedError,
    UnboundedContributionError,
)
from tests.installations import plan_over

CELLS = tuple(sorted(h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 3)))
PLAN = plan_over(CELLS)
INPUTS = "ab" * 32


def exact():
    n = len(CELLS)
    keys = np.arange(1, n)  # trips from the first cell to every other
    return Bounded(keys, np.full(n - 1, 40 * PLAN.fixed_point, np.int64), PLAN.bounds), INPUTS


def refuse():
    raise AssertionError("the exact totals were asked for")


@pytest.fixture
def doors(tmp_path):
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite")
    return {"ledger": ledger, "vault": Vault(tmp_path / "vault"), "policy": Policy.load()}


def test_a_second_call_gives_the_same_release_and_asks_for_nothing(doors):
    first = release(PLAN, exact=exact, **doors)
    again = release(PLAN, exact=refuse, **doors)

    assert again.table.equals(first.table)
    assert (again.card, again.seal) == (first.card, first.seal)
    assert len(doors["ledger"].charges()) == 1


def test_it_is_charged_before_the_data_are_looked_at(doors):
    def interrupted():
        assert [str(recorded.key) for recorded in doors["ledger"].charges()] == ["od_trips 2026-W10 r1"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release(PLAN, exact=interrupted, **doors)
    release(PLAN, exact=exact, **doors)

    assert len(doors["ledger"].charges()) == 1


def test_of_two_workers_that_drew_the_first_to_seal_wins_and_the_other_draw_is_gone(doors, tmp_path):
    winner = []

    def overtaken():
        winner.append(release(PLAN, exact=exact, **doors))
        return exact()

    loser = release(PLAN, exact=overtaken, **doors)

    assert loser.seal == winner[0].seal
    assert loser.table.equals(winner[0].table)
    assert [path.name for path in (tmp_path / "vault").iterdir()] == [loser.seal.artefact_sha256]


def test_a_lost_artefact_is_refused_and_never_drawn_again(doors, tmp_path):
    sealed = release(PLAN, exact=exact, **doors).seal
    (tmp_path / "vault" / sealed.artefact_sha256).unlink()

    for ask in (lambda: release(PLAN, exact=refuse, **doors), lambda: look(doors)):
        with pytest.raises(SealLostError, match=sealed.artefact_sha256):
            ask()
    assert len(doors["ledger"].charges()) == 1


def test_an_artefact_with_one_byte_changed_is_refused(doors, tmp_path):
    sealed = release(PLAN, exact=exact, **doors).seal
    file = tmp_path / "vault" / sealed.artefact_sha256
    file.write_bytes(file.read_bytes()[:-1] + b"!")

    with pytest.raises(SealLostError, match="altered"):
        release(PLAN, exact=refuse, **doors)


def look(doors):
    return sealed_release(PLAN.key, ledger=doors["ledger"], vault=doors["vault"])


def test_there_is_nothing_to_look_at_before_the_seal(doors):
    assert look(doors) is None


class KilledError(BaseException):
    """Stands for the end of a process: nothing that handles errors sees it."""


def killed_at(doors, owner, step):
    """Release in a process that ends where it would take a step."""
    with patch.object(owner, step, side_effect=KilledError), pytest.raises(KilledError):
        release(PLAN, exact=exact, **doors)


def names(doors):
    return sorted(file.name for file in doors["vault"]._root.iterdir())


def test_what_was_drawn_and_not_sealed_is_swept_and_drawn_anew(doors):
    killed_at(doors, Ledger, "seal")
    (first,) = names(doors)

    def swept():
        doors["vault"].sweep(doors["ledger"].artefacts())
        return exact()

    made = release(PLAN, exact=swept, **doors)

    assert first.endswith(".pending")
    assert names(doors) == [made.seal.artefact_sha256] != [first.removesuffix(".pending")]


@pytest.mark.parametrize("opens", ["release", "sealed_release"])
def test_what_was_sealed_and_not_yet_kept_survives_a_sweep_and_is_opened(doors, opens):
    killed_at(doors, Vault, "get")
    sealed = doors["ledger"].sealed(PLAN.key).artefact_sha256
    doors["vault"].sweep(doors["ledger"].artefacts())
    assert names(doors) == [f"{sealed}.pending"]

    made = release(PLAN, exact=refuse, **doors) if opens == "release" else look(doors)

    assert made.seal.artefact_sha256 == sealed
    assert names(doors) == [sealed]


@pytest.mark.parametrize("forgotten_by", ["another ledger", "a restored ledger"])
def test_a_ledger_that_does_not_know_what_the_vault_keeps_charges_and_draws_nothing(doors, tmp_path, forgotten_by):
    if forgotten_by == "a restored ledger":
        shutil.copy(tmp_path / "ledger.sqlite", tmp_path / "other.sqlite")
    shown = release(PLAN, exact=exact, **doors)
    other = doors | {"ledger": Ledger.open(f"sqlite:///{tmp_path}/other.sqlite")}

    for plan in (PLAN, plan_over(CELLS, period=Period.parse("2026-W11"))):
        with pytest.raises(LedgerError, match=rf"has forgotten a release: .*{shown.seal.artefact_sha256}\. .*Remedy"):
            release(plan, exact=refuse, **other)

    assert other["ledger"].entries() == ()
    assert look(doors).table.equals(shown.table)


def test_a_ledger_that_has_forgotten_one_release_still_opens_another(doors, tmp_path):
    first = release(PLAN, exact=exact, **doors)
    shutil.copy(tmp_path / "ledger.sqlite", tmp_path / "other.sqlite")
    second = release(plan_over(CELLS, period=Period.parse("2026-W11")), exact=exact, **doors)
    other = doors | {"ledger": Ledger.open(f"sqlite:///{tmp_path}/other.sqlite")}

    assert look(other).table.equals(first.table)
    assert second.seal.artefact_sha256 in doors["vault"].kept()


def test_a_plan_that_changed_between_charge_and_seal_is_refused(doors):
    with pytest.raises(ZeroDivisionError):
        release(PLAN, exact=lambda: 1 / 0, **doors)
    other = dataclasses.replace(PLAN, product=dataclasses.replace(PLAN.product, publish_sigma=3.0))

    with pytest.raises(SpecificationChangedError, match="revision 2"):
        release(other, exact=refuse, **doors)


def test_a_release_that_would_overrun_its_pool_is_refused_before_anything_is_read(doors):
    policy = dataclasses.replace(doors["policy"], pools={"routine": PoolPolicy(22_999), "emergency": PoolPolicy(1)})

    with pytest.raises(BudgetExceededError, match=r"needs 23000 .*Expected: at most 22999.*Remedy"):
        release(PLAN, exact=refuse, **(doors | {"policy": policy}))
    assert doors["ledger"].entries() == ()


def test_a_revision_is_another_draw_at_its_own_cost(doors):
    first = release(PLAN, exact=exact, **doors)
    revised = dataclasses.replace(PLAN, key=ReleaseKey("od_trips", "2026-W10", 2))
    second = release(revised, exact=exact, **doors)

    assert second.card["supersedes"] == "od_trips_2026-W10_r1"
    assert not second.table["value"].equals(first.table["value"])
    assert len(doors["ledger"].charges()) == 2


def test_totals_bounded_under_another_plan_are_refused_without_a_draw(doors):
    def loose():
        bounded, inputs = exact()
        looser = tuple(LevelBound(bound.key, bound.squared + 1) for bound in bounded.bounds)
        return dataclasses.replace(bounded, bounds=looser), inputs

    with patch.object(mechanisms, "discrete_gaussian", side_effect=AssertionError), pytest.raises(PrivacyError):
        release(PLAN, exact=loose, **doors)
    assert look(doors) is None


@pytest.mark.parametrize("keys", [[3, 1], [1, 1]])
def test_exact_totals_stand_in_order_and_each_key_once(keys):
    with pytest.raises(UnboundedContributionError):
        Bounded(np.array(keys), np.array([1, 1]), PLAN.bounds)


def test_a_table_cannot_be_made_a_release_by_hand(doors):
    made = release(PLAN, exact=exact, **doors)

    with pytest.raises(PrivacyError, match="by hand"):
        Release(made.key, made.table, made.base_cells, made.card, made.seal, object())


def test_what_is_sealed_reads_back_as_it_was_written(doors):
    sealed = release(PLAN, exact=exact, **doors).seal
    data = doors["vault"].get(sealed.artefact_sha256)
    read = Measurements.from_bytes(data)

    assert read.to_bytes() == data
    assert [level.sigma for level in read.levels] == [PLAN.sigma(level) for level in range(3)]
    assert read.zones == PLAN.zones


def test_what_another_estimator_would_read_otherwise_is_not_read(doors, monkeypatch):
    data = doors["vault"].get(release(PLAN, exact=exact, **doors).seal.artefact_sha256)
    monkeypatch.setattr("privacy.measurements._ESTIMATOR", 3)

    with pytest.raises(SealLostError, match=r"estimator 2.*Remedy: use the version"):
        Measurements.from_bytes(data)


@pytest.mark.parametrize("data", [b"", b"no arrow stream", b"\xff" * 64])
def test_what_no_release_sealed_cannot_be_read(data):
    with pytest.raises(SealLostError, match="Remedy"):
        Measurements.from_bytes(data)


def test_a_system_that_tells_no_processors_of_a_process_draws_all_the_same(doors, monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)

    assert release(PLAN, exact=exact, **doors).table.num_rows > 0


def test_each_level_is_drawn_once_with_its_own_bound_and_loss(doors):
    drawn = []

    def note(values, *, l2_sensitivity, micro_rho):
        drawn.append((l2_sensitivity, micro_rho))
        return mechanisms_gaussian(values, l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)

    mechanisms_gaussian = mechanisms.discrete_gaussian
    with patch.object(mechanisms, "discrete_gaussian", note):
        release(PLAN, exact=exact, **doors)

    levels = PLAN.product.levels
    assert drawn == [(bound.l2, level.micro_rho) for bound, level in zip(PLAN.bounds, levels, strict=True)]
    assert sum(rho for _, rho in drawn) == sum(recorded.charge.micro_rho for recorded in doors["ledger"].charges())


def test_a_bound_in_fixed_point_is_never_rounded_in_favour_of_the_data():
    for level, bound in zip(PLAN.product.levels, PLAN.bounds, strict=True):
        assert bound.squared <= level.c2 * PLAN.fixed_point**2
        assert bound.l2**2 >= bound.squared


@pytest.mark.parametrize("squared", [0, -1, 2**53])
def test_a_bound_that_integers_cannot_hold_is_refused(squared):
    with pytest.raises(UnboundedContributionError):
        LevelBound("key_6", squared)

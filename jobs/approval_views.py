"""What a person sees before signing, and afterwards."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table

from jobs.console import release_view
from privacy.approval import Applicant, Trust
from privacy.ledger import Opening, PoolMonth
from privacy.mechanisms import epsilon
from privacy.plan import DELTAS
from privacy.policy import Policy
from privacy.release import Release
from privacy.signing import EventOpening, ReleaseApproval, Signed, StandingPlan
from privacy.unit import Charge


def approval_view(release: Release, asking: Applicant, rows: int) -> Group:
    """A release as its approver has to know it: its values, which are noisy already, its cost, and its digest."""
    card = release.card
    privacy: Any = card["privacy"]
    sensitivity: Any = card["sensitivity"]
    facts = _facts("To be signed: this release may leave")
    facts.add_row("release", f"{asking.key.product}, {asking.key.period}, revision {asking.key.revision}")
    facts.add_row("signed one by one", f"yes: {asking.needs_its_own}" if asking.needs_its_own else "a plan would do")
    facts.add_row("class", f"{sensitivity['class']}: {'; '.join(sensitivity['reasons'])}")
    if card["not_before"]:
        facts.add_row("not before", str(card["not_before"]))
    facts.add_row("protected", str(card["unit_of_privacy"]))
    for line in _cost(max(charge["micro_rho"] for charge in privacy["charges"])):
        facts.add_row("cost", line)
    for charge in privacy["charges"]:
        facts.add_row("charged", _charge_text(Charge(**charge)))
    facts.add_row("policy", f"SHA-256 {asking.policy_sha256}")
    facts.add_row("artefact", f"SHA-256 {asking.artefact_sha256}")
    return Group(release_view(release, rows), facts)


def plan_view(plan: StandingPlan, policy: Policy) -> Table:
    """A standing plan as its signer has to know it."""
    facts = _facts("To be signed: routine releases may leave")
    for name in plan.series:
        product = next(p for p in policy.products if f"{p.product}/{p.kind}" == name)
        facts.add_row(name, f"{product.pool} pool; each {'; '.join(_cost(product.most_micro_rho))}")
    facts.add_row("finest resolution", str(plan.finest_resolution))
    facts.add_row("valid", f"{plan.valid_from} to {plan.valid_until}, days in UTC")
    facts.add_row("never", "the first release of a product, a revision, the emergency pool")
    facts.add_row("policy", f"SHA-256 {plan.policy_sha256}")
    return facts


def opening_view(
    opening: Opening, statement: EventOpening, pools: Iterable[PoolMonth], event: Mapping[str, str]
) -> Table:
    """An opening as its signers have to know it: where it struck, what it reserves at once, what is charged already."""
    charged = {(pool.pool, pool.privacy_month): pool.charged_micro_rho for pool in pools}
    facts = _facts(f"To be signed: the {statement.pool} pool opens for {opening.event}")
    facts.add_row("event", f"{statement.hazard}, onset {opening.onset}")
    for name, told in event.items():
        facts.add_row(name, told)
    facts.add_row("releases", f"{len(opening.schedule)} of {opening.product}")
    for charge in opening.charges:
        before = charged.get((charge.pool, charge.privacy_month), 0)
        facts.add_row("reserved", f"{_charge_text(charge)}, where {before:,} micro-rho are charged")
    most = max(charge.micro_rho for charge in opening.charges)
    for line in _cost(most):
        facts.add_row("the dearest month", line)
    facts.add_row("schedule", f"SHA-256 {statement.schedule_sha256}")
    return facts


def statements_view(states: Sequence[tuple[Signed, str]], trust: Trust) -> Table:
    """Everything that was signed: what, by whom, and what it is worth."""
    table = Table(title=f"{len(states)} signed statements", box=box.SIMPLE, pad_edge=False)
    for heading in ("statement", "of", "signed by", "key", "state"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "key")
    for signed, state in states:
        whose = trust.of(signed.key)
        table.add_row(
            signed.statement.KIND, _about(signed), whose.name if whose else "a stranger", signed.key.id, state
        )
    return table


def trust_view(trust: Trust) -> Table:
    """The trusted keys."""
    table = Table(title=f"{len(trust.keys)} trusted keys", box=box.SIMPLE, pad_edge=False)
    for heading in ("name", "role", "key", "public key", "revoked from"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "key")
    for trusted in trust.keys:
        revoked_at = trust.revoked_at(trusted.key)
        revoked = f"{revoked_at:%Y-%m-%dT%H:%M:%SZ}" if revoked_at else ""
        table.add_row(trusted.name, trusted.role, trusted.key.id, trusted.public_key, revoked)
    return table


def _about(signed: Signed) -> str:
    match signed.statement:
        case ReleaseApproval() as approval:
            return f"{approval.product} {approval.period} r{approval.revision}, {approval.artefact_sha256[:16]}"
        case StandingPlan() as plan:
            return (
                f"{', '.join(plan.series)}, {plan.valid_from} to {plan.valid_until}, policy {plan.policy_sha256[:16]}"
            )
        case EventOpening() as opening:
            return f"{opening.event}, {opening.hazard}, onset {opening.onset}"
        case bundle:
            return bundle.bundle


def _facts(title: str) -> Table:
    table = Table(title=title, box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _cost(micro_rho: int) -> list[str]:
    epsilons = ", ".join(f"epsilon {epsilon(micro_rho, delta):.2f} at delta {delta:g}" for delta in DELTAS)
    return [f"{micro_rho:,} micro-rho: {epsilons}"]


def _charge_text(charge: Charge) -> str:
    return f"{charge.micro_rho:,} micro-rho to the {charge.pool} pool of privacy month {charge.privacy_month}"

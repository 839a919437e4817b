"""The README of a bundle: all that a reader must know before using a number."""

from collections.abc import Callable
from typing import Final

from jobs.publish.absence import absent_pair
from jobs.publish.card import Card, ChargeNote
from jobs.publish.forms import Form, form_of
from jobs.publish.sharing.agreement import Agreement
from jobs.publish.sharing.notice import SharingNote
from jobs.publish.tables import DECIMALS
from privacy.zoning import Zoning
from schemas.contract import Contract

README_NAME: Final = "README.md"
PAGE_NAME: Final = "situation.html"

_TEMPLATE: Final = """\
# {title}
{synthetic}{provisional}
{definition} Definition `{definition_id}`.

`{product}.csv` and `{product}.parquet` hold equal values, rounded to {decimals} decimals: {grain}.

## How to read a number

{reading}

## Who may hold it

- Sensitivity: **{sensitivity}**. Why: {reasons}.
- Places: {sensitive_places}.
{purpose}{sharing}
## What is protected, and what it cost

- Protected: {unit_of_privacy} ({neighbours}).
  A person with several SIM cards is several subscribers.
- Mechanism: {mechanism}. Cost: rho = {rho:g}, that is {epsilon}.
- Charged: {charges}.
- Noise: {noise}.

## Files

| File | What it is |
|---|---|
{files}

Check it with `sha256sum -c SHA256SUMS`, or with `whimbrel verify --key`, which needs nothing of the operator but its
public key.

## Citation

Whimbrel, {title}, revision {revision} (`{slug}`), {definition_id}, sealed {sealed_on},
ledger head `{head}`.
"""

_PROVISIONAL: Final = """
**Provisional: when this was released, records had been delivered until {until}. Later ones change nothing here.**
"""

_PURPOSE: Final = """\
- Made for: {purpose}. Legal basis: {legal_basis}. Controller: {controller}. Contact: {contact}. Reviewed on
  {reviewed_on}.
"""

_SHARED: Final = """\
- Shared with **{recipient}** on {shared_on}, under the agreement `{id}`, valid {valid_from} to {valid_until}.
  Purpose: {purpose}. Legal basis: {legal_basis}. Contact: {contact}.
- This is a part of the published release `{release}`{left_out}.
"""

_FOLDED: Final = (
    ". Finer flows{worse} are counted in the pair of coarser zones that they lie in. Such a row may lack what was "
    "below the cut among the finer ones: that stands in a still coarser row or in the remainder"
)
"""What a row of a shared bundle may be that no row of the whole release is."""

_SUMMED: Final = "; a row in which finer rows are counted has the noise of all of them, which its `noise_sd` states"

_FILES: Final = (
    ("{product}.csv", "the table"),
    ("{product}.parquet", "the table, with meaning and unit of each column"),
    ("zones.geojson", "{zones}"),
    ("map.png", "the largest flows"),
    (PAGE_NAME, "this release to look at, in a browser: map, tables, in English, French and Arabic; needs no network"),
    ("card.json", "privacy, cost, bounds and noise of this release, for machines"),
    ("datapackage.json", "Frictionless Data Package: columns, units, key"),
    ("approval.json", "who approved this release, with signature and key"),
    ("SHA256SUMS", "digest of every other file but the signature"),
    ("signature", "the publisher's signature over SHA256SUMS"),
)

_SHARING_FILE: Final = ("sharing.json", "with whom this was shared, under which agreement, and which zones it shows")

_ZONES: Final = {
    Zoning.H3: "zones of the table and base cells of the domain; coarser zones are unions of base cells",
    Zoning.ADMIN: "the administrative units of the domain with p-code, name, level and boundaries as the operator had "
    "them; a unit without radio cells is in no row and not drawn",
}
"""What `zones.geojson` holds."""

_ONLY_WHERE: Final[dict[str, Callable[[Form], bool]]] = {
    "zones.geojson": lambda form: form.has_zones,
    "map.png": lambda form: form.has_map,
}
"""Files that not all products have."""


def readme_text(card: Card, contract: Contract, sharing: SharingNote | None = None, *, has_page: bool = True) -> str:
    """Return the README of a bundle, in Markdown.

    Args:
        card: Its card.
        contract: The contract of its table.
        sharing: With whom it is shared; none of a published bundle.
        has_page: Whether it holds a page to look at; bundles of earlier versions do not.
    """
    privacy = card.privacy
    levels = [f"{level.sigma:.3g} {level.place(card.zoning)}" for level in privacy.levels]
    files = [
        (name.format(product=card.product), what.format(zones=_ZONES[card.zoning]))
        for name, what in (*_FILES, *([_SHARING_FILE] if sharing else []))
        if _is_there(name, form_of(card.product), has_page)
    ]
    return _TEMPLATE.format(
        **card.model_dump(include=_PLAIN),
        mechanism=privacy.mechanism,
        reading=_reading(card, sharing),
        synthetic="\n**Synthetic data: nobody lives here.**\n" if card.synthetic else "",
        provisional=_PROVISIONAL.format(until=card.delivered_until) if card.is_provisional else "",
        decimals=DECIMALS,
        grain=contract.grain,
        rho=privacy.claimed_micro_rho / 1e6,
        epsilon=card.epsilon_text,
        charges="; ".join(_charge_text(charge) for charge in privacy.charges),
        noise=f"standard deviation of one measured value {', '.join(levels)} ({card.unit_of_value})"
        + _summed(card, sharing),
        files="\n".join(f"| `{name}` | {what} |" for name, what in files),
        sensitivity=card.sensitivity.text,
        reasons="; ".join(card.sensitivity.reasons),
        purpose=_PURPOSE.format(**card.purpose.model_dump()) if card.purpose else "",
        sharing=_shared(card, sharing) if sharing else "",
        slug=sharing.slug if sharing else card.slug,
        head=card.ledger_head,
    )


def _is_there(name: str, form: Form, has_page: bool) -> bool:
    if name == PAGE_NAME:
        return has_page
    return name not in _ONLY_WHERE or _ONLY_WHERE[name](form)


_PLAIN: Final = {
    "title", "sensitive_places", "definition", "definition_id", "product", "unit_of_privacy", "neighbours", "revision",
    "sealed_on",
}  # fmt: skip


def _shared(card: Card, sharing: SharingNote) -> str:
    terms, form = sharing.terms, form_of(card.product)
    finest = f", down to {card.zoning.place(max(card.resolutions))}" if form.has_zones and card.resolutions else ""
    least = f", rows of quality {terms.least_quality} or better" if terms.least_quality else ""
    return _SHARED.format(
        **terms.document,
        shared_on=sharing.shared_on,
        release=sharing.release,
        left_out=f"{finest}{least}{_folded(terms) if form.has_map else ''}",
    )


def _folded(terms: Agreement) -> str:
    return _FOLDED.format(worse=" and those of a worse grade" if terms.least_quality else "")


def _summed(card: Card, sharing: SharingNote | None) -> str:
    """What the noise of measured values does not tell of rows in which finer ones are counted."""
    return _SUMMED if sharing and form_of(card.product).has_map else ""


def _reading(card: Card, sharing: SharingNote | None) -> str:
    return form_of(card.product).reading.format(
        unit=card.unit_of_value,
        interval=card.privacy.interval,
        absent=absent_pair(card.privacy.publish_sigma, sharing),
        clipping=card.finding,
    )


def _charge_text(charge: ChargeNote) -> str:
    return f"rho = {charge.micro_rho / 1e6:g} to the {charge.pool} pool of privacy month {charge.privacy_month}"

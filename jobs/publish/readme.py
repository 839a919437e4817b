"""The README of a bundle: all that a reader must know before using a number."""

from typing import Final

from jobs.publish.card import Card, ChargeNote
from jobs.publish.tables import DECIMALS
from schemas.contract import Contract

README_NAME: Final = "README.md"

_TEMPLATE: Final = """\
# {title}
{synthetic}
{definition} Definition `{definition_id}`.

`{product}.csv` and `{product}.parquet` hold equal values, rounded to {decimals} decimals: {grain}.

## How to read a number

- `value` is an estimate in {unit}; `noise_sd` is the standard deviation of the noise that protects people.
- `ci_low` to `ci_high` is the interval: {interval}. An interval may reach below zero; do not cut it
  off before adding rows up, the sum would drift upwards.
- **A pair without a row lies below the cut of {cut:g} standard deviations. That is not zero**: its trips are
  in the row of a coarser pair or in the one `remainder` row, so that all rows together add up to the national
  total, but for rounding. The remainder makes sums right; alone it is too low, by what rows near the cut are too high.
- A `residual` row holds what finer rows leave of its pair; add them to it for the pair as a whole.
- `quality`: A, noise below 5 % of the value; B, below 15 %; C, above.
- Clipping: {clipping}.

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

Check it with `sha256sum -c SHA256SUMS`, or with `whimbrel verify`, which needs nothing of the operator.

## Citation

Whimbrel, {title}, revision {revision} (`{slug}`), {definition_id}, sealed {sealed_on},
ledger head `{head}`.
"""

_FILES: Final = (
    ("{product}.csv", "the table"),
    ("{product}.parquet", "the table, with meaning and unit of each column"),
    (
        "zones.geojson",
        "zones of the table and base cells of the domain; coarser zones are unions of base cells",
    ),
    ("map.png", "the largest flows"),
    ("card.json", "privacy, cost, bounds and noise of this release, for machines"),
    ("datapackage.json", "Frictionless Data Package: columns, units, key"),
    ("SHA256SUMS", "digest of every other file"),
)


def readme_text(card: Card, contract: Contract) -> str:
    """Return the README of a bundle, in Markdown."""
    privacy = card.privacy
    levels = [f"{level.sigma:.3g} at resolution {level.resolution}" for level in privacy.levels]
    return _TEMPLATE.format(
        **card.model_dump(include=_PLAIN),
        **privacy.model_dump(include={"interval", "mechanism"}),
        synthetic="\n**Synthetic data: nobody lives here.**\n" if card.synthetic else "",
        decimals=DECIMALS,
        grain=contract.grain,
        unit=card.unit_of_value,
        cut=privacy.publish_sigma,
        clipping=privacy.clipping_bias,
        rho=privacy.micro_rho / 1e6,
        epsilon=card.epsilon_text,
        charges="; ".join(_charge_text(charge) for charge in privacy.charges),
        noise=f"standard deviation of one measured pair {', '.join(levels)} ({card.unit_of_value})",
        files="\n".join(f"| `{name.format(product=card.product)}` | {what} |" for name, what in _FILES),
        slug=card.slug,
        head=card.ledger_head,
    )


_PLAIN: Final = {
    "title", "definition", "definition_id", "product", "unit_of_privacy", "neighbours", "revision",
    "sealed_on",
}  # fmt: skip


def _charge_text(charge: ChargeNote) -> str:
    return f"rho = {charge.micro_rho / 1e6:g} to the {charge.pool} pool of privacy month {charge.privacy_month}"

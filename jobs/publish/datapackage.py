"""`datapackage.json`: the bundle as a Frictionless Data Package, its schema generated from the contract."""

from typing import Any, Final

from jobs.publish.card import Card
from jobs.publish.forms import form_of
from jobs.publish.sharing.checks import told
from jobs.publish.sharing.notice import SharingNote
from privacy.zoning import Zoning
from schemas.contract import Column, Contract

PACKAGE_NAME: Final = "datapackage.json"

_FIELD_TYPES: Final = {
    "string": "string",
    "int": "integer",
    "bigint": "integer",
    "boolean": "boolean",
    "double": "number",
}
_ZONES: Final = {
    Zoning.H3: "Zones of the table and base cells of the domain",
    Zoning.ADMIN: "Administrative units of the domain, by p-code",
}
_MEDIA_TYPES: Final = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "geojson": "application/geo+json",
}


def package_of(card: Card, contract: Contract, sharing: SharingNote | None = None) -> dict[str, Any]:
    """Return the descriptor of a bundle from the release's card and the contract of its table.

    Args:
        card: The card.
        contract: The contract of its table.
        sharing: With whom it is shared; none of a published bundle.
    """
    table = f"{contract.name}, {card.period}"
    return {
        "profile": "data-package",
        "name": (sharing.slug if sharing else card.slug).lower(),
        "title": card.title,
        "description": f"{card.definition} {told(sharing)}" if sharing else card.definition,
        "version": f"{card.revision}",
        "sensitivity": card.sensitivity.text,
        **zoning_of(card),
        "resources": [
            _resource(contract.name, f"{table}, as CSV", "csv") | {"schema": schema_of(contract)},
            _resource(contract.name, f"{table}, as Parquet", "parquet") | {"schema": schema_of(contract)},
            *_zones(card),
        ],
    }


def _zones(card: Card) -> list[dict[str, Any]]:
    if not form_of(card.product).has_zones:
        return []
    return [_resource("zones", _ZONES[card.zoning], "geojson")]


def zoning_of(card: Card) -> dict[str, str]:
    """Return what a package says of its zones where they are no H3 cells."""
    return {} if card.zoning is Zoning.H3 else {"zoning": str(card.zoning)}


def schema_of(contract: Contract) -> dict[str, Any]:
    """Return a contract as a Table Schema: names, types, meanings, units, required columns and key."""
    return {
        "fields": [_field(column) for column in contract.columns],
        "primaryKey": list(contract.key),
        "missingValues": [""],
    }


def _field(column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {
        "name": column.name,
        "type": _FIELD_TYPES[column.type.simpleString()],
        "description": column.meaning,
    }
    if column.unit:
        field["unit"] = column.unit
    if not column.nullable:
        field["constraints"] = {"required": True}
    return field


def _resource(stem: str, title: str, form: str) -> dict[str, Any]:
    # Digests stand in SHA256SUMS alone: frictionless has none for Parquet and would call a stated one wrong.
    return {
        "name": f"{stem}-{form}".replace("_", "-"),
        "title": title,
        "path": f"{stem}.{form}",
        "format": form,
        "mediatype": _MEDIA_TYPES[form],
        "encoding": "utf-8",
        "profile": "data-resource" if form == "geojson" else "tabular-data-resource",
    }

"""The data package of a bundle, through frictionless, which follows addresses and paths that it finds.

A stranger's descriptor could send it anywhere, so only one that names nothing but the bundle's own files and
the contract's own schema is handed over.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import frictionless

from jobs.publish.card import Card
from jobs.publish.datapackage import PACKAGE_NAME, schema_of, zoning_of
from jobs.publish.forms import form_of
from jobs.publish.jsontext import read_json_object
from schemas.contract import Contract
from schemas.errors import BundleError

_PACKAGE_KEYS: Final = frozenset(
    {"profile", "name", "title", "description", "version", "sensitivity", "zoning", "resources"}
)
_RESOURCE_KEYS: Final = frozenset({"name", "title", "path", "format", "mediatype", "profile", "encoding", "schema"})
_PROFILES: Final = frozenset({"data-resource", "tabular-data-resource"})


def check_package(files: Mapping[str, bytes], contract: Contract, card: Card) -> None:
    """Check that `datapackage.json` describes the bundle's files and class, and that frictionless finds both valid.

    Raises:
        BundleError: It describes something else, or frictionless objects.
    """
    package = read_json_object(files[PACKAGE_NAME], PACKAGE_NAME)
    _require_own(package, contract)
    if package.get("sensitivity") != card.sensitivity.text:
        raise _refused("its sensitivity is not that of the card", card.sensitivity.text)
    if {name: package[name] for name in package.keys() & {"zoning"}} != zoning_of(card):
        raise _refused("its zoning is not that of the card", str(card.zoning))
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        report = frictionless.validate(str(Path(folder) / PACKAGE_NAME))
    if errors := [*report.errors, *(error for task in report.tasks for error in task.errors)]:
        raise _refused(f"frictionless says: {errors[0].message}", "a valid data package")


def _require_own(package: Mapping[str, Any], contract: Contract) -> None:
    resources = package.get("resources")
    if not isinstance(resources, list) or not all(isinstance(resource, dict) for resource in resources):
        raise _refused("it has no resources", "a list of them")
    _require_known(package, _PACKAGE_KEYS)
    for resource in resources:
        _require_known(resource, _RESOURCE_KEYS)
    zones = ["zones.geojson"] if form_of(contract.name).has_zones else []
    paths = [f"{contract.name}.csv", f"{contract.name}.parquet", *zones]
    if [resource.get("path") for resource in resources] != paths:
        raise _refused("it describes other files", ", ".join(paths))
    if package.get("profile") != "data-package" or not {str(r.get("profile")) for r in resources} <= _PROFILES:
        raise _refused("it names a profile of its own", "the profiles of Frictionless")
    schemas = [schema_of(contract), schema_of(contract), *(None for _ in zones)]
    if [resource.get("schema") for resource in resources] != schemas:
        raise _refused("its schema is another", f"that of {contract.name}, version {contract.version}")


def _require_known(part: Mapping[str, Any], known: frozenset[str]) -> None:
    if odd := sorted(part.keys() - known):
        raise _refused(f"it has a property {odd[0]!r}", f"none but {', '.join(sorted(known))}")


def _refused(found: str, expected: str) -> BundleError:
    return BundleError(f"{PACKAGE_NAME} is refused: {found}.", expected, "do not use the bundle; ask its publisher")

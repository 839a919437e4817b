"""The structure of SDMX data: concepts, code lists, the definition that ties them together, and its dataflow.

Source: SDMX-JSON 2.0 structure message.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from jobs.publish.export.plain import unmarked
from jobs.publish.export.sdmx_codes import CodeNames
from privacy.canonical import canonical_json

AGENCY: Final = "WHIMBREL"
VERSION: Final = "1.0"

_SCHEMA: Final = (
    "https://raw.githubusercontent.com/sdmx-twg/sdmx-json/master/structure-message/tools/schemas/2.0.0/"
    "sdmx-json-structure-schema.json"
)
"""How a structure message says what it is: readers look for it near the beginning."""

_CONCEPTS: Final = {
    "FREQ": "Frequency of observation",
    "REF_AREA": "Reference area: where from, of pairs",
    "COUNTERPART_AREA": "Counterpart area: where to, of pairs",
    "INDICATOR": "What is counted; residual and remainder rows are indicators of their own",
    "SEX": "Sex of the registrant",
    "AGE": "Age band of the registrant",
    "HOUR_BIN": "Hours of the local day",
    "SIM_COUNTRY": "Country of the SIM",
    "VISITED_COUNTRY": "Country of the network",
    "CHANGE": "What became of the home",
    "TRANSITION": "Status of the day before and of the day",
    "SIGHT": "What the night itself showed",
    "TRIPS_A_DAY": "Point of the grid",
    "PART": "Within the bounds or cut off by them",
    "TIME_PERIOD": "Day, ISO week, or privacy month (whole ISO weeks; see PERIOD_START and PERIOD_END)",
    "OBS_VALUE": "Estimate",
    "CI_LOWER": "Lower end of the 95 % interval",
    "CI_UPPER": "Upper end of the 95 % interval",
    "NOISE_SD": "Standard deviation of the error that noise leaves in the estimate",
    "OBS_STATUS": "Observation status",
    "CONF_STATUS": "Confidentiality status",
    "UNIT_MEASURE": "Unit of the estimate",
    "PERIOD_START": "First day of the period",
    "PERIOD_END": "Last day of the period",
    "DEFINITION": "Definition of the product, and the areas' weights where values were apportioned",
    "SYNTHETIC": "Whether the data are synthetic",
}

_CODED: Final = ("OBS_STATUS", "CONF_STATUS", "SYNTHETIC")
ATTRIBUTES: Final = (
    "CI_LOWER", "CI_UPPER", "OBS_STATUS", "CONF_STATUS", "NOISE_SD", "UNIT_MEASURE", "PERIOD_START", "PERIOD_END",
    "DEFINITION", "SYNTHETIC",
)  # fmt: skip
_DATES: Final = ("PERIOD_START", "PERIOD_END")


_DOUBLES: Final = ("OBS_VALUE", "CI_LOWER", "CI_UPPER", "NOISE_SD")


@dataclass(frozen=True)
class Structure:
    """The structure of a product's data over one domain.

    Args:
        product: The product, in capitals.
        lists: Codes of each coded dimension and attribute, in the order of the columns.
        is_synthetic: Whether the data are synthetic.
        definition_id: Definition of the product.
        definition: The same in words.
        sealed_on: Day on which the release was sealed.
    """

    product: str
    lists: Mapping[str, CodeNames]
    is_synthetic: bool
    definition_id: str
    definition: str
    sealed_on: str

    @cached_property
    def id(self) -> str:
        """Its identifier."""
        told = {name: dict(found) for name, found in self.lists.items()}
        digest = sha256(canonical_json({"lists": told, "synthetic": self.is_synthetic})).hexdigest()
        return f"{self.product}_{digest[:8].upper()}"

    @property
    def dataflow(self) -> str:
        """What a row of data refers to."""
        return f"{AGENCY}:DF_{self.id}({VERSION})"

    @property
    def dimensions(self) -> list[str]:
        """Its dimensions in order, but the time."""
        return [name for name in self.lists if name not in _CODED]


def structure_bytes(structure: Structure) -> bytes:
    """The structure message: concepts, code lists, the data structure definition and its dataflow."""
    mark = "SYNTHETIC DATA: " if structure.is_synthetic else ""
    name = f"{mark}{structure.product.lower()} ({structure.definition_id})"
    used = (*structure.dimensions, "TIME_PERIOD", "OBS_VALUE", *ATTRIBUTES)
    message = {
        "meta": {
            "schema": _SCHEMA,
            "id": structure.id,
            "prepared": f"{structure.sealed_on}T00:00:00Z",
            "test": structure.is_synthetic,
            "sender": {"id": AGENCY},
            "contentLanguages": ["en"],
        },
        "data": {
            "conceptSchemes": [
                _maintained(f"CS_{structure.id}", f"{name}: concepts")
                | {"concepts": [{"id": concept, "name": _CONCEPTS[concept]} for concept in used]}
            ],
            "codelists": [_codelist(structure, name, concept, found) for concept, found in structure.lists.items()],
            "dataStructures": [
                _maintained(f"DSD_{structure.id}", f"{name}: structure")
                | {"description": unmarked(structure.definition), "dataStructureComponents": _components(structure)}
            ],
            "dataflows": [
                _maintained(f"DF_{structure.id}", name)
                | {"structure": _urn("datastructure.DataStructure", f"DSD_{structure.id}")}
            ],
        },
    }
    return (json.dumps(message, indent=2, ensure_ascii=False) + "\n").encode()  # in this order, and not by name


def _maintained(name: str, told: str) -> dict[str, Any]:
    return {"id": name, "agencyID": AGENCY, "version": VERSION, "name": unmarked(told)}


def _codelist(structure: Structure, name: str, concept: str, found: CodeNames) -> dict[str, Any]:
    listed = [{"id": code, "name": told or code} for code, told in found.items()]
    return _maintained(_list_id(structure, concept), f"{name}: {concept}") | {"codes": listed}


def _list_id(structure: Structure, concept: str) -> str:
    return f"CL_{concept}_{structure.id}"


def _components(structure: Structure) -> dict[str, Any]:
    dimensions = [_component(structure, name) | {"position": n} for n, name in enumerate(structure.dimensions, start=1)]
    time = _component(structure, "TIME_PERIOD") | {"position": len(dimensions) + 1}
    attributes = [
        _component(structure, name) | {"usage": "mandatory", "attributeRelationship": {"observation": {}}}
        for name in ATTRIBUTES
    ]
    measure = _component(structure, "OBS_VALUE") | {"usage": "mandatory"}
    return {
        "dimensionList": {"id": "DimensionDescriptor", "dimensions": dimensions, "timeDimension": time},
        "measureList": {"id": "MeasureDescriptor", "measures": [measure]},
        "attributeList": {"id": "AttributeDescriptor", "attributes": attributes},
    }


def _component(structure: Structure, name: str) -> dict[str, Any]:
    concept = _urn("conceptscheme.Concept", f"CS_{structure.id}", name)
    return {"id": name, "conceptIdentity": concept, "localRepresentation": _representation(structure, name)}


def _representation(structure: Structure, name: str) -> dict[str, Any]:
    if name in structure.lists:
        return {"enumeration": _urn("codelist.Codelist", _list_id(structure, name))}
    if name == "TIME_PERIOD":
        return {"format": {"dataType": "ObservationalTimePeriod"}}
    if name in _DOUBLES:
        return {"format": {"dataType": "Double"}}
    return {"format": {"dataType": "GregorianDay" if name in _DATES else "String"}}


def _urn(kind: str, name: str, item: str = "") -> str:
    return f"urn:sdmx:org.sdmx.infomodel.{kind}={AGENCY}:{name}({VERSION}){f'.{item}' if item else ''}"

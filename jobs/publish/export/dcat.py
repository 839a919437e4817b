"""A record of an export for the catalogue of a portal: DCAT 3 as JSON-LD, which readers of DCAT 2 understand.

It names no licence and no publisher: those are the portal's to say.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from jobs.publish.export.notes import facts_of
from jobs.publish.export.source import Source
from jobs.publish.jsontext import json_bytes

_CONTEXT: Final = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "geo": "http://www.opengis.net/ont/geosparql#",
    "prov": "http://www.w3.org/ns/prov#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_DESCRIBED: Final = ("definition", "absence", "interval", "privacy", "shared")
_ACCESS: Final = {"public": "PUBLIC", "restricted": "RESTRICTED", "internal": "NON_PUBLIC"}
_RIGHTS: Final = "http://publications.europa.eu/resource/authority/access-right/"
_MEDIA: Final = "https://www.iana.org/assignments/media-types/"

_MEDIA_TYPES: Final = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".gpkg": "application/geopackage+sqlite3",
    ".geojson": "application/geo+json",
    ".kmz": "application/vnd.google-earth.kmz",
    ".json": "application/json",
}


def dcat_bytes(source: Source, files: Mapping[str, bytes]) -> bytes:
    """Return the record of a bundle's export.

    Args:
        source: What is exported.
        files: The files that stand beside the record, by name.
    """
    facts = facts_of(source)
    record = {
        "@context": _CONTEXT,
        "@id": f"urn:whimbrel:{source.stem}:{source.sha256}",
        "@type": "dcat:Dataset",
        "dct:title": facts["title"],
        "dct:identifier": source.stem,
        "dct:description": " ".join(facts[name] for name in _DESCRIBED if name in facts),
        "dct:issued": _date(source.card.sealed_on),
        "dcat:version": facts["revision"],
        "dcat:keyword": _keywords(source),
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _date(facts["period_start"]),
            "dcat:endDate": _date(facts["period_end"]),
        },
        "dct:accessRights": {
            "@id": _RIGHTS + _ACCESS[source.card.sensitivity.now],
            "@type": "dct:RightsStatement",
            "rdfs:label": facts["sensitivity"],
        },
        "dct:bibliographicCitation": facts["citation"],
        "dct:provenance": {"@type": "dct:ProvenanceStatement", "rdfs:label": facts["source_sha256"]},
        "prov:wasDerivedFrom": {
            "@id": f"urn:whimbrel:bundle:{source.bundle}:{source.sha256}",
            "@type": "prov:Entity",
            "dct:identifier": source.bundle,
            "spdx:checksum": _checksum(source.sha256),
        },
        "dcat:distribution": [_distribution(name, files[name]) for name in sorted(files)],
    }
    return json_bytes(record | _spatial(source))


def _keywords(source: Source) -> list[str]:
    words = ["mobility", "differential privacy", source.card.product.replace("_", " "), source.card.definition_id]
    return ["synthetic data", *words] if source.card.synthetic else words


def _spatial(source: Source) -> dict[str, Any]:
    if source.zones is None:
        return {}
    west, south, east, north = (round(float(degrees), 6) for degrees in source.zones.total_bounds)
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    text = ", ".join(f"{x} {y}" for x, y in corners)
    box = {"@type": "geo:wktLiteral", "@value": f"POLYGON (({text}))"}
    return {"dct:spatial": {"@type": "dct:Location", "dcat:bbox": box}}


def _distribution(name: str, content: bytes) -> dict[str, Any]:
    media = _MEDIA_TYPES[name[name.rindex(".") :]]
    return {
        "@type": "dcat:Distribution",
        "dct:title": name,
        "dcat:downloadURL": {"@id": name},
        "dcat:mediaType": {"@id": _MEDIA + media},
        "dcat:byteSize": {"@type": "xsd:nonNegativeInteger", "@value": str(len(content))},
        "spdx:checksum": _checksum(sha256(content).hexdigest()),
    }


def _checksum(digest: str) -> dict[str, Any]:
    return {
        "@type": "spdx:Checksum",
        "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
        "spdx:checksumValue": {"@type": "xsd:hexBinary", "@value": digest},
    }


def _date(day: str) -> dict[str, str]:
    return {"@type": "xsd:date", "@value": day}

"""A bundle as SDMX-CSV 2.0, and its data structure definition as SDMX-JSON 2.0.

The definition lists every code of the public domain, not those that a table happens to hold, so all periods of a
product over one domain share it; its identifier ends in a digest of its codes, so that two domains never share one.
"""

from collections.abc import Iterable
from typing import Final

import h3
import pandas as pd

from jobs.publish.export import sdmx_codes as codes
from jobs.publish.export.breakdowns import label_text
from jobs.publish.export.notes import facts_of
from jobs.publish.export.plain import cell_text, unmarked
from jobs.publish.export.sdmx_codes import CodeNames
from jobs.publish.export.sdmx_structure import ATTRIBUTES, Structure, structure_bytes
from jobs.publish.export.source import Source
from jobs.publish.export.tabular import lines_of
from jobs.publish.tables import DECIMALS
from privacy.zoning import Zoning
from schemas.published import PUBLISHED, REMAINDER, RESIDUAL

_DIMENSIONS: Final = {
    "sex": "SEX",
    "age_band": "AGE",
    "bin_start_h": "HOUR_BIN",
    "sim_country": "SIM_COUNTRY",
    "visited_country": "VISITED_COUNTRY",
    "change": "CHANGE",
    "transition": "TRANSITION",
    "sight": "SIGHT",
    "trips_a_day": "TRIPS_A_DAY",
    "part": "PART",
}
"""The dimension of each label."""

_NUMBERS: Final = {"OBS_VALUE": "value", "CI_LOWER": "ci_low", "CI_UPPER": "ci_high", "NOISE_SD": "noise_sd"}


def sdmx_files(source: Source) -> dict[str, bytes]:
    """Return the data and their structure, by the rest of their names."""
    structure = structure_of(source)
    return {
        "sdmx.csv": _data(source, structure),
        "sdmx_structure.json": structure_bytes(structure),
    }


def structure_of(source: Source) -> Structure:
    """Return the structure of a bundle's data: that of all bundles of the product over the same domain."""
    areas = {codes.TOTAL: _everywhere(source), **_area_names(source)}
    away = {codes.NOT_APPLICABLE: "Not applicable"} if len(source.places) < 2 else {}
    lists: dict[str, CodeNames] = {
        "FREQ": codes.FREQ,
        "REF_AREA": areas,
        "COUNTERPART_AREA": away or areas,
        "INDICATOR": _indicators(source),
        **{_DIMENSIONS[label]: _label_names(source, label) for label in source.labels},
        "OBS_STATUS": codes.OBS_STATUS,
        "CONF_STATUS": codes.CONF_STATUS,
        "SYNTHETIC": codes.SYNTHETIC,
    }
    card = source.card
    return Structure(
        card.product.upper(), lists, card.synthetic, card.definition_id, facts_of(source)["definition"], card.sealed_on
    )


def _everywhere(source: Source) -> str:
    return "All zones of the event's area, or of the country" if source.card.event else "The whole country"


def _area_names(source: Source) -> dict[str, str]:
    """Names by code of every zone of the domain, of all its levels; of other areas, those of the table."""
    if source.zones is None:
        places = source.rows[list(source.places)].to_numpy().ravel() if source.places else []
        return {codes.area_code(zone): unmarked(str(zone)) for zone in sorted({z for z in places if not pd.isna(z)})}
    if source.card.zoning is Zoning.ADMIN:
        names = source.zones["name"].items()
        return {codes.area_code(zone): unmarked(f"{name} ({zone})" if name else str(zone)) for zone, name in names}
    base, levels = source.card.zones.base_resolution, source.card.zones.resolutions
    cells = source.zones.index[source.zones["level"] == base]
    found = {(level, str(h3.cell_to_parent(cell, level))) for cell in cells for level in levels}
    return {zone: f"H3 cell {zone}, resolution {level}" for level, zone in sorted(found)}


def _indicators(source: Source) -> dict[str, str]:
    name, told = source.card.product.upper(), unmarked(_meaning(source))
    if not source.has_flows:
        return {name: told}
    rest = {RESIDUAL: "What the published finer pairs leave of the pair", REMAINDER: "All that is in no other row"}
    return {name: told} | {f"{name}_{status.upper()}": text for status, text in rest.items()}


def _meaning(source: Source) -> str:
    return next(column.meaning for column in source.contract.columns if column.name == "value")


def _label_names(source: Source, label: str) -> dict[str, str]:
    """Names by code of what a label can say, by the card where it says so, by the table elsewhere."""
    card = source.card
    listed = {"sex": card.sex, "age_band": card.age_bands, "sim_country": card.countries}
    listed["visited_country"] = card.countries
    values = [*(listed.get(label) or ()), *source.rows[label].drop_duplicates().tolist()]
    named = {codes.label_code(label, value): "" if pd.isna(value) else label_text(label, value) for value in values}
    return {code: codes.name_of(code, named[code]) for code in sorted(named)}


def _data(source: Source, structure: Structure) -> bytes:
    columns = _columns(source, structure)
    header = ["STRUCTURE", "STRUCTURE_ID", "ACTION", *columns]
    rows = (("dataflow", structure.dataflow, "I", *row) for row in zip(*columns.values(), strict=True))
    return lines_of([header], rows)


def _columns(source: Source, structure: Structure) -> dict[str, Iterable[str]]:
    """The columns of the data after the first three, in order."""
    rows, n = source.rows, len(source.rows)
    labels = {_DIMENSIONS[label]: [codes.label_code(label, value) for value in rows[label]] for label in source.labels}
    fixed = {name: [value] * n for name, value in _fixed(source).items()}
    numbers = {name: [f"{value:.{DECIMALS}f}" for value in rows[column]] for name, column in _NUMBERS.items()}
    found = {**_areas(source), "INDICATOR": _indicator_codes(source), **labels, **fixed, **numbers}
    return {name: found[name] for name in (*structure.dimensions, "TIME_PERIOD", "OBS_VALUE", *ATTRIBUTES)}


def _areas(source: Source) -> dict[str, list[str]]:
    found = [[codes.area_code(zone) for zone in source.rows[place]] for place in source.places]
    n = len(source.rows)
    first, second, *_ = (
        [*found, *([[codes.NOT_APPLICABLE] * n] * 2)] if found else [[codes.TOTAL] * n, [codes.NOT_APPLICABLE] * n]
    )
    return {"REF_AREA": first, "COUNTERPART_AREA": second}


def _indicator_codes(source: Source) -> list[str]:
    name = source.card.product.upper()
    if not source.has_flows:
        return [name] * len(source.rows)
    return [name if status == PUBLISHED else f"{name}_{status.upper()}" for status in source.rows["status"]]


def _fixed(source: Source) -> dict[str, str]:
    """What all rows say alike."""
    card, period = source.card, source.period
    return {
        "FREQ": codes.frequency_of(period.kind),
        "TIME_PERIOD": str(period),
        "OBS_STATUS": "P" if card.is_provisional else "E",
        "CONF_STATUS": codes.conf_status_of(card.sensitivity.now),
        "UNIT_MEASURE": cell_text(unmarked(card.unit_of_value)),
        "PERIOD_START": period.first_day.isoformat(),
        "PERIOD_END": period.last_day.isoformat(),
        "DEFINITION": cell_text(unmarked(" ".join(filter(None, (card.definition_id, source.by_areas))))),
        "SYNTHETIC": "Y" if card.synthetic else "N",
    }

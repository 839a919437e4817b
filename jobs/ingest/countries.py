"""Countries that records name: of a SIM, and of a network visited abroad."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.countries import countries

_NETWORK_OR_IMSI = r"^[0-9]{3}[-. ]?[0-9]{2,12}$"


def country_code(written: Column) -> Column:
    """What a record says of a country, as a code in capitals; of a network's code or an IMSI the first three digits.

    Nothing longer travels on, so that no IMSI reaches an exchange.
    """
    text = F.upper(F.trim(written.cast("string")))
    return F.when(F.length(text) <= 3, text).when(text.rlike(_NETWORK_OR_IMSI), F.substring(text, 1, 3))


def write_country_codes(path: Path) -> None:
    """Write the public codes, with the country of each, as Parquet that every engine reads: `code, country`."""
    rows = [{"code": code, "country": country.name} for country in countries().values() for code in country.codes]
    pq.write_table(pa.Table.from_pylist(rows), path)


def with_sim_country(events: DataFrame, country_codes: DataFrame) -> DataFrame:
    """Replace the code in `sim_country` by the country's alpha-2 code; a code of no country by nothing.

    Done once an event, so that which country a day has does not hang on what its other records call theirs.
    """
    named = country_codes.select(F.col("code").alias("sim_country"), "country")
    found = events.join(F.broadcast(named), "sim_country", "left")
    return found.drop("sim_country").withColumnRenamed("country", "sim_country")


def country_stretches(stretches: int) -> list[tuple[str, int, int | None]]:
    """One row per code and stretch of days, with the country's numeric code: contract `cell_stretches`.

    So a network abroad is read as a cell is; its points stand apart from those of cells.
    """
    return [
        (code, stretch, country.numeric)
        for country in countries().values()
        for code in country.codes
        for stretch in range(stretches)
    ]

"""What really happened, beside the deliveries: true trips, homes, and what a reader must quarantine."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.synth.country import Country
from jobs.synth.itineraries import Stays
from jobs.synth.lives import LIVES
from jobs.synth.people import People, numbers
from jobs.synth.randomness import Ints
from jobs.synth.registrants import AGE_BANDS, NOT_AVAILABLE, SEXES, Registrants


def true_trips(stays: Stays, zone_of_place: Ints, zone_names: tuple[str, ...]) -> pa.Table:
    """Return the trips of one day, made by people.

    A trip joins two consecutive stays in different zones and counts on the day it arrives, and once a person, pair and
    day, as in `od_trips`. A day begins where the day before ended, so no trip is lost at midnight. Machines make none.

    Grain: one row per origin and destination between which a trip was made, sorted by zone name.
    """
    zone = zone_of_place[stays.place]
    trip = (stays.subscriber[1:] == stays.subscriber[:-1]) & (zone[1:] != zone[:-1])
    pair, pairs = zone[:-1][trip] * len(zone_names) + zone[1:][trip], len(zone_names) ** 2
    once = np.unique(stays.subscriber[1:][trip] * pairs + pair)
    key, trips = np.unique(once % pairs, return_counts=True)
    names = np.array(zone_names)
    return pa.table(
        {
            "origin_h3": pa.array(names[key // len(names)], pa.string()),
            "destination_h3": pa.array(names[key % len(names)], pa.string()),
            "trips": pa.array(trips, pa.int64()),
        }
    ).sort_by([("origin_h3", "ascending"), ("destination_h3", "ascending")])


def homes(country: Country, people: People) -> pa.Table:
    """Return where people live: one row per subscriber, in no other order than that of their index."""
    names = np.array(country.places.zone_names)
    return pa.table(
        {
            "msisdn": pa.array(numbers(0, people.count), pa.string()),
            "home_h3": pa.array(names[country.places.zone[people.home]], pa.string()),
        }
    )


def registered_people(people: People, registrants: Registrants, lives: Ints | None) -> pa.Table:
    """Return who people are: registrant's sex and age band, how they live, mean events a day.

    Grain: one row per subscriber, in the order of their index. What is not held is NOT_AVAILABLE. Without a scenario
    every life is "settled".
    """
    life = np.zeros(people.count, dtype=np.int64) if lives is None else lives
    return pa.table(
        {
            "msisdn": pa.array(numbers(0, people.count), pa.string()),
            "sex": _held(SEXES, registrants.sex),
            "age_band": _held(AGE_BANDS, registrants.age_band),
            "life": pa.array(np.array(LIVES)[life], pa.string()),
            "events_a_day": pa.array(people.activity, pa.float64()),
        }
    )


def _held(values: Sequence[str], index: Ints) -> pa.Array:
    """Return texts of indices; NOT_HELD, which is -1, takes the last."""
    return pa.array(np.array([*values, NOT_AVAILABLE])[index], pa.string())


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table of the truth as Parquet, its folder made where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write a value as readable JSON that is the same for the same value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")

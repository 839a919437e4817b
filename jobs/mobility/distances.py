"""Distances between places."""

from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

_EARTH_RADIUS_KM: Final = 6_371.0088  # mean radius, IUGG


def distance_km(latitude: Column, longitude: Column, other_latitude: Column, other_longitude: Column) -> Column:
    """Great-circle distance between two places in degrees (haversine), kilometres."""
    lat_1, lat_2 = F.radians(latitude), F.radians(other_latitude)
    d_lon = F.radians(other_longitude) - F.radians(longitude)
    h = F.sin((lat_2 - lat_1) / 2) ** 2 + F.cos(lat_1) * F.cos(lat_2) * F.sin(d_lon / 2) ** 2
    return 2 * _EARTH_RADIUS_KM * F.asin(F.sqrt(F.least(h, F.lit(1.0))))

"""The words and forms of all papers in English."""

from typing import Final

from jobs.publish.paper.locales import Locale, english_plural
from jobs.publish.situation.estimate import Trust

ENGLISH: Final = Locale(
    language="en",
    name="English",
    direction="ltr",
    plural=english_plural,
    thousands=",",
    decimal=".",
    months=(
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
    short_months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    first_of_month="1",
    date_form="{day} {month} {year}",
    short_date_form="{day} {short_month}",
    month_form="{month} {year}",
    interval="{low} to {high}",
    with_interval="{value} ({interval})",
    percent="{value} %",
    percent_range="{low} to {high} %",
    share_with_interval="{value} ({low} to {high}) %",
    coordinates="{latitude}°\u00a0{north_south}, {longitude}°\u00a0{east_west}",
    compass=("N", "S", "E", "W"),
    list_separator="; ",
    trust={
        Trust.WELL: "well known",
        Trust.ROUGHLY: "roughly known",
        Trust.BARELY: "uncertain",
        Trust.NOT: "too uncertain to show",
    },
    no_number="not known",
    synthetic="Synthetic data: nobody lives here",
    restricted="Restricted: not to be handed on",
    zone_number="Zone {number}",
    zone_named="{number} {name}",
    scale_km="{km} km",
    tip="{zone}: {n}, {trust}",
    legend="Legend",
    legend_unsure="uncertain",
    legend_unknown="too uncertain",
    chart_alt="{title}, {first} to {last}: from {from_n} to {to_n}.",
    chart_alt_one="{title} on {first}: {to_n}.",
    chart_usual="usual",
    unit="all records of one subscriber in privacy month {month} ({first} to {last})",
    or_another_month="{unit}, or in another privacy month that is charged",
    epsilon="ε = {epsilon} at δ = {delta}",
    verified_keys="Sums, card and arithmetic of every bundle were checked, and its signers against known keys.",
    verified="Sums, card and arithmetic of every bundle were checked; the signers' keys were not compared.",
    made_by="Made with Whimbrel.",
)  # fmt: skip

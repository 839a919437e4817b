"""The words and forms of all papers in French."""

import re
from typing import Final

from jobs.publish.paper.catalogue import each_text
from jobs.publish.paper.locales import Locale, french_plural
from jobs.publish.situation.estimate import Trust

NO_BREAK, NARROW = "\u00a0", "\u202f"
"""Spaces at which no line breaks: before a colon and a percent sign, and the narrow one before other signs."""


def typeset(text: str) -> str:
    """Return a French text as it is printed: with no-break spaces before its signs, and curved apostrophes."""
    text = re.sub(r" (?=[:%»])|(?<=«) ", NO_BREAK, text)
    return re.sub(r" (?=[;?!])", NARROW, text).replace("'", "\u2019")


FRENCH: Final = each_text(
    Locale(
        language="fr",
        name="français",
        direction="ltr",
        plural=french_plural,
        thousands=NARROW,
        decimal=",",
        months=(
            "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
            "novembre", "décembre",
        ),
        short_months=(
            "janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.",
        ),
        first_of_month="1er",
        date_form="{day} {month} {year}",
        short_date_form="{day} {short_month}",
        month_form="{month} {year}",
        interval="{low} à {high}",
        with_interval="{value} ({interval})",
        percent="{value} %",
        percent_range="{low} à {high} %",
        share_with_interval="{value} % ({low} à {high})",
        coordinates="{latitude}°\u00a0{north_south}, {longitude}°\u00a0{east_west}",
        compass=("N", "S", "E", "O"),
        list_separator=" ; ",
        trust={
            Trust.WELL: "bien connu",
            Trust.ROUGHLY: "approximatif",
            Trust.BARELY: "incertain",
            Trust.NOT: "trop incertain pour être donné",
        },
        no_number="non connu",
        synthetic="Données synthétiques : personne n'habite ici",
        restricted="Diffusion restreinte : ne pas transmettre",
        zone_number="Zone {number}",
        zone_named="{number} {name}",
        scale_km="{km} km",
        tip="{zone} : {n}, {trust}",
        legend="Légende",
        legend_unsure="incertain",
        legend_unknown="trop incertain",
        chart_alt="{title}, du {first} au {last} : de {from_n} à {to_n}.",
        chart_alt_one="{title}, le {first} : {to_n}.",
        chart_usual="habituel",
        unit="toutes les données d'un abonné au cours du mois de protection {month} (du {first} au {last})",
        or_another_month="{unit}, ou d'un autre mois de protection imputé",
        epsilon="ε = {epsilon} pour δ = {delta}",
        verified_keys=(
            "Les sommes de contrôle, la fiche et l'arithmétique de chaque lot ont été vérifiées, et ses signataires "
            "comparés à des clés connues."
        ),
        verified=(
            "Les sommes de contrôle, la fiche et l'arithmétique de chaque lot ont été vérifiées ; les clés des "
            "signataires n'ont pas été comparées."
        ),
        made_by="Produit avec Whimbrel.",
    ),
    typeset,
)  # fmt: skip

"""The situation in French."""

from typing import Final

from jobs.publish.paper.catalogue import each_text
from jobs.publish.paper.french import FRENCH as LOCALE
from jobs.publish.paper.french import typeset
from jobs.publish.paper.locales import Counted
from jobs.publish.situation.words import Words

_WORDS: Final = Words(
    locale=LOCALE,
    areas={
        "flood": "la zone inondée",
        "cyclone": "la zone touchée par le cyclone",
        "earthquake": "la zone touchée par le séisme",
        "landslide": "la zone touchée par le glissement de terrain",
        "fire": "la zone incendiée",
        "drought": "la zone de sécheresse",
        "volcano": "la zone touchée par l'éruption",
        "conflict": "la zone de conflit",
    },
    any_area="la zone touchée",
    page_title="{event} : situation au {date}",
    report="Rapport de situation",
    situation_on="Situation au {date}",
    away="Environ {n} abonnés mobiles de {area} étaient absents de leur domicile {when}.",
    away_unsure=(
        "Trop peu d'abonnés mobiles de {area} étaient absents de leur domicile {when} pour en donner le nombre : "
        "moins de {most} environ."
    ),
    on_day="le {date}",
    in_week="en moyenne par jour, la semaine du {date}",
    more_than_usual="C'est {n} de plus que d'habitude.",
    fewer_than_usual="C'est {n} de moins que d'habitude.",
    as_usual="Ce nombre ne se distingue pas du nombre habituel.",
    usual_unknown=(
        "Le nombre habituel d'absents n'a pas été publié : certains auraient pu être absents de toute façon."
    ),
    returned_since="{n} sont revenus depuis la veille.",
    left_since="{n} étaient nouvellement absents.",
    changes_unsure="Les changements depuis la veille sont trop faibles ou trop incertains pour être donnés.",
    returned_in_week="En moyenne, {n} par jour sont revenus cette semaine-là.",
    left_in_week="{n} par jour étaient nouvellement absents.",
    changes_unsure_in_week=(
        "Les changements d'un jour à l'autre cette semaine-là sont trop faibles ou trop incertains pour être donnés."
    ),
    unseen_reckoned=(
        "{share} des résidents ont été vus la nuit ; on suppose que les autres sont aussi souvent absents. Comptés là "
        "où ils ont été vus pour la dernière fois, {n} étaient absents."
    ),
    unseen_left_out=(
        "Les personnes sont comptées là où elles ont été vues la nuit pour la dernière fois, jusqu'à une semaine plus "
        "tôt."
    ),
    data_age="Données jusqu'au {date} (âge : {age} au {today}).",
    age_days=Counted({"one": "{count} jour", "other": "{count} jours"}),
    age_today="moins d'un jour",
    data_later="Données jusqu'au {date}.",
    provisional=(
        "Provisoire : les enregistrements livrés plus tard ne changent rien ici ; une révision ultérieure peut "
        "différer."
    ),
    settled="Toutes les données attendues étaient arrivées.",
    kind=(
        "Estimation, d'après les téléphones, des personnes absentes de leur domicile. Elle compte les abonnés d'un "
        "seul opérateur (cartes SIM), non les personnes ; ce n'est pas un décompte de personnes déplacées. Les "
        "fourchettes contiennent le vrai nombre d'abonnés 19 fois sur 20."
    ),
    no_data="Il n'y a pas de chiffres à montrer",
    no_data_more=(
        "Les lots ne contiennent aucune période postérieure au début de l'événement, ou rien ne s'y distingue du bruit "
        "qui protège les personnes. Cela ne veut pas dire que personne n'est absent."
    ),
    card_away="Absents actuellement",
    card_excess="De plus que d'habitude",
    card_newly="Nouvellement absents depuis la veille",
    card_returned="Revenus depuis la veille",
    card_newly_in_week="Nouvellement absents, par jour",
    card_returned_in_week="Revenus, par jour",
    not_released="non publié",
    map_here="Où ils se trouvent",
    map_here_more="Disque plein : le nombre presque certain ; anneau pâle : ce qui peut s'y ajouter.",
    map_here_alt=Counted(
        {
            "one": "Carte de {count} zone où se trouvent des abonnés absents de la zone touchée : {names}.",
            "other": (
                "Carte de {count} zones où se trouvent des abonnés absents de la zone touchée. Les plus nombreux : "
                "{names}."
            ),
        }
    ),
    map_left="D'où ils sont partis",
    map_left_more="Part des résidents absents. Hachuré : incertain. Gris : trop incertain.",
    map_left_alt=Counted(
        {
            "one": "Carte de {count} zone touchée selon la part de ses résidents absents : {names}.",
            "other": (
                "Carte de {count} zones touchées selon la part de leurs résidents absents. Les plus fortes : {names}."
            ),
        }
    ),
    map_nothing="Carte sans chiffres : rien ne se distingue du bruit.",
    legend_sure="presque certain",
    legend_halo="au plus",
    legend_area="zone de l'événement",
    network="Réseau",
    network_missing=(
        "L'état du réseau n'a pas été fourni. Là où des antennes sont en panne, les téléphones se taisent, et les "
        "personnes peuvent sembler ne pas avoir bougé, ou être passées à l'antenne voisine."
    ),
    network_on="Réseau au {date}",
    network_more="Part des heures de panne des cellules radio, par zone.",
    network_more_phones="Part des téléphones habituels non vus, par zone.",
    network_few=(
        "Peu de téléphones vus dans {few} zones sur {zones} : des antennes sont en panne, ou les gens sont partis ; "
        "ces données ne permettent pas de trancher."
    ),
    network_all_seen="Dans aucune zone on n'a vu nettement moins de téléphones que d'habitude.",
    network_down=Counted(
        {
            "one": "{count} cellule radio sur {cells} a été en panne à un moment de la journée.",
            "other": "{count} cellules radio sur {cells} ont été en panne à un moment de la journée.",
        }
    ),
    network_none="Aucune panne de cellule radio n'a été signalée.",
    network_worst="Les plus touchées : {names}.",
    network_alt=Counted(
        {
            "one": "Carte de {count} zone selon la part de ses cellules radio en panne : {names}.",
            "other": (
                "Carte de {count} zones selon la part de leurs cellules radio en panne. Les plus touchées : {names}."
            ),
        }
    ),
    network_stale="Le relevé le plus proche du {date} est celui du {found}.",
    flows=Counted(
        {"one": "D'où vers où : le plus grand nombre", "other": "D'où vers où : les {count} plus grands nombres"}
    ),
    flows_any="D'où vers où",
    flows_more=(
        "Abonnés absents, classés selon le bas de la fourchette, pour que le hasard ne les choisisse pas."
    ),
    flows_none="Aucun nombre d'un lieu d'origine dans un lieu de refuge ne se distingue du bruit.",
    same_zone="même zone",
    rank="N°",
    origin="Origine",
    destination="Destination",
    subscribers="Abonnés",
    range="Fourchette",
    how_sure="Fiabilité",
    series="Jour par jour",
    series_more="Les lignes sont des estimations, les bandes contiennent le vrai nombre 19 fois sur 20.",
    course="Depuis le pic ({peak}), {share} du surplus n'est plus absent.",
    half_life=Counted(
        {
            "one": "Il a fallu {count} jour ({range}) pour la moitié.",
            "other": "Il a fallu {count} jours ({range}) pour la moitié.",
        }
    ),
    half_life_open="{low} ou plus",
    chart_away="Absents",
    chart_newly="Nouvellement absents",
    chart_returned="Revenus",
    chart_lost="Absents, puis silencieux",
    origins="Par lieu d'origine : résidents, absents, retours",
    origins_more=(
        "Les résidents y habitaient le mois précédant l'événement. Retour ou silence : parmi ceux au-dessus du nombre "
        "habituel au moment du pic, la part de ceux qui sont revenus ou devenus silencieux."
    ),
    origins_none="Aucun lieu d'origine ne se distingue du bruit.",
    place="Lieu",
    where="Centre",
    population="Résidents avant",
    away_now="Absents",
    share_away="Part absente",
    share_returned="Retour ou silence",
    blind="Ce que ces chiffres ne voient pas",
    some="quelques",
    blind_points=(
        "Les personnes sans téléphone, les enfants, les clients d'autres opérateurs. Un téléphone peut servir à "
        "plusieurs personnes, et une personne en avoir plusieurs.",
        "Les personnes dont le téléphone est éteint, perdu, sans courant ou sans antenne. Dans le nombre d'absents, on "
        "les suppose aussi souvent absentes que celles vues la nuit. Dans les cartes, les listes et les changements, "
        "elles comptent là où elles étaient en dernier, une semaine au plus, puis comme silencieuses : les premiers "
        "jours, ces chiffres sont trop bas.",
        "Pourquoi les gens sont partis, ce dont ils ont besoin, et s'ils sont dans un camp, chez des proches ou au "
        "travail.",
        "Les personnes venues habiter la zone moins d'un ou deux mois avant l'événement.",
        "Les trajets de moins de {min_away_km} km : un téléphone passe d'une antenne à l'autre sans bouger.",
        "Les personnes seules et les petits groupes : un bruit aléatoire les protège, d'où une fourchette à chaque "
        "nombre.",
    ),
    sources="Sources et confidentialité",
    source=(
        "{event} : où se trouvent les résidents de la zone, {country}, {period}, révision {revision} ({slug}), scellé "
        "le {sealed_on}, {definition_id}. SHA-256 {sha256}."
    ),
    privacy="Ce qui est protégé : {unit}. Chaque publication : {epsilon}.",
    maps="Cartes",
)  # fmt: skip

FRENCH: Final = each_text(_WORDS, typeset)

"""The monthly report in French."""

from typing import Final

from jobs.publish.monthly.words import Words
from jobs.publish.paper.catalogue import each_text
from jobs.publish.paper.french import FRENCH as LOCALE
from jobs.publish.paper.french import typeset
from jobs.publish.paper.locales import Counted

_WORDS: Final = Words(
    locale=LOCALE,
    report="Rapport mensuel de mobilité",
    page_title="{country} : mobilité, {month}",
    kind=(
        "Nombres d'abonnés d'un seul opérateur (cartes SIM), non de personnes, protégés par un bruit aléatoire. Chaque "
        "nombre a un intervalle à 95 %, qui ne couvre que le bruit. Le mois est le mois de protection {month}, du "
        "{first} au {last}."
    ),
    products={
        "residents": "Résidents",
        "od_trips": "Déplacements entre zones",
        "presence": "Présence selon l'heure",
        "home_visits": "Visites par zone de domicile",
        "relocations": "Changements de résidence",
        "churn": "Apparus et devenus silencieux",
        "active_subscribers": "Abonnés actifs",
        "displacement": "Personnes absentes de leur domicile après un événement",
        "roaming": "Itinérance",
        "migration": "Migration",
        "contribution_histogram": "Ce que coupent les bornes de contribution",
    },
    counts={
        "residents": "abonnés selon la zone du domicile, d'après la plupart de leurs nuits",
        "od_trips": (
            "déplacements par jour : données consécutives dans deux zones ; une paire une fois par jour et abonné"
        ),
        "presence": "abonnés selon la zone de la dernière donnée de chaque tranche de quatre heures, moyenne par jour",
        "home_visits": "cellules distinctes, hors domicile, où des abonnés ont été vus dans la semaine",
        "relocations": "abonnés dont le domicile est dans une autre zone que le mois précédent",
        "churn": "abonnés ayant un domicile dans un seul de deux mois",
        "active_subscribers": "abonnés ayant au moins une donnée dans la journée",
    },
    counted="{product} : {counted}.",
    card_residents="Résidents",
    card_trips="Déplacements par jour",
    card_relocations="Changements de résidence en un mois",
    card_active="Abonnés actifs par jour",
    not_released="non publié",
    map_residents="Où vivent les abonnés",
    map_residents_more="Résidents (abonnés) par zone. Numéros : zones du tableau des changements de résidence.",
    map_residents_alt=Counted(
        {
            "one": "Carte des résidents de {count} zone : {names}.",
            "other": "Carte des résidents de {count} zones. Les plus peuplées : {names}.",
        }
    ),
    map_flows="Les plus grands flux",
    map_flows_more=(
        "Trait plus large : plus de déplacements. Anneaux : dans une zone. Foncés, numérotés : ceux de "
        "la liste ; pâles : les suivants."
    ),
    map_flows_alt=Counted(
        {
            "one": "Carte du plus grand flux : {names}.",
            "other": "Carte des {count} plus grands flux. Le premier : {names}.",
        }
    ),
    map_nothing="Carte sans chiffres : rien n'a été publié, ou rien ne se distingue du bruit.",
    flows=Counted({"one": "Le plus grand flux", "other": "Les {count} plus grands flux"}),
    flows_any="Les plus grands flux",
    flows_more=Counted(
        {
            "one": "Déplacements de la seule semaine publiée, selon le bas de la fourchette.",
            "other": (
                "Moyenne de {count} semaines, des paires présentes chaque semaine, selon le bas de la fourchette."
            ),
        }
    ),
    flows_none="Aucune paire de zones n'a de ligne chaque semaine, ou les déplacements n'ont pas été publiés.",
    origin="Origine",
    destination="Destination",
    trips_a_day="Par jour",
    range="Fourchette",
    how_sure="Fiabilité",
    same_zone="même zone",
    pyramid="Résidents par sexe et âge",
    pyramid_more="Du titulaire de la carte SIM. Traits noirs : intervalles à 95 %. Inconnus : {n}.",
    pyramid_not_held="Le sexe et l'âge des résidents n'ont pas été publiés.",
    pyramid_alt="Pyramide des âges en {count} classes : {names}.",
    sexes={"female": "Femmes", "male": "Hommes"},
    daily="Abonnés actifs par jour",
    daily_more="La ligne est l'estimation, la bande son intervalle à 95 %.",
    presence="Abonnés présents selon l'heure",
    presence_more=(
        "Moyenne par jour. Sans donnée dans une tranche de quatre heures, un abonné n'y compte pas. "
        "Traits : intervalles "
        "à 95 %."
    ),
    presence_alt="Barres des abonnés présents selon l'heure : {names}.",
    hours="{first}–{last} h",
    balances="Changements de résidence : entrées, sorties, solde",
    balances_more=(
        "Depuis et vers les autres zones du niveau le plus large. Les fourchettes des sommes sont des majorations, car "
        "les erreurs des lignes sont liées. Sous le seuil : aucune ligne, ce qui n'est pas zéro."
    ),
    balances_none="Les changements de résidence n'ont pas été publiés, ou aucun ne dépasse le seuil.",
    zone="Zone",
    arrived="Entrées",
    left="Sorties",
    net="Solde",
    net_untold=(
        "Pas de solde : {share} des changements de résidence ne figurent dans aucune ligne, et le seuil laisse "
        "d'abord paraître le sens le plus fort d'une paire. Il est donné si cette part est d'au plus {most}."
    ),
    below_cut="sous le seuil",
    visits="Visites depuis les zones de domicile",
    visits_more="Cellules visitées dans la semaine, moyenne des semaines, des paires présentes chaque semaine.",
    visits_none="Aucune paire n'a de ligne chaque semaine, ou les visites n'ont pas été publiées.",
    key="Zones par numéro : nom ou lieu, et code",
    home="Domicile",
    visited="Zone visitée",
    visited_cells="Cellules visitées",
    churn="Cartes SIM apparues et disparues",
    churn_told=(
        "{appeared} abonnés sont apparus, {fell_silent} sont devenus silencieux : un domicile dans un "
        "seul des deux mois."
    ),
    churn_missing="Le nombre d'abonnés apparus ou devenus silencieux n'a pas été publié.",
    below="Sous le seuil",
    below_told="{product} : {share} du total national ne figure que dans le reste national : {n} sur {whole}.",
    below_absence="Une paire sans ligne est sous le seuil. Cela n'est pas zéro.",
    quality="Qualité des données",
    days_missing="Abonnés actifs : {held} jours publiés sur {all}. Manquent : {names}.",
    days_complete="Abonnés actifs : les {all} jours ont été publiés.",
    weeks_missing="{product} : {held} semaines publiées sur {all}. Manquent : {names}.",
    break_on="Rupture : le {names}, le nombre s'écarte de plus d'un cinquième du jour médian du mois.",
    no_break="Aucun jour publié ne s'écarte de plus d'un cinquième du jour médian.",
    provisional="Provisoire, des données tardives étaient encore attendues : {names}.",
    superseded="Écarté au profit d'une révision ultérieure ou d'un autre lot de la même publication : {names}.",
    revised="Présenté dans une révision ultérieure à la première : {names}.",
    no_revision="D'après ces lots, aucune publication n'a été révisée.",
    clipping=(
        "Les bornes de contribution coupent {share} des déplacements du pays ; une paire peut en perdre plus ou moins."
    ),
    clipping_unknown="Ce que coupent les bornes de contribution n'a pas été mesuré : les totaux sont des minorants.",
    parameters="Définitions et paramètres de confidentialité",
    parameters_more=(
        "σ : écart type du bruit à chaque niveau de zones. ρ : perte de confidentialité imputée à un mois par une "
        "publication (zCDP). Seuil : nombre d'écarts types sous lequel une paire n'a pas de ligne."
    ),
    parameters_none="Aucune publication n'est présentée.",
    product="Produit",
    what="Ce qui est compté",
    releases="Publications",
    days=Counted({"one": "{count} jour", "other": "{count} jours"}),
    weeks=Counted({"one": "{count} semaine", "other": "{count} semaines"}),
    months=Counted({"one": "{count} mois", "other": "{count} mois"}),
    levels="σ par niveau",
    level="{level} : {sigma}",
    level_of_country="total : {sigma}",
    rho="ρ",
    epsilon="ε pour δ = {delta}",
    cut="Seuil",
    no_cut="aucun",
    missing="Ce qui manque",
    missing_told="Sans lot de ce mois, et donc non présentés : {names}.",
    missing_none="Chaque produit de ce rapport a un lot de ce mois.",
    others="Publiés ce mois-ci et non présentés ici : {names}.",
    blind="Comment lire ces nombres",
    blind_points=(
        "Les abonnés ne sont pas des personnes : certaines ont plusieurs cartes SIM, d'autres aucune ; les clients "
        "d'autres opérateurs ne sont pas comptés. Rien n'est extrapolé à la population.",
        "Le sexe et l'âge sont ceux du titulaire, qui n'est pas toujours l'utilisateur. Inconnus, ils ne sont pas "
        "imputés.",
        "Les déplacements ne sont vus que là où le téléphone sert : les trajets courts ou sans donnée échappent.",
        "Les flux (déplacements, changements de résidence) et les stocks (résidents, présence) sont des tables "
        "différentes, jamais additionnées.",
        "Deux ventilations d'un produit ont chacune leur bruit : elles concordent à ce bruit près, non à l'unité.",
    ),
    sources="Sources, citation et révisions",
    citation=(
        "Pour citer : {country}, statistiques de mobilité à confidentialité différentielle, mois de "
        "protection {month}, "
        "lots {first} à {last} avec les empreintes ci-dessous, le dernier scellé le {sealed_on}."
    ),
    source=(
        "{product}, {period}, révision {revision} ({slug}), scellé le {sealed_on}, {definition_id}. SHA-256 {sha256}."
    ),
    privacy="Ce qui est protégé : {unit}.",
    definitions="Chaque définition complète est dans card.json du lot, et expliquée dans docs/methods de Whimbrel.",
    maps="Cartes",
)

FRENCH: Final = each_text(_WORDS, typeset)

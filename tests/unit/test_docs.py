"""Documents that cannot lie: what they name exists, what they show runs, what is generated is current."""

import ast
import importlib
import math
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import typer
from pydantic import BaseModel

import schemas
from jobs import definitions
from jobs.cli import app
from jobs.config import (
    ApprovalConfig,
    BoundariesConfig,
    CellsConfig,
    Config,
    CountryConfig,
    EngineConfig,
    IngestConfig,
    NetworkConfig,
    PseudonymConfig,
    PurposeConfig,
    RetentionConfig,
    SharingConfig,
    SourceConfig,
    StorageConfig,
)
from jobs.mobility.displacement import days_for
from jobs.population import window_months
from jobs.releases import Desk
from privacy.bounding import FIXED_POINT, squared_bound
from privacy.budget import five_week_ceiling, simulate
from privacy.mechanisms import epsilon, sigma_for
from privacy.policy import Policy
from privacy.unit import Period, PeriodKind, PrivacyMonth
from schemas.contract import Contract
from schemas.dictionary import TABLES, dictionary
from schemas.errors import ConfigError

ROOT: Final = Path(__file__).parents[2]
PROOFS: Final = sorted((ROOT / "privacy" / "proofs").glob("*.md"))
DOCUMENTS: Final = sorted((ROOT / "docs").rglob("*.md")) + PROOFS
GUIDE: Final = ROOT / "docs" / "operator-guide.md"
METHOD: Final = ROOT / "docs" / "methods" / "od_trips.md"
POLICY: Final = Policy.load()

SECTIONS: Final = (
    CountryConfig, StorageConfig, EngineConfig, PseudonymConfig, CellsConfig, IngestConfig, SourceConfig,
    RetentionConfig, ApprovalConfig, NetworkConfig, BoundariesConfig, PurposeConfig, SharingConfig,
)  # fmt: skip

_NAMED_TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
_LINK = re.compile(r"\]\(([^)#]+)\)")


def test_the_committed_dictionary_is_the_generated_one():
    committed = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    assert committed == dictionary(), "run `make docs`"


def test_every_contract_of_the_schemas_is_in_the_dictionary():
    declared = {contract.name for contract in contracts_declared()}
    assert declared == {table.name for table in TABLES}
    assert all(f"### {name}\n" in dictionary() for name in declared)


def test_every_column_is_in_the_dictionary_with_its_meaning():
    lines = [line.replace("\\|", "|") for line in dictionary().splitlines()]
    for column in (column for table in TABLES for column in table.columns):
        assert any(f"`{column.name}`" in line and column.meaning in line for line in lines)


def test_the_dictionary_wants_one_path():
    from schemas.dictionary import main

    with pytest.raises(ConfigError, match="one: the file to write"):
        main([])


def test_the_dictionary_is_written_where_it_is_asked_for(tmp_path):
    from schemas.dictionary import main

    main([str(tmp_path / "dictionary.md")])
    assert (tmp_path / "dictionary.md").read_text(encoding="utf-8") == dictionary()


@pytest.mark.parametrize("proof", PROOFS, ids=lambda path: path.stem)
def test_a_proof_has_its_parts_and_names_the_tests_that_pin_each_claim(proof):
    assert faults_of_proof(proof.read_text(encoding="utf-8")) == []


SOUND_PROOF = """# Title
**Claim.**
1. One thing.
2. Another.

**Preconditions.** None.
**Argument.** Plain.
**Pinned by**

- `tests/unit/test_a.py::test_one` (1)
- `tests/unit/test_a.py::test_both` (1, 2)

**Sources.** None.
"""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("", "", None),
        ("**Preconditions.** None.\n", "", "no Preconditions"),
        ("**Argument.** Plain.\n", "", "no Argument"),
        ("**Pinned by**", "**Tests**", "a claim without tests"),
        ("- `tests/unit/test_a.py::test_one` (1)\n- `tests/unit/test_a.py::test_both` (1, 2)\n", "", "names no test"),
        (" (1, 2)", " (1)", "nothing pins claim 2"),
        (" (1, 2)", " (1, 2, 3)", "claim 3 is pinned and not made"),
        ("**Sources.**", "**Claim.** A third.\n**Sources.**", "a claim without tests"),
    ],
)
def test_a_proof_that_lacks_a_part_or_a_test_is_noticed(old, new, fault):
    assert faults_of_proof(SOUND_PROOF.replace(old, new) if old else SOUND_PROOF) == ([fault] if fault else [])


def test_a_test_that_vanished_is_noticed(tmp_path):
    (tmp_path / "test_a.py").write_text("def test_one():\n    pass\n", encoding="utf-8")
    assert functions_in(tmp_path / "test_a.py") == {"test_one"}
    assert functions_in(tmp_path / "test_gone.py") == set()


def faults_of_proof(text: str) -> list[str]:
    """What a proof lacks: a part, tests for a claim, or for one of the numbers in it."""
    missing = [f"no {part}" for part in ("Claim", "Preconditions", "Argument") if f"**{part}" not in text]
    return missing + [fault for claim in text.split("**Claim.**")[1:] for fault in _faults_of_claim(claim)]


def _faults_of_claim(text: str) -> list[str]:
    claim, _, rest = text.partition("\n\n")
    _, named, pinned = rest.partition("**Pinned by**")
    if not named:
        return ["a claim without tests"]
    listed = pinned.split("\n**")[0]
    if not _NAMED_TEST.search(listed):
        return ["names no test"]
    made = set(re.findall(r"(?:^|\n)(\d+)\. |\((\d)\) ", claim))
    numbers = {number for pair in made for number in pair if number}
    held = {number for numbers in re.findall(r"` \(([\d, ]+)\)", listed) for number in numbers.split(", ")}
    unpinned = [f"nothing pins claim {number}" for number in sorted(numbers - held)]
    return unpinned + [f"claim {number} is pinned and not made" for number in sorted(held - numbers)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_test_that_a_document_names_exists(document):
    named = _NAMED_TEST.findall(document.read_text(encoding="utf-8"))
    assert [f"{file}::{test}" for file, test in named if test not in functions_in(ROOT / file)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_link_inside_the_repository_leads_somewhere(document):
    targets = [link for link in _LINK.findall(document.read_text(encoding="utf-8")) if "://" not in link]
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_index_names_every_document():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / link).resolve() for link in _LINK.findall(index)}
    assert {document for document in DOCUMENTS if document.name != "README.md"} <= linked


def test_the_guide_s_configuration_loads(tmp_path):
    (block,) = blocks(GUIDE, "toml")
    (tmp_path / "whimbrel.toml").write_text(block, encoding="utf-8")
    config = Config.load(tmp_path / "whimbrel.toml")
    assert config.storage.confidential == tmp_path / "confidential"
    assert {name: source.format for name, source in config.sources.items()} == {"own": "parquet", "billing": "csv"}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_the_guide_explains_every_key(section: type[BaseModel]):
    text = GUIDE.read_text(encoding="utf-8")
    assert [key for key in section.model_fields if f"| `{key}` |" not in text] == []


def _has_plain_default(field):
    return not field.is_required() and field.default_factory is None and field.default not in (None, ())


def test_the_guide_states_the_defaults_of_the_configuration():
    text = GUIDE.read_text(encoding="utf-8")
    for section in SECTIONS:
        for key, field in section.model_fields.items():
            if not _has_plain_default(field) or key in {"separator", "header", "quoting", "required"}:  # told in words
                continue
            (row,) = [line for line in text.splitlines() if f"| `{key}` |" in line and str(field.default) in line]
            assert row


def test_the_method_states_the_definition_that_bundles_carry(tmp_path):
    (block,) = blocks(GUIDE, "toml")
    (tmp_path / "whimbrel.toml").write_text(block, encoding="utf-8")
    desk = Desk.of(Config.load(tmp_path / "whimbrel.toml"))
    desk.storage.zones.write_text('["86ab25a47ffffff"]', encoding="utf-8")
    definition = desk.plan("od_trips", Period.parse("2026-W10"), 1).definition
    stated = definition[: definition.index("Values are")].strip()
    assert stated in " ".join(METHOD.read_text(encoding="utf-8").replace("\n>", "").split())


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("presence", definitions.presence(POLICY.mobility)),
        ("presence", definitions.active_subscribers(POLICY.mobility)),
        ("roaming", definitions.roaming(POLICY.mobility)),
        ("residence", definitions.NIGHT.format(POLICY.residence)),
        ("residence", definitions.at_home(POLICY.residence)),
        ("residence", definitions.RESIDENT),
        ("home_visits", definitions.visit(6)),
        ("relocations", definitions.RELOCATION),
        ("churn", definitions.CHURN),
        ("migration", definitions.migrant(window_months(POLICY.product("migration", PeriodKind.MONTH)))),
    ],
)
def test_the_methods_state_the_definitions_that_bundles_carry(page, sentence):
    text = (ROOT / "docs" / "methods" / f"{page}.md").read_text(encoding="utf-8")
    assert sentence in " ".join(text.replace("\n>", "").split())


def test_the_method_of_roaming_states_the_noise_of_the_policy():
    text = (ROOT / "docs" / "methods" / "roaming.md").read_text(encoding="utf-8")
    decision = (ROOT / "docs" / "adr" / "0020-roaming-is-one-key-a-day.md").read_text(encoding="utf-8")
    tables = POLICY.product("roaming", PeriodKind.WEEK).tables
    country, zone, abroad = (sigma_for(l2_sensitivity=math.sqrt(t.c2), micro_rho=t.micro_rho) for t in tables)
    assert f"{country:.0f} subscribers for a country, {zone:.0f} for a zone and country" in " ".join(text.split())
    assert f"about {2 * zone:.0f} a day" in " ".join(text.split())
    for name, table, sigma in zip(
        ("by country of the SIM", "by zone of resolution 4 and country of the SIM", "by country visited"),
        tables, (country, zone, abroad), strict=True,
    ):  # fmt: skip
        assert f"| {name} | {table.micro_rho} | {sigma:.0f} |" in decision


@pytest.mark.parametrize(("kind", "name", "decimals"), [(PeriodKind.WEEK, "weekly", 1), (PeriodKind.DAY, "daily", 0)])
def test_the_method_states_the_bounds_and_the_noise_of_the_policy(kind, name, decimals):
    text, levels = METHOD.read_text(encoding="utf-8"), Policy.load().product("od_trips", kind).levels
    sigmas = [sigma_for(l2_sensitivity=math.sqrt(level.c2), micro_rho=level.micro_rho) for level in levels]
    missing = ["not released"] * (3 - len(levels))
    assert f"| {' | '.join([name, *(f'{level.c2:g}' for level in levels), *missing])} |" in text
    assert f"| {' | '.join([name, *(f'{sigma:.{decimals}f}' for sigma in sigmas), *missing])} |" in text


@pytest.mark.parametrize(("days", "weight"), [(7, 724), (5, 1013)])
def test_the_commuter_of_the_method_has_the_weight_that_it_states(days, weight):
    finest = Policy.load().product("od_trips", PeriodKind.WEEK).levels[-1]
    norm = 2 * days**2  # one trip each way on so many days of the week
    assert math.isqrt(squared_bound(finest.c2, periods=7) // norm) == weight < FIXED_POINT
    assert f"{weight}/1024 = {weight / FIXED_POINT:.2f}" in METHOD.read_text(encoding="utf-8")


def test_the_method_states_the_days_before_a_release_of_an_event_that_are_read_and_charged():
    (event,), day = POLICY.events, Period.parse("2026-03-10")
    read = days_for(day, nights=POLICY.away.carry_forward_nights)
    assert len(read) - 1 == event.look_back_days == 8
    text = " ".join((ROOT / "docs" / "methods" / "displacement.md").read_text(encoding="utf-8").split())
    assert "the month of its days, and that of the eight days before" in text


@pytest.mark.parametrize("micro_rho", [1_000, 23_000, 250_000, 500_000])
def test_the_proof_states_the_epsilons_that_follow_from_rho(micro_rho):
    text = (ROOT / "privacy" / "proofs" / "accounting.md").read_text(encoding="utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {micro_rho / 1e6:g} |")]
    assert row.endswith(f"| {epsilon(micro_rho, 1e-6):.2f} | {epsilon(micro_rho, 1e-9):.2f} |")


def test_the_proof_states_what_the_policy_charges_to_a_month_of_five_weeks():
    text, policy = (ROOT / "privacy" / "proofs" / "accounting.md").read_text(encoding="utf-8"), Policy.load()
    total = sum(charge.micro_rho for charge in five_week_ceiling(policy))
    worst = max(month.pools[1].charged_micro_rho for month in simulate(policy, PrivacyMonth(2026, 1)))
    assert f"would charge {total:,} of" in text
    assert f"an event charges at most {worst:,} of" in text


@pytest.mark.parametrize(
    "limit",
    ["A person with several SIMs", "Households", "Several months", "The operator", "Timing", "selected by a cut"],
)
def test_the_limitations_tell_what_no_proof_covers(limit):
    text = (ROOT / "docs" / "limitations.md").read_text(encoding="utf-8")
    assert re.search(rf"^- \*\*[^*]*{limit}[^*]*\*\* \w", text, re.MULTILINE)


def test_the_limitations_name_every_product_that_is_not_built():
    text, policy = (ROOT / "docs" / "limitations.md").read_text(encoding="utf-8"), Policy.load()
    unbuilt = {p.product for p in policy.products if not p.releases}
    assert [name for name in unbuilt if f"`{name}`" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_command_that_a_document_shows_is_understood(document):
    for command in commands(document):
        parse(shlex.split(command)[1:])


def test_a_command_that_the_command_line_lacks_is_noticed():
    with pytest.raises(typer.BadParameter):
        parse(["release", "od_trips"])


def contracts_declared() -> Iterator[Contract]:
    for module in pkgutil.iter_modules(schemas.__path__):
        names = vars(importlib.import_module(f"schemas.{module.name}"))
        yield from (value for value in names.values() if isinstance(value, Contract))


def functions_in(file: Path) -> set[str]:
    """Names that a file defines as functions or at its top, such as a state machine's test; none without a file."""
    if not file.is_file():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    given = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)} | {
        target.id for target in given if isinstance(target, ast.Name)
    }


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)


def commands(document: Path) -> list[str]:
    lines = [line for block in blocks(document, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("whimbrel ")]


def parse(arguments: list[str]) -> None:
    """Parse a command line as `whimbrel` would, without running it."""
    command, path = typer.main.get_command(app), []
    while arguments and arguments[0] in getattr(command, "commands", {}):
        path, command, arguments = [*path, arguments[0]], command.commands[arguments[0]], arguments[1:]
    assert path, f"{arguments} names no verb"
    command.make_context(" ".join(path), arguments)

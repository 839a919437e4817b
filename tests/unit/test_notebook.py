"""The consumer guide's notebook, run as its reader would, and held against the CSV files that anybody can open."""

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "bundles-to-migration.ipynb"
BUNDLES = ROOT / "docs" / "examples" / "bundles"

RESULTS = """
import json
rates_of = rates.astype(object).where(rates.notna(), None)
print("RESULTS", json.dumps({
    "releases": sources["release"].tolist(), "synthetic": sources["synthetic"].tolist(),
    "national": national, "placed": placed, "remainder": remainder, "level": level,
    "matrix": [list(row) for row in pairs[["origin", "destination", "value"]].itertuples(index=False)],
    "table": [[*key, row["value"], row["ci_low"], row["ci_high"], int(row["rows"])] for key, row in table.iterrows()],
    "rates": rates_of[["zone", "indicator", "value", "ci_low", "ci_high"]].values.tolist(),
    "country": dict(zip(country["indicator"], country["value"])),
    "weeks": weeks.reset_index().to_dict("records"), "citations": citations,
}))
"""


@pytest.fixture(scope="module")
def executed():
    """The notebook with the outputs of a fresh run."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(RESULTS))
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    return client.execute()


@pytest.fixture(scope="module")
def results(executed):
    """What it found, as JSON."""
    (told,) = (output["text"] for output in executed.cells[-1].outputs if output.get("name") == "stdout")
    return json.loads(told.removeprefix("RESULTS "))


@pytest.fixture(scope="module")
def rows():
    """The rows of each bundle's CSV file, by release, read without Whimbrel."""
    found = {}
    for path in sorted(BUNDLES.glob("*.zip")):
        with zipfile.ZipFile(path) as bundle:
            (name,) = (name for name in bundle.namelist() if name.endswith(".csv"))
            found[path.stem] = list(csv.DictReader(io.StringIO(bundle.read(name).decode())))
    return found


def total(rows):
    return sum(float(row["value"]) for row in rows)


def test_the_notebook_is_committed_without_outputs_and_names_no_machine():
    text = NOTEBOOK.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert re.findall(r"(?:/home|/root|/work|/tmp|/Users|[A-Z]:\\\\)", text) == []


def test_every_example_bundle_is_read_and_is_synthetic(results, rows):
    assert sorted(results["releases"]) == sorted(rows)
    assert all(results["synthetic"])


def test_all_rows_and_the_remainder_are_the_national_total(results, rows):
    moves = rows["relocations_2026-04_r1"]
    assert results["national"]["value"] == pytest.approx(total(moves), abs=1e-6)
    assert results["placed"] + results["remainder"] == pytest.approx(total(moves), abs=1e-6)


def test_the_matrix_holds_every_row_of_the_coarsest_level_and_finer_once(results, rows):
    placed = [row for row in rows["relocations_2026-04_r1"] if row["status"] != "remainder"]
    assert sum(value for _, _, value in results["matrix"]) == pytest.approx(total(placed), abs=1e-6)
    assert len({(origin, destination) for origin, destination, _ in results["matrix"]}) == len(results["matrix"])


def test_a_zone_s_flows_are_the_sums_of_its_row_and_column_of_the_matrix(results):
    for zone, flow, value, low, high, n in results["table"]:
        chosen = {"in": (False, True), "out": (True, False), "within": (True, True)}[flow]
        parts = [v for o, d, v in results["matrix"] if (o == zone, d == zone) == chosen]
        if n:
            assert value == pytest.approx(sum(parts), abs=1e-6)
            assert low < value < high
        else:
            assert parts == []


def test_rates_are_moves_over_the_residents_of_the_csv_file(results, rows):
    residents = {
        row["zone"]: float(row["value"])
        for row in rows["residents_2026-03_r1"]
        if (row["sex"], row["age_band"]) == ("all", "all") and row["resolution"] == str(results["level"])
    }
    moves = {(zone, flow): value for zone, flow, value, *_, n in results["table"] if n}
    told = [rate for rate in results["rates"] if rate[2] is not None]
    for zone, indicator, value, low, high in told:
        into, out = moves.get((zone, "in"), 0.0), moves.get((zone, "out"), 0.0)
        expected = {"in_rate": into, "out_rate": out, "net_rate": into - out}[indicator]
        assert value == pytest.approx(1000 * expected / residents[zone], rel=1e-6)
        assert low < value < high
    assert {indicator for _, indicator, *_ in told} == {"in_rate", "out_rate", "net_rate"}


def test_the_three_intensities_keep_their_identity(results):
    country = results["country"]
    assert country["anmr"] == pytest.approx(country["cmi"] * country["mei"] / 100, rel=1e-6)


def test_weeks_are_in_order_and_each_total_lies_in_its_band(results, rows):
    weeks = results["weeks"]
    assert [week["week"] for week in weeks] == sorted(week["week"] for week in weeks)
    assert len(weeks) == 4
    for week in weeks:
        assert week["value country"] == pytest.approx(total(rows[f"od_trips_{week['week']}_r1"]), abs=1e-6)
        assert week["ci_low country"] < week["value country"] < week["ci_high country"]


def test_a_map_and_a_series_are_drawn(executed):
    pictures = [
        output["data"]["image/png"]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 2
    assert all(len(picture) > 10_000 for picture in pictures)


def test_what_is_cited_names_release_definition_and_digest(results):
    assert all(
        re.search(r"\(\w+_2026-\d\d_r1\), \w+/1, sealed .* [0-9a-f]{64}\.$", line) for line in results["citations"]
    )

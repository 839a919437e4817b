"""`whimbrel export` and `publish --format`: whole or not at all, again the same, and never in the way of a bundle."""

import json
import shutil
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from jobs import cli, releases
from jobs.publish.bundle import publish, published_heads
from jobs.publish.export.run import write_exports
from jobs.publish.export.source import read_source
from schemas.errors import BundleError, ConfigError
from tests.approvals import clearance_for
from tests.exports import bundle_of, release_of, source_of
from tests.plans import CELLS


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return source_of(release_of("residents"), tmp_path_factory.mktemp("bundle"))


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_exports_stand_in_a_folder_a_bundle_and_again_are_the_same(source, tmp_path):
    written = write_exports(source, ["csv", "gpkg"], tmp_path)
    before = contents(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in written} == before.keys()
    assert all(name.startswith("residents_2026-03_r1/") for name in before)
    write_exports(source, ["csv", "gpkg"], tmp_path)
    assert contents(tmp_path) == before
    write_exports(source, ["kmz"], tmp_path)
    assert before.items() < contents(tmp_path).items()


def test_a_refused_format_leaves_nothing_behind(source, tmp_path):
    with pytest.raises(ConfigError, match="flowmap cannot show residents"):
        write_exports(source, ["csv", "flowmap"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_exports_of_another_bundle_of_the_same_name_are_not_mixed_in(source, tmp_path):
    write_exports(source, ["csv"], tmp_path)
    before = contents(tmp_path)
    other = source_of(release_of("residents", cells=CELLS[:20]), tmp_path / "in")
    shutil.rmtree(tmp_path / "in")
    with pytest.raises(BundleError, match="exports of another bundle"):
        write_exports(other, ["kmz"], tmp_path)
    assert contents(tmp_path) == before


def test_what_a_killed_run_left_is_cleared_away(source, tmp_path):
    left = tmp_path / ".residents_2026-03_r1-abc"
    left.mkdir()
    (left / "half").write_bytes(b"")
    write_exports(source, ["csv"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["residents_2026-03_r1"]


def test_the_empty_folder_of_a_killed_run_is_written_into_and_another_s_is_not(source, tmp_path):
    folder = tmp_path / source.slug
    folder.mkdir()
    assert all(path.exists() for path in write_exports(source, ["csv"], tmp_path))

    (folder / "README.md").unlink()
    with pytest.raises(BundleError, match="exports of another bundle"):
        write_exports(source, ["csv"], tmp_path)


def test_a_disk_that_fills_leaves_no_half_file(source, tmp_path, monkeypatch):
    def full(path, content):
        path.write_bytes(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jobs.publish.export.run.write_flushed", full)
    with pytest.raises(OSError, match="No space"):
        write_exports(source, ["csv"], tmp_path)
    assert contents(tmp_path) == {}


@pytest.fixture
def released(tmp_path):
    root = tmp_path / "release"
    return publish(release_of("relocations"), clearance_for(release_of("relocations")), root)


def test_exports_in_the_release_zone_are_no_bundle_and_hide_none(released):
    heads = published_heads(released.folder.parent)
    write_exports(read_source(released.folder), ["all"], released.folder.parent / "formats")
    assert published_heads(released.folder.parent) == heads
    with pytest.raises(BundleError):
        read_source(released.folder.parent / "formats" / released.folder.name)


def publishing(released, monkeypatch, *formats):
    """Run `whimbrel publish` where the desk hands out a bundle that stands already."""
    asked = []
    desk = SimpleNamespace(publish=lambda key: asked.append(key) or released)
    monkeypatch.setattr(releases.Desk, "of", lambda _: desk)
    monkeypatch.setattr(cli, "_configured", lambda _: None)
    options = [part for name in formats for part in ("--format", name)]
    return CliRunner().invoke(cli.app, ["publish", "relocations", "2026-03", *options]), asked


def test_publish_writes_exports_beside_the_bundle_where_they_are_asked_for(released, monkeypatch):
    result, _ = publishing(released, monkeypatch, "kmz", "csv")
    assert result.exit_code == 0, result.output
    made = {path.name for path in (released.folder.parent / "formats" / released.folder.name).iterdir()}
    stem = "relocations_2026-03_r1_synthetic"
    assert made == {"README.md", f"{stem}.csv", f"{stem}.kmz"}


def test_publish_writes_no_exports_unasked(released, monkeypatch):
    result, asked = publishing(released, monkeypatch)
    assert (result.exit_code, len(asked)) == (0, 1)
    assert not (released.folder.parent / "formats").exists()


def test_publish_refuses_a_format_that_cannot_show_the_product_before_it_publishes(monkeypatch):
    desk = SimpleNamespace(publish=lambda _: pytest.fail("published"))
    monkeypatch.setattr(releases.Desk, "of", lambda _: desk)
    monkeypatch.setattr(cli, "_configured", lambda _: None)
    result = CliRunner().invoke(cli.app, ["publish", "presence", "2026-W10", "--format", "flowmap"])
    assert isinstance(result.exception, ConfigError)


def ran(arguments, monkeypatch, capsys):
    """Run the command line as the shell does; return its exit code and what it said."""
    monkeypatch.setattr(sys, "argv", ["whimbrel", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.run()
    told = capsys.readouterr()
    return ended.value.code, told.out, told.err


def test_a_reader_exports_several_bundles_and_is_told_the_files(tmp_path, monkeypatch, capsys):
    bundles = [bundle_of(release_of(product), tmp_path / product) for product in ("residents", "relocations")]
    code, out, _ = ran(["export", *bundles, "--format", "csv", "--out", tmp_path / "out"], monkeypatch, capsys)
    assert code == 0
    assert {*out.split()} == {str(path) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert len(out.split()) == 4


def test_weights_and_tags_are_taken_from_the_command_line(tmp_path, monkeypatch, capsys):
    bundle = bundle_of(release_of("residents"), tmp_path)
    (tmp_path / "w.csv").write_text(f"zone,area,weight,source\n{CELLS[0]},A,1,by hand\n")
    told = ["--areas", tmp_path / "w.csv", "--hxl", "--format", "csv", "--out", tmp_path / "out"]
    code, _, err = ran(["export", bundle, *told], monkeypatch, capsys)
    assert code == 0, err
    (table,) = (tmp_path / "out").rglob("*_areas_synthetic.csv")
    assert table.read_text().splitlines()[1].startswith("#date+period")


@pytest.mark.parametrize("what", ["altered", "no bundle", "not its key"])
def test_a_bad_bundle_ends_with_code_2_and_writes_nothing(what, tmp_path, monkeypatch, capsys):
    bundle = bundle_of(release_of("residents"), tmp_path)
    options = ["--out", tmp_path / "out"]
    if what == "altered":
        card = json.loads((bundle / "card.json").read_bytes())
        (bundle / "card.json").write_text(json.dumps(card | {"title": "Other"}))
    elif what == "no bundle":
        bundle = tmp_path / "nowhere"
    else:
        from tests.approvals import key_of

        options += ["--key", str(key_of("stranger").public)]
    code, _, err = ran(["export", bundle, *options], monkeypatch, capsys)
    assert code == 2
    assert "Expected:" in err
    assert "Remedy:" in err
    assert not (tmp_path / "out").exists()

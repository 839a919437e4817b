"""The README's commands, run as they stand there; only the demo's country is smaller."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHIMBREL = shutil.which("whimbrel", path=str(Path(sys.executable).parent))
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line.strip()
]


def whimbrel(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(WHIMBREL), *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where `make demo` was run, with a country that a test has time for."""
    folder = tmp_path_factory.mktemp("readme")
    done = whimbrel(["demo", "--out", "out/demo", "--subscribers", "4000"], folder)
    assert done.returncode == 0, done.stderr
    assert "by a DPO and a publisher of the demo's own" in done.stdout
    return folder


def test_the_two_make_commands_are_targets_of_the_makefile():
    makes = [command for command in COMMANDS if command.startswith("make ")]
    assert makes == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{make.split()[1]}:", makefile, re.MULTILINE) for make in makes)
    assert "whimbrel demo --out $(OUT)" in makefile


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("whimbrel ")])
def test_each_whimbrel_command_of_the_readme_runs_after_the_demo(command, folder):
    done = whimbrel(shlex.split(command)[1:], folder)
    assert done.returncode == 0, done.stderr


def test_every_file_that_the_readme_links_to_exists():
    links = re.findall(r'\]\(([^)#]+)\)|src="([^"]+)"', README)
    missing = [link for pair in links for link in pair if link and not (ROOT / link).exists()]
    assert missing == []


def test_the_demo_leaves_a_bundle_that_sha256sum_accepts(folder):
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=folder / "out/demo/bundle",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0


def test_a_second_demo_gives_the_same_bundle_and_charges_nothing(folder):
    def state() -> tuple[dict[str, bytes], str]:
        files = {file.name: file.read_bytes() for file in (folder / "out/demo/bundle").iterdir()}
        return files, whimbrel(["ledger", "--json", "--config", "out/demo/whimbrel.toml"], folder).stdout

    before = state()
    done = whimbrel(["demo", "--out", "out/demo", "--subscribers", "4000"], folder)
    assert done.returncode == 0, done.stderr
    assert state() == before

"""How a verb reaches a cluster: the code as a zip, and the `spark-submit` line that runs it."""

import shlex
import zipfile
from collections.abc import Iterator, Sequence
from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from schemas.errors import ConfigError

PACKAGES: Final = ("jobs", "privacy", "schemas")
"""What a driver needs of ours besides its installed dependencies; executors need none of it."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""A zip's earliest instant: equal code gives equal bytes, so that a cluster's cache knows it again."""


class Cluster(StrEnum):
    """Where Spark's executors run."""

    STANDALONE = "standalone"
    YARN = "yarn"
    KUBERNETES = "kubernetes"

    @property
    def scheme(self) -> str:
        """How the address of its master begins."""
        return {"standalone": "spark://", "yarn": "yarn", "kubernetes": "k8s://"}[self.value]

    @property
    def properties(self) -> str:
        """Its Spark properties in the source folder."""
        return {
            "standalone": "infra/spark/standalone.conf",
            "yarn": "infra/yarn/whimbrel.conf",
            "kubernetes": "infra/kubernetes/base/spark.conf",
        }[self.value]


def write_code(path: Path) -> None:
    """Write our packages as a zip for `--py-files`: a wheel's own name would not be put on the path of a driver."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in sorted(_code(), key=lambda found: found[0]):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), file.read_bytes(), zipfile.ZIP_DEFLATED)


def _code() -> Iterator[tuple[str, Traversable]]:
    for package in PACKAGES:
        yield from _below(files(package), package)


def _below(folder: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    for found in folder.iterdir():
        inside = f"{name}/{found.name}"
        if found.is_dir() and found.name != "__pycache__":
            yield from _below(found, inside)
        elif found.is_file() and not found.name.startswith("."):
            yield inside, found


def submit_line(
    verb: Sequence[str], cluster: Cluster, *, master: str | None, code: Path | None, source: Path = Path()
) -> str:
    """Return the line that runs a verb with its driver here and its executors on a cluster.

    The driver stays here (client mode): it holds the ledger, the key and the vault, of which an executor
    is sent nothing but the derived keys of an ingest. A mount of the whole confidential root shows it the vault, too.

    Args:
        verb: The verb and its arguments.
        cluster: Where executors run.
        master: Address of its master; YARN's follows from Hadoop's configuration.
        code: The zip that `write_code` made; none where Whimbrel is installed in the driver's environment.
        source: The folder in which `infra` stands.

    Raises:
        ConfigError: The master is none of such a cluster.
    """
    words = ["spark-submit", "--master", _master(cluster, master), "--deploy-mode", "client"]
    words += ["--properties-file", str(source / cluster.properties)]
    words += ["--py-files", str(code)] if code else []
    words += [str(source / "infra/spark/whimbrel_job.py"), *verb]
    return shlex.join(words if "--engine" in verb else [*words, "--engine", "spark"])


def _master(cluster: Cluster, master: str | None) -> str:
    found = master or (cluster.scheme if cluster is Cluster.YARN else "")
    if not found.startswith(cluster.scheme):
        raise ConfigError(
            f"The master {found!r} is none of a {cluster} cluster.",
            f"an address that begins with {cluster.scheme}",
            "name it with --master, or another cluster with --on",
        )
    return found

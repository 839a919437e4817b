"""Check the files of this folder with what reads such files; run by `make check-infra` in an environment of its own.

hadolint reads the Dockerfiles, the Compose specification's parser the Compose file, kubectl builds the overlay, and
kubernetes-validate holds each object of it against the schemas of a version of Kubernetes.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from compose_spec import PyCompose

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
KUBERNETES = "1.32"
DOCKERFILES = ("Dockerfile", "Dockerfile.airflow")
BASE = HERE / "kubernetes/base"


def main() -> None:
    """Run every check and end with how many failed."""
    checks = (dockerfiles, compose, kubernetes)
    faults = sum(told(check) for check in checks)
    sys.exit(faults)


def told(check: Callable[[], str]) -> int:
    """Run a check and say how it ended."""
    fault = check()
    sys.stdout.write(f"{check.__name__}: {fault or 'ok'}\n")
    return int(bool(fault))


def dockerfiles() -> str:
    """What hadolint finds, its hints included."""
    return ran([PROGRAMS / "hadolint", *(HERE / "docker" / name for name in DOCKERFILES)], said=True)


def compose() -> str:
    """Whether the Compose file is one."""
    document = yaml.safe_load((HERE / "compose/compose.yaml").read_text(encoding="utf-8"))
    try:
        services = PyCompose.from_json(json.dumps(document)).services
    except ValueError as error:
        return str(error)
    return "" if services.keys() == document["services"].keys() else "it reads as other services"


def kubernetes() -> str:
    """Whether the overlay builds, and what is wrong with its objects and with the pods' templates."""
    if shutil.which("kubectl") is None:
        return "there is no kubectl. Remedy: install it; it needs no cluster for this"
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "overlay.yaml"
        overlay = subprocess.run(
            ["kubectl", "kustomize", HERE / "kubernetes/overlays/operator"], capture_output=True, text=True, check=False
        )
        if overlay.returncode:
            return overlay.stderr
        built.write_text(overlay.stdout, encoding="utf-8")
        files = [built, BASE / "executor.yaml", BASE / "publisher.yaml"]
        return ran([PROGRAMS / "kubernetes-validate", "-k", KUBERNETES, "--strict", *files])


def ran(command: Sequence[str | Path], *, said: bool = False) -> str:
    """What a program complains of; with `said`, anything that it says is a complaint."""
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    output = done.stdout + done.stderr
    complaints = "\n".join(line for line in output.splitlines() if not line.startswith("INFO"))
    return complaints if done.returncode or (said and output) else ""


if __name__ == "__main__":
    main()

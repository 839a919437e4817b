"""What a deployment is made of: hardened, closed to the outside, the two sides of the line apart, every secret a file.

`make check-infra` holds the same files against what reads them elsewhere; here only what needs no further tool.
"""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pyspark
import pytest
import yaml

from jobs import metrics
from jobs.config import Config

INFRA = Path(__file__).parents[2] / "infra"
BASE = INFRA / "kubernetes" / "base"
DOCUMENTS = [
    (file.name, document)
    for file in sorted(BASE.glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
]
COMPOSE = yaml.safe_load((INFRA / "compose/compose.yaml").read_text(encoding="utf-8"))
DOCKERFILES = [INFRA / "docker/Dockerfile", INFRA / "docker/Dockerfile.airflow"]
PROPERTIES = [INFRA / "spark/standalone.conf", INFRA / "yarn/whimbrel.conf", BASE / "spark.conf"]


def pods():
    """Every pod that the base makes or is a template of, by where it stands."""
    for file, document in DOCUMENTS:
        match document["kind"]:
            case "Pod":
                yield file, document["metadata"]["labels"], document["spec"]
            case "Deployment":
                yield file, document["spec"]["template"]["metadata"]["labels"], document["spec"]["template"]["spec"]
            case "CronJob":
                template = document["spec"]["jobTemplate"]["spec"]["template"]
                yield file, template["metadata"]["labels"], template["spec"]


PODS = list(pods())


def containers(spec):
    return [*spec.get("initContainers", ()), *spec["containers"]]


@pytest.mark.parametrize("spec", [spec for *_, spec in PODS], ids=[file for file, *_ in PODS])
def test_every_pod_is_nobody_without_rights_on_a_root_that_cannot_be_written(spec):
    assert spec["securityContext"].items() >= {"runAsNonRoot": True, "runAsUser": 10001}.items()
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert spec["automountServiceAccountToken"] is False
    assert not spec.get("hostNetwork") and not spec.get("hostPID")
    for container in containers(spec):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"], f"{container['name']} has no limits"
        assert re.search(r":\d[\w.-]*$|@sha256:", container["image"]), f"{container['image']} can change"


def test_what_runs_for_long_is_probed():
    ((_, _, spec),) = [pod for pod in PODS if pod[0] == "confidential.yaml"]
    assert all("livenessProbe" in container for container in spec["containers"])


def mounts(spec):
    """(claim or secret, path inside it, whether it may be written) of all of a pod's containers."""
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for container in containers(spec):
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            source = volume.get("persistentVolumeClaim", {}).get("claimName") or volume.get("secret", {}).get(
                "secretName"
            )
            if source:
                yield source, mount.get("subPath"), not mount.get("readOnly", False)


def of(component):
    return [spec for _, labels, spec in PODS if labels["app.kubernetes.io/component"] == component]


def test_the_gate_sees_what_was_sealed_and_signed_and_nothing_else_of_the_confidential_root():
    assert len(of("gate")) == 2
    for spec in of("gate"):
        assert spec["serviceAccountName"] == "gate"
        seen = set(mounts(spec))
        assert {mount for mount in seen if mount[0] == "confidential"} == {
            ("confidential", "zone/vault", False),
            ("confidential", "zone/approvals", True),
        }
        assert not {source for source, *_ in seen} & {"whimbrel-pseudonym-key", "deliveries"}


def test_the_confidential_zone_cannot_write_what_leaves_and_has_no_key_that_signs_it():
    (spec,) = of("airflow")
    assert spec["serviceAccountName"] == "confidential"
    assert not {source for source, *_ in mounts(spec)} & {"release", "whimbrel-gate-key"}


def test_executors_hold_no_secret_and_do_not_speak_to_kubernetes():
    (spec,) = of("executor")
    assert spec["serviceAccountName"] == "executor"
    assert {source for source, *_ in mounts(spec)} == {"confidential", "deliveries"}


def test_only_the_scheduler_holds_the_token_that_makes_pods():
    (spec,) = of("airflow")
    holders = [c["name"] for c in containers(spec) if "token" in {mount["name"] for mount in c["volumeMounts"]}]
    assert holders == ["scheduler"]


def test_only_what_runs_verbs_sees_the_key_of_pseudonyms_and_the_password_of_the_ledger():
    (spec,) = of("airflow")
    held = {c["name"]: {mount["name"] for mount in c["volumeMounts"]} for c in spec["containers"]}
    assert [name for name, seen in held.items() if seen & {"keys", "pseudonym-key", "ledger"}] == ["scheduler"]
    assert all("airflow-keys" in seen for seen in held.values())
    (copy,) = spec["initContainers"]
    commands = copy["args"][-1].split(" && ")
    assert [line.split()[-2:] for line in commands] == [
        ["/run/mounted/zone/*/*", "/run/keys/"],
        ["/run/mounted/airflow/*", "/run/airflow-keys/"],
    ]


def test_only_the_confidential_zone_may_do_anything_to_pods():
    bindings = [document for _, document in DOCUMENTS if document["kind"] == "RoleBinding"]
    assert [subject["name"] for binding in bindings for subject in binding["subjects"]] == ["confidential"]
    assert not [document for _, document in DOCUMENTS if document["kind"].startswith("Cluster")]


POLICIES = {d["metadata"]["name"]: d["spec"] for _, d in DOCUMENTS if d["kind"] == "NetworkPolicy"}


def test_nothing_goes_in_or_out_but_what_is_named():
    assert POLICIES["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, spec in POLICIES.items():
        for rule in [*spec.get("egress", ()), *spec.get("ingress", ())]:
            assert rule.get("ports"), f"{name} opens every port"
            for peer in rule.get("to", ()) or rule.get("from", ()):
                block = peer.get("ipBlock")
                assert block is None or block["cidr"].endswith("/32"), f"{name} opens a network"
            assert rule.get("to") or rule.get("from"), f"{name} opens to everybody"


def test_the_gate_reaches_the_ledger_and_airflow_only():
    def is_of_gate(selector):
        wanted = selector.get("matchLabels", {}).get("app.kubernetes.io/component")
        listed = [name for rule in selector.get("matchExpressions", ()) for name in rule["values"]]
        return wanted == "gate" or "gate" in listed

    ways = [
        (rule["ports"][0]["port"], name)
        for name, spec in POLICIES.items()
        if is_of_gate(spec["podSelector"])
        for rule in spec.get("egress", ())
    ]
    assert sorted(ways) == [(5432, "to-postgresql"), (8080, "gate")]


def test_every_secret_is_a_file():
    """No secret in an environment variable, which children inherit and `docker inspect` and `kubectl describe` show."""
    for _, _, spec in PODS:
        for container in containers(spec):
            assert not container.get("envFrom")
            for variable in container.get("env") or ():
                assert "secretKeyRef" not in variable.get("valueFrom", {})
                assert not re.search("PASSWORD|SECRET|TOKEN|FERNET|SQL_ALCHEMY", variable["name"])
    assert not [document for _, document in DOCUMENTS if document["kind"] == "Secret"]
    for service in COMPOSE["services"].values():
        wrong = [name for name in service.get("environment", {}) if re.search("PASSWORD|SECRET|TOKEN|FERNET", name)]
        assert [name for name in wrong if not name.endswith("_FILE")] == []
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_container_of_one_machine_is_hardened_and_reaches_nothing_outside(name):
    service = COMPOSE["services"][name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["networks"] == ["inside"]
    assert "ports" not in service and "privileged" not in service
    assert re.search(r":\d[\w.-]*$", service["image"])
    assert service["deploy"]["resources"]["limits"]


def test_the_one_network_leads_nowhere_and_the_two_sides_are_two_volumes():
    assert COMPOSE["networks"] == {"inside": {"internal": True}}
    volumes = {name: str(service.get("volumes", "")) for name, service in COMPOSE["services"].items()}
    assert [name for name, mounted in volumes.items() if "release" in mounted] == ["gate"]
    assert "zone/vault" in volumes["gate"]
    assert {name for name, mounted in volumes.items() if "confidential" in mounted} == {"scheduler", "gate"}
    secrets = {name: str(service.get("secrets", "")) for name, service in COMPOSE["services"].items()}
    assert [name for name, held in secrets.items() if "gate.pem" in held] == ["gate"]
    assert [name for name, held in secrets.items() if "pseudonym.key" in held] == ["scheduler"]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_is_built_in_stages_of_locked_parts_and_runs_as_nobody(file):
    text = file.read_text(encoding="utf-8")
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(stages) >= 2 and all(stage.startswith("${") for stage in stages)
    assert all(re.search(r":\d", default) for default in re.findall(r"^ARG \w+_IMAGE=(\S+)", text, re.MULTILINE))
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] == "10001:10001"
    installs = re.findall(r"pip install (.*)", text)
    assert installs and all("--no-deps" in line for line in installs)
    assert all("--require-hashes" in line for line in installs if "-r " in line)
    assert not re.search(r"^ADD|curl|wget|latest", text, re.MULTILINE)
    assert "Not run here" in text


def test_only_what_images_are_made_of_is_sent_to_their_builder():
    for file in DOCKERFILES:
        ignored = Path(f"{file}.dockerignore").read_text(encoding="utf-8").splitlines()
        assert "*" in ignored
        assert {line for line in ignored if line.startswith("!")} <= {
            *("!requirements*.lock", "!pyproject.toml", "!README.md", "!schemas", "!privacy", "!jobs", "!dags"),
            *("!infra/docker/executor.sh", "!infra/spark/whimbrel_job.py", "!infra/kubernetes/requirements.lock"),
        }


def properties(file):
    lines = [line.split(None, 1) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line[0]: line[1].strip() for line in lines if line and not line[0].startswith("#")}


@pytest.fixture(scope="module")
def words_of_spark():
    """All texts in the classes of Spark that read such properties."""
    folder = Path(pyspark.__file__).parent / "jars"
    wanted = ("spark-core_", "spark-yarn_", "spark-kubernetes_", "spark-common-utils_", "spark-network-common_")
    jars = [jar for jar in folder.glob("spark-*.jar") if jar.name.startswith(wanted)]
    assert len(jars) >= 4
    texts = []
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            texts += [archive.read(name) for name in archive.namelist() if re.search(r"[Cc]onf|package", name)]
    return b"\n".join(texts)


@pytest.mark.parametrize("file", PROPERTIES, ids=lambda file: file.parent.name)
def test_every_property_is_one_of_sparks(file, words_of_spark):
    """A misspelt property is silently ignored by Spark. Some names are put together of a prefix and an ending."""

    def is_known(name):
        prefix, _, ending = name.rpartition(".")
        return name.encode() in words_of_spark or (
            prefix.encode() in words_of_spark and f".{ending}".encode() in words_of_spark
        )

    assert [name for name in properties(file) if not is_known(name)] == []


@pytest.mark.parametrize("file", PROPERTIES, ids=lambda file: file.parent.name)
def test_what_moves_between_executors_is_encrypted_and_no_page_or_log_shows_counts(file):
    assert (
        properties(file).items()
        >= {
            "spark.authenticate": "true",
            "spark.network.crypto.enabled": "true",
            "spark.io.encryption.enabled": "true",
            "spark.ui.enabled": "false",
            "spark.eventLog.enabled": "false",
        }.items()
    )
    assert "spark.speculation" not in properties(file)
    assert "Not run here" in file.read_text(encoding="utf-8")


def test_the_shell_reads_what_an_executor_begins_with():
    subprocess.run([shutil.which("sh"), "-n", INFRA / "docker/executor.sh"], check=True)


def test_the_overlays_installation_loads_and_keeps_its_root_below_the_mount_point():
    config = Config.load(INFRA / "kubernetes/overlays/operator/whimbrel.toml")
    assert config.storage.confidential == Path("/data/confidential/zone")
    assert config.storage.ledger_url.startswith("postgresql+psycopg://whimbrel@")


RULES = yaml.safe_load((INFRA / "prometheus/rules.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_reads_metrics_that_are_written_and_says_what_to_do(rule):
    named = set(re.findall(r"whimbrel_\w+", rule["expr"]))
    assert named and named <= metrics.HELP.keys()
    assert rule["annotations"].keys() == {"summary", "remedy"}
    assert rule["labels"]["severity"] in {"warning", "critical"}


NAMED = [
    (file.relative_to(INFRA), page, heading)
    for file in sorted(INFRA.rglob("*"))
    if file.suffix in {".yaml", ".conf", ".sh", ""} and file.is_file()
    for page, heading in re.findall(r'(docs/[\w-]+\.md), "([^"]+)"', file.read_text(encoding="utf-8"))
    + [
        (page, heading)
        for heading, page in re.findall(r'"([^"]+)" in (docs/[\w-]+\.md)', file.read_text(encoding="utf-8"))
    ]
]


@pytest.mark.parametrize(("file", "page", "heading"), NAMED, ids=str)
def test_a_file_points_at_a_chapter_that_there_is(file, page, heading):
    headings = re.findall(r"^#+ (.+)$", (INFRA.parent / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert heading in headings, f"{file} points at {page}, {heading!r}"


def test_files_do_point_at_chapters():
    assert len(NAMED) >= 3


NOT_DEPLOYED = re.compile(r"requirements|left_out|dockerignore$|^check\.py$|cells\.csv$|trust\.toml$|__pycache__")
DEPLOYED = [
    file
    for file in sorted(INFRA.rglob("*"))
    if file.is_file() and not NOT_DEPLOYED.search(str(file.relative_to(INFRA)))
]


@pytest.mark.parametrize("file", DEPLOYED, ids=lambda file: str(file.relative_to(INFRA)))
def test_what_deploys_says_what_of_it_was_not_run(file):
    assert "Not run here" in file.read_text(encoding="utf-8")


def test_files_do_deploy():
    assert len(DEPLOYED) >= 18

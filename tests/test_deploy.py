"""The files of deploy/: their commands and options are those of flexlocal, and what they name is there.

Docker is not needed, and no cluster: docs/operate/workers.md says what was not run.
"""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from flexlocal import cli, worker_http, worker_metrics
from inventory.ages import Ages
from tests.inventories import ROOT, at
from tests.test_worker_metrics import POLL, due, metrics_of

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "flexlocal-worker.service"
INSTALLED = "/opt/cmp-connectors"
BINARY = f"{INSTALLED}/.venv/bin/flexlocal"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
KUBERNETES = yaml.safe_load((DEPLOY / "kubernetes" / "worker.yaml").read_text(encoding="utf-8"))[
    "items"
]
DASHBOARD = json.loads((DEPLOY / "grafana" / "flexlocal-workers.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
# the schemas of kubernetes-validate's oldest and newest release of Kubernetes that is maintained today
RELEASES = ("1.33", "1.37")
METRIC = re.compile(r"\bflexlocal_[a-z_]+")


def unit():
    """The unit's settings; one that is there several times has several values."""
    found = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def instruction(name):
    """The last one of the Dockerfile, whose arguments are JSON."""
    return json.loads(re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)[-1])


def of_kind(kind):
    return {each["metadata"]["name"]: each for each in KUBERNETES if each["kind"] == kind}


def commands():
    """All command lines of flexlocal, by where they are."""
    (start,) = unit()["ExecStart"]
    binary, *arguments = shlex.split(start)
    assert [binary] == instruction("ENTRYPOINT") == [BINARY]
    yield "systemd", arguments
    yield "image", instruction("CMD")
    for name in ("schedule", "worker"):
        yield f"compose {name}", COMPOSE["services"][name]["command"]
    for kind in ("Job", "Deployment"):
        for name, each in of_kind(kind).items():
            for container in each["spec"]["template"]["spec"]["containers"]:
                yield f"Kubernetes {name}", container["args"]


COMMANDS = dict(commands())
WORKERS = [arguments for arguments in COMMANDS.values() if arguments[0] == "worker"]


def parsed(arguments):
    """What the command would get. Raises click's errors."""
    name, *options = arguments
    return cli.flexlocal.commands[name].make_context(name, list(options)).params


@pytest.mark.parametrize("where", COMMANDS)
def test_each_command_is_understood(where):
    assert all(isinstance(each, str) for each in COMMANDS[where])
    assert parsed(COMMANDS[where])


def test_workers_stop_in_time_and_listen_where_they_are_asked():
    pytest.importorskip("prometheus_client", reason="prometheus-client needs Python 3.10")
    assert len(WORKERS) == 4
    for arguments in WORKERS:
        params = parsed(arguments)
        assert params["grace"] == "60s"
        assert params["format"] == "ndjson"
        assert worker_http.address(params["listen"])[1] == 9464
    assert unit()["TimeoutStopSec"] == ["90"]
    assert COMPOSE["services"]["worker"]["stop_grace_period"] == "90s"
    pod = of_kind("Deployment")["flexlocal-worker"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 90
    (container,) = pod["containers"]
    assert container["ports"] == [{"name": "metrics", "containerPort": 9464}]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert (
        "http://127.0.0.1:9464/readyz" in COMPOSE["services"]["worker"]["healthcheck"]["test"][-1]
    )
    assert "EXPOSE 9464" in DOCKERFILE
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert scrape["scrape_configs"][0]["dns_sd_configs"][0]["port"] == 9464
    assert scrape["rule_files"] == ["alerts.yaml"]


def test_no_file_has_a_secret_and_every_setting_is_one_that_flexlocal_reads():
    named = set()
    for file in DEPLOY.rglob("*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            named.update(re.findall(r"FLEXLOCAL_\w+", text))
            for url in re.findall(r"\w+://[^\s\"'/:@]+:([^@\s\"']+)@", text):
                assert url == "password" or url.startswith("${"), file
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "flexlocal").glob("*.py"))
    assert {each for each in named if each not in source} == set()
    for service in ("schedule", "worker"):
        environment = COMPOSE["services"][service]["environment"]
        assert environment["PGPASSWORD"].startswith("${POSTGRES_PASSWORD:?")


def test_what_an_image_is_made_of_is_there():
    copied = re.findall(r"^COPY (\S+) ", DOCKERFILE, re.MULTILINE)
    assert copied[0] == "."
    (target,) = re.findall(r"^RUN make (\w+)$", DOCKERFILE, re.MULTILINE)
    assert re.search(rf"^{target}: ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {"flexlocal", "inventory", "modules", "shared", "requirements", "tools"}.isdisjoint(
        left_out
    )
    for build in (COMPOSE["services"][name]["build"] for name in ("schedule", "worker")):
        assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    user = re.search(r"--uid (\d+)", DOCKERFILE)[1]
    assert f"USER {user}\n" in DOCKERFILE
    for each in (*of_kind("Job").values(), *of_kind("Deployment").values()):
        context = each["spec"]["template"]["spec"]["securityContext"]
        assert [context["runAsUser"], context["fsGroup"]] == [int(user)] * 2


def test_files_that_the_compose_file_mounts_are_there():
    for name, service in COMPOSE["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), name
            else:
                assert source in COMPOSE["volumes"]
        for other in service.get("depends_on", ()):
            assert other in COMPOSE["services"]
    assert (DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml").exists()


def test_kubernetes_objects_name_each_other():
    for kind in ("Job", "Deployment"):
        for each in of_kind(kind).values():
            pod = each["spec"]["template"]["spec"]
            assert pod["serviceAccountName"] in of_kind("ServiceAccount")
            volumes = {volume["name"] for volume in pod["volumes"]}
            for container in (*pod["initContainers"], *pod["containers"]):
                assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
                assert container["securityContext"]["readOnlyRootFilesystem"] is True
                assert container["resources"]["limits"]["memory"]
    labels = of_kind("Deployment")["flexlocal-worker"]["spec"]["template"]["metadata"]["labels"]
    for each in (*of_kind("Service").values(), *of_kind("PodDisruptionBudget").values()):
        selector = each["spec"]["selector"]
        assert selector.get("matchLabels", selector).items() <= labels.items()


@pytest.mark.deploy
@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("each", KUBERNETES, ids=lambda each: each["kind"])
def test_kubernetes_objects_are_as_the_schemas_say(each, release):
    import kubernetes_validate

    assert kubernetes_validate.validate(each, release, strict=True).startswith(release)


@pytest.mark.deploy
def test_the_schemas_refuse_what_is_wrong():
    import kubernetes_validate

    wrong = json.loads(json.dumps(of_kind("Deployment")["flexlocal-worker"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, RELEASES[-1], strict=True)


def test_systemd_understands_the_unit(tmp_path):
    """With this checkout in the place of the installed one: systemd looks for the program."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    checkout = tmp_path / "opt"
    (checkout / ".venv" / "bin").mkdir(parents=True)
    program = checkout / ".venv" / "bin" / "flexlocal"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text(encoding="utf-8").replace(INSTALLED, str(checkout)))

    def verified():
        command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(copy)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = verified()
    assert (done.returncode, done.stderr) == (0, "")
    copy.write_text(copy.read_text().replace("KillMode=mixed", "KillMode=mixt"))
    assert "kill mode" in verified().stderr


# --- metrics ---


@pytest.fixture(scope="module")
def metrics():
    """Every metric that there is, with its labels."""
    pytest.importorskip("prometheus_client", reason="prometheus-client needs Python 3.10")
    from prometheus_client.parser import text_string_to_metric_families

    plan, ages = [due("a", late_s=90.0)], [Ages("aws", "servers", 2, 1, 1, at(0), at(0))]
    metrics = metrics_of(plan, ages)
    metrics.count({"event": "claimed", "poll": "1", **POLL})
    metrics.count({"event": "ended", "outcome": "lost", "seconds": 1, "poll": "1", **POLL})
    found = {}
    for family in text_string_to_metric_families(metrics.text()[0].decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions():
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def test_expressions_name_metrics_and_labels_that_there_are(metrics):
    assert len([*expressions()]) > 20
    for text in expressions():
        names = METRIC.findall(text)
        assert names, text
        assert set(names) <= set(metrics), text
        for name, selector in re.findall(r"\b(flexlocal_\w+)\{([^}]*)\}", text):
            assert set(re.findall(r"(\w+)=", selector)) <= metrics[name], text
        for group in re.findall(r"by \(([^)]*)\)", text):
            labels = {each.strip() for each in group.split(",")}
            assert any(labels <= metrics[name] for name in names), text
        if (
            "_total" in text or "_bucket" in text
        ):  # of a counter, only what it grows by says something
            assert re.search(r"\b(rate|increase)\(", text), text


def test_every_metric_is_on_the_dashboard_or_watched(metrics):
    shown = {name for text in expressions() for name in METRIC.findall(text)}
    assert set(metrics) - shown == {"flexlocal_poll_seconds_count", "flexlocal_poll_seconds_sum"}


def test_panels_do_not_overlap_and_have_names():
    taken = set()
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert worker_metrics.LATE_S == 60  # as the panel of late polls says
    assert isinstance(DEPLOY, Path)

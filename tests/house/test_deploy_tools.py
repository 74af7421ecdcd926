"""What lies in deploy/, checked by the tools of those who will run it.

The chart is rendered by tests/house/chart.py, because Helm itself comes in no package; its documents are then checked
against Kubernetes' own schemas.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.house.chart import CHART, rendered

from rosterd.daemon.metrics import Metrics
from rosterd.settings import load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HERE = Path(sys.executable).parent


def tool(*line: str | Path, cwd: Path = ROOT) -> str:
    """Runs a tool that must find nothing wrong; gives what it said."""
    done = subprocess.run([str(word) for word in line], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("unit", ["rosterd.service", "rosterd-once.service"])
def test_systemd_finds_the_units_confined(unit: str) -> None:
    tool("systemd-analyze", "security", "--offline=true", "--threshold=12", DEPLOY / "systemd" / unit)


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    tool(HERE / "hadolint", "--failure-threshold", "style", "Dockerfile")


def test_yaml_is_tidy() -> None:
    off = "document-start: disable, comments-indentation: disable, comments: {require-starting-space: false}"
    rules = "{extends: default, rules: {line-length: {max: 120}, " + off + "}}"
    files = [DEPLOY / "compose.yaml", *sorted((DEPLOY / "prometheus").glob("*.yml"))]
    files += [CHART / "values.yaml", CHART / "Chart.yaml"]
    tool(HERE / "yamllint", "--strict", "--config-data", rules, *files)


def test_prometheus_takes_the_alert_rules_and_they_fire_when_they_should() -> None:
    tool("promtool", "check", "rules", "rosterd.rules.yml", cwd=DEPLOY / "prometheus")
    tool("promtool", "test", "rules", "rosterd.rules.test.yml", cwd=DEPLOY / "prometheus")


def named(text: str) -> set[str]:
    """Names of our metrics in a text, without what Prometheus appends to them."""
    return {
        re.sub(r"_(total|bucket|count|sum)$", "", name) for name in re.findall(r"\brosterd_[a-z_]+", text)
    }


@pytest.mark.parametrize("path", ["prometheus/rosterd.rules.yml", "grafana/rosterd.json"])
def test_alerts_and_dashboard_ask_for_metrics_that_there_are(path: str) -> None:
    source = (ROOT / "src" / "rosterd" / "daemon" / "metrics.py").read_text(encoding="utf-8")
    known = {re.sub(r"_(total|bucket)$", "", name) for name in re.findall(r'"(rosterd_[a-z_]+)"', source)}
    known |= {f"rosterd_{name}" for name in re.findall(r'"[a-z_]+",\s*"([a-z_]+)",\s*"', source)}
    assert named(Metrics().text().decode()) <= known | {"rosterd_build_info"}
    assert named((DEPLOY / path).read_text(encoding="utf-8")) - {"rosterd"} <= known


def test_promtool_finds_nothing_odd_in_the_metrics() -> None:
    metrics = Metrics()
    metrics.request("/v1/users", 201, 0.1)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics.text(), capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_has_every_panel_in_its_place() -> None:
    document = json.loads((DEPLOY / "grafana" / "rosterd.json").read_text(encoding="utf-8"))
    places = [panel["gridPos"] for panel in document["panels"]]
    cells = [
        (at["x"] + right, at["y"] + down)
        for at in places
        for right in range(at["w"])
        for down in range(at["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    assert all(target["expr"] for panel in document["panels"] for target in panel["targets"])


@pytest.mark.parametrize("mode", ["service", "once"])
def test_the_chart_gives_documents_that_kubernetes_takes(mode: str) -> None:
    documents = rendered(mode=mode, dataClaim="files", storageClass="fast")
    kinds = {"ConfigMap", "PersistentVolumeClaim", "NetworkPolicy"}
    assert documents.keys() == kinds | ({"Deployment", "Service"} if mode == "service" else {"CronJob"})
    for document in documents.values():
        kubernetes_validate.validate(document, "1.29", strict=True)


def pod(documents: dict[str, Any]) -> dict[str, Any]:
    if "Deployment" in documents:
        found: dict[str, Any] = documents["Deployment"]["spec"]["template"]["spec"]
    else:
        found = documents["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("mode", ["service", "once"])
def test_the_chart_confines_the_pod(mode: str) -> None:
    found = pod(rendered(mode=mode))
    (container,) = found["containers"]
    assert found["securityContext"]["runAsUser"] == 10_001 and found["securityContext"]["runAsNonRoot"]
    assert found["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert ("livenessProbe" in container and "readinessProbe" in container) == (mode == "service")
    assert "once" not in mode or container["args"][:2] == ["run", "--once"]
    assert not any(
        "secret" in entry["name"].lower() and "DIR" not in entry["name"] for entry in container["env"]
    )


def test_the_charts_settings_are_taken_once_they_have_a_customer(tmp_path: Path) -> None:
    text = rendered()["ConfigMap"]["data"]["rosterd.toml"]
    path = tmp_path / "rosterd.toml"
    customer = '[customers.a]\nclient = "A"\n[customers.a.sources.hr]\nkind = "csv"\npath = "a.csv"\n'
    people = '[customers.a.sources.hr.people]\nlogon = "{{ l }}"\ndomain = "D"\n'
    path.write_text(text + customer + people, encoding="utf-8")
    secrets = {
        "ROSTERD_ORBIX__CLIENT_SECRET": "a-secret",
        "ROSTERD_CONSOLE__TOKEN": "a-token-of-sixteen-or-more",
    }
    assert load(path, secrets).settings.console.listen == "0.0.0.0:8321"


def test_compose_is_what_its_schema_wants() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["rosterd"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["tmpfs"] == ["/tmp"]
    assert service["security_opt"] == ["no-new-privileges:true"] and service["stop_grace_period"] == "30s"


SMALL = """
[console]
listen = ""
[orbix]
base_url = "http://127.0.0.1:9/api"
token_url = "http://127.0.0.1:9/token"
tenant = "t"
client_id = "i"
client_secret = "s"
[customers.a]
client = "A"
schedule = "every 1h"
[customers.a.sources.hr]
kind = "csv"
path = "people.csv"
settle = "0s"
[customers.a.sources.hr.people]
logon = "{{ logon }}"
domain = "D"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which root alone may")
def test_the_service_runs_as_nobody_on_a_read_only_tree(tmp_path: Path) -> None:
    """What stands in for a container: another user, no privileges, everything read only but the state and /tmp."""
    state, scratch, company = tmp_path / "state", tmp_path / "scratch", tmp_path / "company"
    for folder in (state, scratch, company):
        folder.mkdir()
    (company / "people.csv").write_text("logon\nana\n", encoding="utf-8")
    (company / "rosterd.toml").write_text(SMALL, encoding="utf-8")
    for folder in (state, scratch):
        shutil.chown(folder, 10_001, 10_001)
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/") and folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    mounts = (
        f"mount --make-rprivate / && mount --bind {state} {state} && mount --bind {scratch} {scratch}"
        " && mount -o remount,bind,ro / && exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs"
        f" --bounding-set=-all {sys.executable} -m rosterd run --log-format json"
    )
    env = {"ROSTERD_CONFIG": str(company / "rosterd.toml"), "ROSTERD_LEDGER__URL": f"sqlite:///{state}/ledger.db",
           "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1",
           "TMPDIR": str(scratch), "PYTHONPATH": str(ROOT / "src")}  # fmt: skip
    command = ["unshare", "--mount", "sh", "-c", mounts]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True, cwd="/") as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if '"run_ended"' in line:
                break
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        said += process.stderr.readlines()
        assert process.wait(30) == 0 and time.monotonic() - begun < 20, "".join(said)
    # a first delivery waits for somebody: everything worked until there
    assert '"exit_code": 4' in "".join(said), said
    assert (state / "ledger.db").stat().st_uid == 10_001

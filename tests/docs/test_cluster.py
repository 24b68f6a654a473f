"""Files for schedulers: what Slurm and Kubernetes would make of them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from nas.studies.place import Place
from nas.studies.proxy import ProxyAddress

from .pages import ROOT
from .synopses import require_known

CLUSTER = ROOT / "docs" / "cluster"
SLURM = CLUSTER / "worker.sbatch"
RESOURCES = list(yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text()))
#: How sbatch reads the values of the options that are ours (its manual, "OPTIONS").
DIRECTIVES = {
    "job-name": r"\S+",
    "array": r"\d+-\d+(:\d+)?(%\d+)?",
    "nodes": r"\d+(-\d+)?",
    "ntasks": r"\d+",
    "cpus-per-task": r"\d+",
    "mem": r"\d+[KMGT]?",
    "time": r"(\d+-)?\d+(:\d\d){0,2}",
    "output": r"(\S*%[Aajx]\S*)+",
    "signal": r"([RB]+:)?(\d+|[A-Z]+\d?)(@\d+)?",
    "requeue": "",
}


def directives(script: str) -> dict[str, str]:
    """As sbatch reads them: comments of the first lines, up to the first command."""
    found = {}
    for line in script.splitlines():
        if line.strip() and not line.startswith("#"):
            break
        if line.startswith("#SBATCH"):
            for word in shlex.split(line.removeprefix("#SBATCH"), comments=True):
                name, _, value = word.partition("=")
                assert name.startswith("--"), line
                found[name.removeprefix("--")] = value
    return found


def test_slurm_reads_every_directive() -> None:
    script = SLURM.read_text()
    found = directives(script)
    assert len(found) == script.count("\n#SBATCH")
    for name, value in found.items():
        assert re.fullmatch(DIRECTIVES[name], value), (name, value)


def run_as_job(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The script, by bash, with a ``nas`` that prints its words and its process."""
    program = tmp_path / "nas"
    program.write_text('#!/bin/sh\necho nas "$@" $PPID\n')
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(SLURM)], env={"PATH": path, **variables}, text=True, capture_output=True,
        check=False,
    )  # fmt: skip


def test_the_array_runs_workers_in_place_of_its_shell(tmp_path: Path) -> None:
    """Then Slurm's signal reaches them."""
    subprocess.run(["bash", "-n", str(SLURM)], check=True)
    done = run_as_job(tmp_path, STORAGE="grpc://head-node:13000", STUDY="big")
    *words, parent = done.stdout.split()
    require_known(shlex.join(words))
    assert words[2:] == ["--storage", "grpc://head-node:13000", "--study", "big"]
    assert int(parent) == os.getpid()


def test_the_array_says_what_it_was_not_told(tmp_path: Path) -> None:
    done = run_as_job(tmp_path, STORAGE="grpc://head-node")
    assert done.returncode != 0
    assert "STUDY: its name" in done.stderr


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: str(resource["kind"]))
def test_kubernetes_takes_every_resource(resource: dict[str, Any]) -> None:
    """By its own schema, in which an unknown field is an error."""
    kubernetes_validate.validate(resource, "1.37", strict=True)


def test_a_job_with_a_slip_would_not_be_taken() -> None:
    job = next(resource for resource in RESOURCES if resource["kind"] == "Job")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {**job, "spec": {**job["spec"], "paralelism": 2}}, "1.37", strict=True
        )


def test_pods_run_commands_that_are_there_and_find_one_another() -> None:
    by_kind = {resource["kind"]: resource for resource in RESOURCES}
    server, worker = (
        by_kind[kind]["spec"]["template"]["spec"]["containers"][0]["args"]
        for kind in ("Deployment", "Job")
    )
    for words in (server, worker):
        require_known(shlex.join(words))
    assert not Place.of_url(server[server.index("--storage") + 1]).secrets
    address = ProxyAddress.parse(worker[worker.index("--storage") + 1])
    service = by_kind["Service"]
    assert address.host == service["metadata"]["name"]
    assert address.port == service["spec"]["ports"][0]["port"]
    labels = by_kind["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels

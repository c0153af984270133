"""real.yml: its run blocks, from the certificate to the last `verify`, on the sandbox's servers and plugins."""

import json
from typing import TYPE_CHECKING

import pytest

from tests.workflows.acting import RUN_ID
from tests.workflows.conftest import damaged
from tests.workflows.test_deploy import buckets_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workflows.acting import Acted
    from tests.workflows.conftest import Site

pytestmark = pytest.mark.e2e

ACCOUNT = {
    "REAL_AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/real",
    "REAL_AWS_ACCOUNT_ID": "123456789012",
}
PROVE = "Preflight, up, no change, refresh, verify"
LOCAL = [
    "Checkout",
    "Set up",
    "MinIO, with a certificate of its private CA",
    PROVE,
    "Switch the admin API to v4 and back to v3",
    "Show MinIO's log",
    "Keep the reports",
]
AWS = ["Checkout", "Set up", "AWS role", PROVE, "Remove the stack", "Keep the reports"]
REPORTS = ["preflight.json", "verify.html", "verify.json", "verify.xml"]


@pytest.fixture(scope="module", name="local")
def _local(site: "Site") -> "Acted":
    """The scheduled run without a test account."""
    return site.actor.run("real", "schedule", site.main)


def test_local_is_proven_with_the_certificate_that_the_job_made(site: "Site", local: "Acted") -> None:
    """Every run block of the job succeeds, on a server with the mounted certificate, key pair and published port."""
    assert local.status == 0, local.log
    job = local.jobs["local"]
    assert job.steps == {**dict.fromkeys(LOCAL, "success"), "Show MinIO's log": "skipped"}
    assert job.said.count("2 buckets: ") == 3
    assert job.said.count(" 0 failed, ") == 3
    assert local.held("local", site.secrets) == set()
    assert list(local.artifact("reports-local")) == REPORTS
    assert 'failures="0"' in local.artifact("reports-local")["verify.xml"]


def test_container_is_pinned_and_its_keys_are_shown_nowhere(local: "Acted") -> None:
    """The image is pinned by its digest, a file passes the keys, and no log or report shows them."""
    (started,) = local.called("docker")
    admin = json.loads((local.folder / "minio" / "admin.json").read_text(encoding="utf-8"))

    assert "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z@sha256:" in started
    assert started.endswith("server --quiet --certs-dir /certs /data")
    assert "--env-file minio.env" in started
    assert admin["password"] not in local.shown
    assert admin["user"] not in local.called("docker")[0]


def test_without_an_account_it_is_said_that_aws_was_not_tried(local: "Acted") -> None:
    """The scheduled run without the variable starts `aws-not-tried` instead of `aws`."""
    assert local.results == {"local": "success", "aws-not-tried": "success"}
    job = local.jobs["aws-not-tried"]
    assert job.steps == {"Report it": "success"}
    assert job.summary.startswith("aws was not tried on AWS: the variable REAL_AWS_ROLE_ARN does not name a role")
    assert "::warning title=aws was not tried::" in local.log


def test_with_an_account_aws_is_proven_and_removed(site: "Site") -> None:
    """The job deploys under its own names, verifies, and leaves nothing on the account."""
    before = buckets_of(site.aws)

    acted = site.actor.run("real", "schedule", site.main, job="aws", variables=ACCOUNT)

    assert acted.status == 0, acted.log
    assert acted.results == {"aws": "success"}
    job = acted.jobs["aws"]
    assert job.steps == dict.fromkeys(AWS, "success")
    assert f"joelclaw-r{RUN_ID[-10:]}-usw2-" in job.said
    assert "2 buckets: " in job.said
    assert " 0 failed, " in job.said
    assert buckets_of(site.aws) == before
    assert acted.held("aws", site.secrets) == set()
    assert list(acted.artifact("reports-aws")) == REPORTS
    (role,) = acted.given("aws-actions/configure-aws-credentials", "aws")
    assert role["role-to-assume"] == ACCOUNT["REAL_AWS_ROLE_ARN"]


def test_variable_decides_whether_aws_is_tried(site: "Site") -> None:
    """With the variable, `aws` starts and `aws-not-tried` does not, also by hand."""
    acted = site.actor.run("real", "workflow_dispatch", site.main, variables=ACCOUNT, hollow=True)

    assert acted.results == {"local": "success", "aws": "success"}


def test_what_fails_is_explained_and_removed(site: "Site") -> None:
    """After a failed update, the jobs show MinIO's log, remove the stack on AWS, and keep the reports."""
    acted = site.actor.run("real", "schedule", site.main, variables=ACCOUNT, hollow=True, fails="pulumi up")

    assert acted.status == 1
    assert acted.results == {"local": "failure", "aws": "failure"}
    steps = acted.jobs["local"].steps
    assert (steps[PROVE], steps["Switch the admin API to v4 and back to v3"]) == ("failure", "skipped")
    assert (steps["Show MinIO's log"], steps["Keep the reports"]) == ("success", "success")
    assert acted.called("docker")[-1] == "logs minio"
    assert acted.jobs["aws"].steps == {**dict.fromkeys(AWS, "success"), PROVE: "failure"}
    assert acted.called("pulumi", "aws")[-1] == "destroy --stack aws --yes --skip-preview --non-interactive"


def test_what_is_left_on_aws_is_seen(site: "Site", tmp_path: "Path") -> None:
    """Damage: without `always()`, a failed update leaves its resources."""
    checkout = damaged(
        site.main,
        tmp_path / "left",
        ".github/workflows/real.yml",
        "- name: Remove the stack\n        if: always()\n",
        "- name: Remove the stack\n",
    )

    acted = site.actor.run("real", "schedule", checkout, job="aws", variables=ACCOUNT, hollow=True, fails="pulumi up")

    assert acted.jobs["aws"].steps["Remove the stack"] == "skipped"
    assert not [line for line in acted.called("pulumi", "aws") if line.startswith("destroy")]


def test_real_plugins_minio_and_aws() -> None:
    """The real plugins and servers are not available here, and every report of the suite says so."""
    pytest.skip(
        "real.yml was run with stand-ins for the plugins pulumi-minio and pulumi-aws, MinIO's image, AWS and OIDC: "
        "they are available only on GitHub's runners"
    )

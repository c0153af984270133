"""`object-store verify-job`: manifests that Kubernetes accepts, that hold no secret, and that run the suite."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from model.deployment import Deployment, KeyPair, build_deployment
from model.plan import build_plan
from model.taxonomy_file import load
from tests.console import command as console
from verify.manifests import (
    CONFIG_MAP_MAXIMUM_BYTES,
    IMAGE,
    NAME_MAXIMUM,
    job_manifests,
    job_name,
    placement,
    secret_manifest,
    to_yaml,
)
from verify.target import CannotRunError, credential_variables, target_from_file

main = console("verify-job")
BY_DIGEST = f"{IMAGE}@sha256:{64 * '0'}"

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PLANTED = "planted-Secret0123456789/abcdefghijklmnop"
VERSIONS = ["1.31.0", "1.34.0", kubernetes_validate.latest_version()]
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")

Render = Callable[..., str]


def deployment(*, ca_pem: str | None = CA, endpoint: str = "https://aistor-s3-api.aistor:443") -> Deployment:
    """The deployment that the stack `local` publishes on an AIStor."""
    plan = build_plan(load(), env="local", region_code="usw2", tls_only=True, where="x:")
    return build_deployment(
        plan,
        stack="local",
        cloud="aistor",
        region="us-east-1",
        endpoint=endpoint,
        provisioning_endpoint="https://localhost:31000",
        ca_pem=ca_pem,
    )


def pairs(published: Deployment) -> dict[str, KeyPair]:
    """A planted pair for each identity."""
    return {
        identity.name: KeyPair(access_key_id=f"KEY{n}", secret_access_key=SecretStr(f"{PLANTED}{n}"))
        for n, identity in enumerate(published.plan.identities)
    }


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> list[str]:
    """The options that name the deployment's file; its credentials are in the same folder."""
    published = deployment()
    (tmp_path / "deployment.json").write_text(published.model_dump_json(), encoding="utf-8")
    content = {
        name: {"access_key_id": p.access_key_id, "secret_access_key": p.secret_access_key.get_secret_value()}
        for name, p in pairs(published).items()
    }
    credentials = tmp_path / "credentials.json"
    credentials.touch(mode=0o600)
    credentials.write_text(json.dumps(content), encoding="utf-8")
    return ["job", "--deployment", str(tmp_path / "deployment.json")]


def by_kind(documents: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The objects of a kind."""
    return [document for document in documents if document["kind"] == kind]


def job_of(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The one Job."""
    (job,) = by_kind(documents, "Job")
    return job


class TestManifests:
    """The objects made from a deployment."""

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("ca_pem", [CA, None])
    def test_kubernetes_takes_them(self, version: str, ca_pem: str | None) -> None:
        """The objects follow the API's schemas strictly and have no unknown field."""
        published = deployment(ca_pem=ca_pem)
        place = placement(published.stack)
        documents = [*job_manifests(published, place), secret_manifest(pairs(published), published, place)]
        for document in documents:
            kubernetes_validate.validate(document, version, strict=True)

        broken = job_of(documents)
        broken["spec"]["template"]["spec"]["runAsNonRoot"] = True
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(broken, version, strict=True)

    def test_pod_is_confined(self) -> None:
        """Like the worker's pod, but stricter: no token, a read-only root file system, one writable folder."""
        pod = job_of(job_manifests(deployment(), placement("local")))["spec"]["template"]["spec"]
        (container,) = pod["containers"]

        assert "serviceAccountName" not in pod
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["imagePullSecrets"] == [{"name": "ghcr-pull"}]
        assert pod["tolerations"] == [
            {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}
        ]
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"] == {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        }
        writable = [mount for mount in container["volumeMounts"] if not mount.get("readOnly")]
        assert writable == [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - in the pod

    def test_job_runs_once(self) -> None:
        """The Job is not retried, has a deadline, and its log, which is the report, is kept for a day."""
        spec = job_of(job_manifests(deployment(), placement("local")))["spec"]

        assert spec["template"]["spec"]["restartPolicy"] == "Never"
        assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (
            0,
            3600,
            86400,
        )

    def test_each_identity_has_its_pair(self) -> None:
        """The pod has two variables for each identity, each from a key of the Secret, and no value in the Job."""
        published = deployment()
        place = placement("local", secret="store-keys")
        (container,) = job_of(job_manifests(published, place))["spec"]["template"]["spec"]["containers"]
        secret = secret_manifest(pairs(published), published, place)
        expected = [name for i in published.plan.identities for name in credential_variables(i.name)]

        assert len(expected) == 2 * len(published.plan.identities) > 0
        assert container["env"] == [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": "store-keys", "key": name}}} for name in expected
        ]
        assert secret["metadata"]["name"] == "store-keys"
        assert list(secret["data"]) == expected

    def test_ca_has_a_config_map_of_its_own(self) -> None:
        """The CA is mounted, the suite gets its path, and the deployment no longer contains it."""
        documents = job_manifests(deployment(), placement("local"))
        first, second = by_kind(documents, "ConfigMap")
        pod = job_of(documents)["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        arguments = container["args"]
        at = arguments[arguments.index("--ca-bundle") + 1]
        mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod["volumes"]}

        assert second["data"] == {"ca.pem": CA}
        assert json.loads(first["data"]["deployment.json"])["ca_pem"] is None
        assert volumes[mounted[at.removesuffix("/ca.pem")]]["configMap"]["name"] == second["metadata"]["name"]

    def test_no_ca_no_config_map(self) -> None:
        """A certificate of a public CA needs no CA ConfigMap."""
        documents = job_manifests(deployment(ca_pem=None), placement("local"))
        pod = job_of(documents)["spec"]["template"]["spec"]

        assert len(by_kind(documents, "ConfigMap")) == 1
        assert "--ca-bundle" not in pod["containers"][0]["args"]
        assert [volume["name"] for volume in pod["volumes"]] == ["tmp", "deployment"]

    def test_too_large_deployment_is_refused(self) -> None:
        """A deployment that is too large is refused before Kubernetes refuses it, with an alternative."""
        published = deployment().model_copy(update={"region": "x" * CONFIG_MAP_MAXIMUM_BYTES})

        with pytest.raises(CannotRunError, match=r"a ConfigMap holds at most 1048576: verify from .*--deployment FILE"):
            job_manifests(published, placement("local"))


class TestNames:
    """A name that Kubernetes would refuse is refused first."""

    @given(st.text(max_size=120))
    def test_any_stack_has_a_label(self, stack: str) -> None:
        """For any stack name, each object's name is a DNS label."""
        published = deployment().model_copy(update={"stack": stack})
        for document in job_manifests(published, placement(stack)):
            name = document["metadata"]["name"]
            assert LABEL.fullmatch(name), name
            assert len(name) <= NAME_MAXIMUM

    def test_stacks_do_not_meet(self) -> None:
        """Names that differ only in illegal characters give different labels; a legal name is unchanged."""
        stacks = ["local", "Local", "lo.cal", "lo-cal", "lo_cal", "a/b/local", "", "-", "x" * 80, "x" * 81]

        assert job_name("local") == "object-store-verify-local"
        assert len({job_name(stack) for stack in stacks}) == len(stacks)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"namespace": "Joel"}, "--namespace 'Joel' is not a legal name of a namespace: lower case"),
            ({"namespace": "a" * 64}, "at most 63"),
            ({"namespace": "a\nb: c"}, "--namespace"),
            ({"namespace": ""}, "--namespace"),
            ({"secret": "a_b"}, "--secret 'a_b' is not a legal name of a Secret"),
            ({"secret": ""}, "--secret"),
            ({"secret": "x;rm"}, "--secret"),
            ({"image": "ghcr.io/x/y"}, "with a tag or a digest"),
            ({"image": "ghcr.io/X/y:1"}, "--image"),
            ({"image": "ghcr.io/x/y:1\n"}, "--image"),
            ({"image": "ghcr.io/x/y@sha256:12"}, "--image"),
        ],
    )
    def test_bad_name_is_refused(self, options: dict[str, str], expected: str) -> None:
        """The error names the option and the legal values."""
        with pytest.raises(CannotRunError, match=re.escape(expected)):
            placement("local", **options)  # type: ignore[arg-type]  # one of the textual ones

    @pytest.mark.parametrize(
        "image",
        [
            "verify:1",
            "localhost:5000/verify:v1.2_3",
            f"ghcr.io/x/y@sha256:{'a' * 64}",
            f"x/y:1@sha256:{'0' * 64}",
            IMAGE,
        ],
    )
    def test_good_image_is_taken(self, image: str) -> None:
        """An image with a tag, a digest or both is accepted, from any registry."""
        assert placement("local", image=image).image == image


class TestYaml:
    """The printed YAML."""

    def test_comes_back(self) -> None:
        """A YAML reader gets back the same objects."""
        documents = job_manifests(deployment(), placement("local", options=("--jobs", "4", "-k", "y")))

        assert list(yaml.safe_load_all(to_yaml(documents))) == documents

    @pytest.mark.parametrize("text", ["1e3", "0x1F", "0o7", "-1e3", ".5", "y", "N", "on", "null", "~", "123", "1_000"])
    def test_text_stays_text(self, text: str) -> None:
        """Text stays text also for kubectl, which reads more texts as numbers and booleans than PyYAML."""
        assert re.search(r"x: (\"|')", to_yaml([{"x": text}]))

    def test_deployment_is_readable(self) -> None:
        """JSON and certificates keep their lines."""
        text = to_yaml(job_manifests(deployment(), placement("local")))

        assert "\n  ca.pem: |\n    -----BEGIN CERTIFICATE-----\n" in text
        assert '\n  deployment.json: |\n    {\n     "version": 1,\n' in text


class TestCommand:
    """`object-store verify-job`."""

    def test_prints_no_secret(self, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """No secret is in the objects, also if its variable is set in the environment."""
        assert main([*files, "--image", BY_DIGEST]) == 0
        said = capsys.readouterr()

        assert PLANTED in (tmp_path / "credentials.json").read_text(encoding="utf-8")
        assert PLANTED not in said.out + said.err
        assert b64encode(PLANTED[:30].encode()).decode() not in said.out
        assert [d["kind"] for d in yaml.safe_load_all(said.out)] == ["ConfigMap", "ConfigMap", "Job"]
        assert said.err == ""

    def test_says_how_to_go_on(self, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """The comments at the top name the Job, namespace and Secret, so that the lines can be pasted."""
        assert main([*files, "--namespace", "storage", "--secret", "store-keys"]) == 0
        said = capsys.readouterr().out

        assert (
            "#   object-store verify-job --secret-manifest --deployment FILE --credentials FILE --namespace storage "
            "--secret store-keys | kubectl apply --server-side -f -\n"
        ) in said
        assert "kubectl logs job/object-store-verify-local --namespace storage --follow" in said

    def test_pod_gets_the_options(self, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """The client endpoint is the default; options after `--` go to the suite."""
        assert main([*files, "--image", "x/y:1", "--", "--deep", "--jobs", "4"]) == 0
        (container,) = job_of(list(yaml.safe_load_all(capsys.readouterr().out)))["spec"]["template"]["spec"][
            "containers"
        ]

        assert container["image"] == "x/y:1"
        assert container["args"][2:4] == ["--via", "client"]
        assert container["args"][-3:] == ["--deep", "--jobs", "4"]

    def test_image_by_a_tag_is_warned_of(self, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """A tag can be moved, and the pod holds every key; the warning names the lines that find the digest."""
        assert main(files) == 0
        said = capsys.readouterr().err

        assert f"`docker buildx imagetools inspect {IMAGE}`" in said
        assert f"--image {IMAGE}@sha256:" in said

    def test_loopback_is_warned_of(self, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """A loopback endpoint gives a warning, because in a pod it is the pod."""
        assert main([*files, "--via", "provisioning"]) == 0

        assert (
            "the provisioning endpoint is https://localhost:31000; in a pod this address is the pod"
            in capsys.readouterr().err
        )

    def test_secret_is_piped(
        self, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the Secret the suite in the pod finds the stack's credentials; it is never printed to a terminal."""
        options = [*files, "--secret-manifest", "--credentials", str(tmp_path / "credentials.json")]
        assert main(options) == 0
        (secret,) = yaml.safe_load_all(capsys.readouterr().out)
        environ = {name: b64decode(value).decode() for name, value in secret["data"].items()}
        found = target_from_file(Path(files[2]), None, environ)

        assert found.credentials == pairs(deployment())

        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        assert main(options) == 2
        said = capsys.readouterr()
        assert PLANTED not in said.out + said.err
        assert "not printed to a terminal" in said.err

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["--namespace", "A"], "--namespace 'A'"),
            (["--credentials", "x"], "--credentials needs --secret-manifest"),
            (["--secret-manifest"], "no credentials for worker"),
        ],
    )
    def test_what_cannot_be_done_is_2(
        self, files: list[str], options: list[str], expected: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The error is one sentence, and standard output is empty, so that kubectl gets nothing."""
        assert main([*files, *options]) == 2
        said = capsys.readouterr()

        assert expected in said.err
        assert said.out == ""

    def test_stack_is_asked_for_no_secret(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`--show-secrets` is used only for the Secret."""
        published = deployment()
        content = {
            name: {"access_key_id": p.access_key_id, "secret_access_key": p.secret_access_key.get_secret_value()}
            for name, p in pairs(published).items()
        }
        outputs = {
            "shown.json": {"deployment": json.loads(published.model_dump_json()), "credentials": content},
            "hidden.json": {"deployment": json.loads(published.model_dump_json()), "credentials": "[secret]"},
        }
        for name, output in outputs.items():
            (tmp_path / name).write_text(json.dumps(output), encoding="utf-8")
        program = tmp_path / "pulumi"
        program.write_text(
            '#!/bin/sh\ncase "$*" in *--show-secrets*) f=shown.json ;; *) f=hidden.json ;; esac\n'
            'exec cat "$(dirname "$0")/$f"\n',
            encoding="utf-8",
        )
        program.chmod(0o700)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

        assert main(["--stack", "local"]) == 0
        said = capsys.readouterr().out
        assert PLANTED not in said
        assert "--secret-manifest --stack local |" in said
        assert main(["--secret-manifest", "--stack", "local"]) == 0
        (secret,) = yaml.safe_load_all(capsys.readouterr().out)
        assert PLANTED in b64decode(secret["data"]["OBJECTSTORE_VERIFIER_SECRET_ACCESS_KEY"]).decode()


class TestCaBundle:
    """`--ca-bundle`, which gives the pod its CA."""

    def test_takes_the_place_of_the_deployments(self, files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """With the option the suite trusts that CA and no other."""
        monkeypatch.setattr("verify.target.read_ca_bundle", lambda *_: "other")
        credentials = Path(files[2]).with_name("credentials.json")

        assert target_from_file(Path(files[2]), credentials, ca_bundle=Path("x.pem")).deployment.ca_pem == "other"
        assert target_from_file(Path(files[2]), credentials).deployment.ca_pem == CA

    def test_no_certificate_is_refused(self, files: list[str], tmp_path: Path) -> None:
        """The error names the option and the file."""
        (tmp_path / "ca.pem").write_text("no certificate", encoding="ascii")
        credentials = Path(files[2]).with_name("credentials.json")

        with pytest.raises(CannotRunError, match=r"--ca-bundle .*ca\.pem: is not a readable PEM file"):
            target_from_file(Path(files[2]), credentials, ca_bundle=tmp_path / "ca.pem")

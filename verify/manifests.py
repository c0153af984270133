"""The Kubernetes objects that run the suite from a pod: two ConfigMaps, a Job, and separately a Secret.

The rule: only `secret_manifest` handles credentials. The Job names the Secret's keys, one pair for each identity of the
plan. If one is missing, the pod does not start and Kubernetes names the missing key. The suite gets them from its
environment: root owns a mounted Secret, so the pod's user cannot read it, and with `fsGroup` a group can read it, which
the suite refuses. Pure: values in, plain dictionaries out; `verify.job` gets the values.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from model.deployment import Deployment, KeyPair
from model.plan import IdentityPlan
from verify.target import CannotRunError, Via, credential_variables

NAMESPACE = "joelclaw"
IMAGE = "ghcr.io/joelhooks/object-store-verify:0.1.0"
PULL_SECRET = "ghcr-pull"  # noqa: S105 - a Secret's name
APP = "object-store-verify"
USER_ID = 1000
#: What a container of ours may not do.
CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
DEADLINE_SECONDS = 3600
# Kubernetes removes the log, which is the report, with the Job; the usual 300 s are too short to read it in time.
KEEP_SECONDS = 24 * 3600
# After the deadline the suite still removes its probes from every bucket.
SWEEP_SECONDS = 120
NAME_MAXIMUM = 63
_SECRET_NAME_MAXIMUM = 253
# https://kubernetes.io/docs/concepts/configuration/configmap/#motivation
CONFIG_MAP_MAXIMUM_BYTES = 1024 * 1024
_DEPLOYMENT_FOLDER = "/etc/object-store-verify/deployment"
_CA_FOLDER = "/etc/object-store-verify/ca"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_FORM = re.compile(_LABEL)
_SUBDOMAIN_FORM = re.compile(rf"{_LABEL}(\.{_LABEL})*")
# https://pkg.go.dev/github.com/distribution/reference: [HOST[:PORT]/]PATH, then a tag, a digest or both.
_IMAGE_FORM = re.compile(
    r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?/)?"
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})"
)
# PyYAML writes these as text without quotes, but kubectl reads them as a number or a boolean (1e3, y).
_OTHERWISE_READ = re.compile(r"[-+.]?[0-9].*|[yYnN]")


@dataclass(frozen=True)
class Placement:
    """The names, the image and the options of the Job.

    Attributes:
        name: The name of the Job, a DNS label; the ConfigMaps' names begin with it.
        namespace: The namespace of all objects.
        secret: The name of the Secret with the credentials.
        image: The image, with a tag or a digest.
        via: Which of the deployment's endpoints to verify.
        options: Further options of the suite.
    """

    name: str
    namespace: str
    secret: str
    image: str = IMAGE
    via: Via = "client"
    options: tuple[str, ...] = ()


def placement(
    stack: str,
    *,
    namespace: str = NAMESPACE,
    secret: str | None = None,
    image: str = IMAGE,
    via: Via = "client",
    options: Sequence[str] = (),
) -> Placement:
    """Name everything after a stack.

    Args:
        stack: The stack's name, in any form.
        namespace: An existing namespace.
        secret: The Secret's name; None for the Job's name.
        image: An image with a tag or a digest.
        via: Which of the deployment's endpoints to verify.
        options: Further options of the suite.

    Raises:
        CannotRunError: Kubernetes would refuse a name; the message says which, and what is legal.
    """
    label = f"lower case letters, digits and hyphens, at most {NAME_MAXIMUM} (joelclaw)"
    if not _LABEL_FORM.fullmatch(namespace) or len(namespace) > NAME_MAXIMUM:
        raise CannotRunError(f"--namespace {namespace!r} is not a legal name of a namespace: {label}")
    if secret is not None and (not _SUBDOMAIN_FORM.fullmatch(secret) or len(secret) > _SECRET_NAME_MAXIMUM):
        raise CannotRunError(
            f"--secret {secret!r} is not a legal name of a Secret: lower case letters, digits, hyphens, dots, at most "
            f"{_SECRET_NAME_MAXIMUM} ({APP})"
        )
    if not _IMAGE_FORM.fullmatch(image):
        raise CannotRunError(
            f"--image {image!r} is not a complete image name: HOST/PATH with a tag or a digest ({IMAGE}, or …@sha256:…)"
        )
    name = job_name(stack)
    return Placement(name, namespace, secret or name, image, via, tuple(options))


def job_name(stack: str) -> str:
    """A DNS label for a stack, different for each stack: a digest replaces what a label cannot hold.

    >>> job_name("local")
    'object-store-verify-local'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", stack.lower()).strip("-")
    name = f"{APP}-{plain}"
    if plain and plain == stack and len(name) <= NAME_MAXIMUM:
        return name
    digest = hashlib.sha256(stack.encode()).hexdigest()[:8]
    return f"{name[: NAME_MAXIMUM - len(digest) - 1].rstrip('-')}-{digest}"


def job_manifests(deployment: Deployment, place: Placement) -> list[dict[str, Any]]:
    """The ConfigMap of the deployment, the ConfigMap of its CA if it has one, and the Job; none holds a secret.

    Raises:
        CannotRunError: The deployment is larger than a ConfigMap can be.
    """
    # The CA has its own ConfigMap: it changes independently of the deployment, and other workloads mount it too.
    content = deployment.model_copy(update={"ca_pem": None}).model_dump_json(indent=1) + "\n"
    if len(content.encode()) > CONFIG_MAP_MAXIMUM_BYTES:
        raise CannotRunError(
            f"the deployment has {len(content.encode())} bytes, a ConfigMap holds at most {CONFIG_MAP_MAXIMUM_BYTES}: "
            "verify from outside the cluster with `python -m verify --deployment FILE`"
        )
    maps = [_config_map(place, place.name, {"deployment.json": content})]
    if deployment.ca_pem is not None:
        maps.append(_config_map(place, _ca_name(place), {"ca.pem": deployment.ca_pem}))
    return [*maps, _job(deployment, place)]


def secret_manifest(credentials: Mapping[str, KeyPair], deployment: Deployment, place: Placement) -> dict[str, Any]:
    """The Secret that the Job reads: two entries for each identity of the plan that has a key pair."""
    entries: dict[str, str] = {}
    for identity in _with_keys(deployment):
        pair = credentials[identity.name]
        values = (pair.access_key_id, pair.secret_access_key.get_secret_value())
        # In base64, because `stringData` does not work well with server-side apply:
        # https://kubernetes.io/docs/tasks/configmap-secret/managing-secret-using-config-file/
        encoded = [b64encode(value.encode()).decode() for value in values]
        entries |= zip(credential_variables(identity.name), encoded, strict=True)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(place, place.secret),
        "type": "Opaque",
        "data": entries,
    }


def _with_keys(deployment: Deployment) -> list[IdentityPlan]:
    """The identities that have a key pair; a role has none."""
    return [identity for identity in deployment.plan.identities if identity.name not in deployment.roles]


def to_yaml(documents: Sequence[Mapping[str, Any]]) -> str:
    """One YAML stream with several documents."""
    return "".join(
        f"---\n{yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)}"
        for document in documents
    )


def _ca_name(place: Placement) -> str:
    # Shortened, so that the longest stack name leaves room for the suffix.
    return f"{place.name[: NAME_MAXIMUM - len('-ca')].rstrip('-')}-ca"


def _metadata(place: Placement, name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": APP, "app.kubernetes.io/instance": place.name}
    return {"name": name, "namespace": place.namespace, "labels": labels}


def _config_map(place: Placement, name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(place, name), "data": data}


def _job(deployment: Deployment, place: Placement) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(place, place.name),
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "template": {
                "metadata": {"labels": _metadata(place, place.name)["labels"]},
                "spec": _pod(deployment, place),
            },
        },
    }


def _pod(deployment: Deployment, place: Placement) -> dict[str, Any]:
    """Like the worker's pod, but it writes only to /tmp and has no token of the cluster."""
    volumes: list[dict[str, Any]] = [
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        {"name": "deployment", "configMap": {"name": place.name}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own folder, empty when it starts
        {"name": "deployment", "mountPath": _DEPLOYMENT_FOLDER, "readOnly": True},
    ]
    arguments = ["--deployment", f"{_DEPLOYMENT_FOLDER}/deployment.json", "--via", place.via]
    if deployment.ca_pem is not None:
        volumes.append({"name": "ca", "configMap": {"name": _ca_name(place)}})
        mounts.append({"name": "ca", "mountPath": _CA_FOLDER, "readOnly": True})
        arguments += ["--ca-bundle", f"{_CA_FOLDER}/ca.pem"]
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": SWEEP_SECONDS,
        "imagePullSecrets": [{"name": PULL_SECRET}],
        "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "verify",
                "image": place.image,
                "imagePullPolicy": "Always",
                "args": [*arguments, *place.options],
                "env": [
                    {"name": variable, "valueFrom": {"secretKeyRef": {"name": place.secret, "key": variable}}}
                    for identity in _with_keys(deployment)
                    for variable in credential_variables(identity.name)
                ],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "256Mi"},
                    "limits": {"cpu": "1", "memory": "1Gi"},
                },
                "securityContext": CONFINED,
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }


class _Dumper(yaml.SafeDumper):
    """Private to this module: keeps text of several lines literal, and quotes text that kubectl reads as a number."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else '"' if _OTHERWISE_READ.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)

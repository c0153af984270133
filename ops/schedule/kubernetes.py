"""The CronJobs of a machine whose files are on volumes of a cluster. Pure.

The rule: no secret is printed. A pod mounts what `keys deliver --to kubernetes` applied, as files of one folder, and
what it archives and remembers is on volumes that outlive it. A run that hangs is ended, because `Forbid` would keep all
later ones away; a start that was missed for longer than the deadline is left, so the controller never counts to 100.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from model.problems import InvalidInputError, Problem, key_path
from ops.keys.targets.kubernetes import CA_FOLDER, object_name
from ops.schedule.jobs import ZONE, Job
from verify.manifests import APP, CONFINED, PULL_SECRET, USER_ID, Placement
from workloads.needs import NEEDS
from workloads.settings import Encryption, Workloads

CONFIG_FOLDER: Final = "/etc/object-store"
CONFIG_KEY: Final = "workloads.yaml"
OWN_FOLDERS: Final = (CONFIG_FOLDER, CA_FOLDER, "/tmp")  # noqa: S108 - the pod's own folder, empty when it starts
"""What a pod mounts besides the claims."""
NAME_MAXIMUM: Final = 52
"""Kubernetes adds eleven characters to the name of a CronJob to name its Jobs."""
_START_SECONDS: Final = 4 * 3600
"""The last job is due before 06:00, so none starts later than 10:00."""
_KEEP_SECONDS: Final = 7 * 24 * 3600
_TRIES_AGAIN: Final = 2


@dataclass(frozen=True)
class Pods:
    """Where the CronJobs run.

    Attributes:
        place: The namespace and the image.
        claims: The name of the claim that is mounted at each path.
        settings: The configuration, with the paths of the pod.
        where: Its name in messages.
    """

    place: Placement
    claims: Mapping[str, str]
    settings: Workloads
    where: str


def check_volumes(pods: Pods, roots: Mapping[str, str]) -> None:
    """Refuse a path that is on no volume: what a pod writes elsewhere ends with it.

    Args:
        pods: Where the CronJobs run.
        roots: The path of each key of the configuration that names one.

    Raises:
        InvalidInputError: A path is on none; the error names its key.
    """
    wrong = [
        Problem(
            key_path(pods.where, key),
            f"{path} is on no volume of the pod",
            ", ".join(pods.claims) or "an absolute path below that of a claim, or null",
            f"--claim {path if path.startswith('/') else f'/data/{key}'}=CLAIM",
        )
        for key, path in roots.items()
        if not _mounts(pods, path)
    ]
    if wrong:
        raise InvalidInputError(wrong)


def paths_of(settings: Workloads, workload: str, roots: Mapping[str, str]) -> dict[str, str]:
    """The path of each key that a workload needs, as it is written."""
    files = {}
    if isinstance(settings.encryption, Encryption):
        held = settings.encryption
        found = {"recipients_file": held.recipients_file, "identity": held.identity}
        files = {f"encryption.{name}": path for name, path in found.items() if path is not None}
    window = getattr(settings.window, workload, None)
    nas = {f"window.{workload}.nas": window.nas} if window is not None else {}
    return {"state": settings.state, "receipts": settings.receipts} | files | nas | dict(roots)


def manifests(jobs: Sequence[Job], pods: Pods, paths: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """The ConfigMap with the configuration, and a CronJob for each job.

    Args:
        jobs: What runs.
        pods: Where.
        paths: The path of each key that names one, by workload.
    """
    return [config_map(pods), *(_cron_job(job, pods, paths[job.workload]) for job in jobs)]


def config_map(pods: Pods, job: str = "") -> dict[str, Any]:
    """The configuration of all jobs of a machine, or of one of them."""
    content = pods.settings.model_dump_json(exclude_unset=True, exclude={"store"}, indent=1)  # JSON is YAML
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata_of(pods, job),
        "data": {CONFIG_KEY: f"{content}\n"},
    }


def _cron_job(job: Job, pods: Pods, paths: Mapping[str, str]) -> dict[str, Any]:
    days = ",".join(map(str, job.weekdays)) or "*"
    metadata = metadata_of(pods, job.name)
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata,
        "spec": {
            "schedule": f"{job.minute} {job.hour} * * {days}",
            "timeZone": ZONE,
            "startingDeadlineSeconds": _START_SECONDS,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 7,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": _TRIES_AGAIN,
                    "activeDeadlineSeconds": job.limit_hours * 3600,
                    "ttlSecondsAfterFinished": _KEEP_SECONDS,
                    # 1 is an answer: the same run again would give the same. 2 could not run, and is tried again.
                    "podFailurePolicy": {
                        "rules": [
                            {
                                "action": "FailJob",
                                "onExitCodes": {"containerName": "run", "operator": "In", "values": [1]},
                            }
                        ]
                    },
                    "template": {"metadata": {"labels": metadata["labels"]}, "spec": pod_of(job, pods, paths)},
                }
            },
        },
    }


def pod_of(job: Job, pods: Pods, paths: Mapping[str, str], config: str = "") -> dict[str, Any]:
    """The pod of a job.

    Args:
        job: What runs.
        pods: Where.
        paths: The path of each key that names one.
        config: The job whose configuration it has; empty for that of the machine.
    """
    writes = ("state", "receipts", f"window.{job.workload}.nas")
    written = {_mounts(pods, path) for key, path in paths.items() if key in writes}
    used = sorted({_mounts(pods, path) for path in paths.values()})
    given = object_name(NEEDS[job.workload].identity)
    volumes: list[dict[str, Any]] = [
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        {"name": "config", "configMap": {"name": _named(pods, config)}},
        {
            "name": "store",
            "projected": {
                "defaultMode": 0o440,
                "sources": [{"configMap": {"name": given}}, {"secret": {"name": given}}],
            },
        },
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own folder, empty when it starts
        {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
        {"name": "store", "mountPath": CA_FOLDER, "readOnly": True},
    ]
    for number, path in enumerate(used):
        volumes.append({"name": f"data-{number}", "persistentVolumeClaim": {"claimName": pods.claims[path]}})
        mounts.append({"name": f"data-{number}", "mountPath": path} | ({} if path in written else {"readOnly": True}))
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 60,
        "imagePullSecrets": [{"name": PULL_SECRET}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "run",
                "image": pods.place.image,
                "command": ["object-store", *job.words, "--store", CA_FOLDER],
                "env": [
                    {"name": "HOME", "value": "/tmp"},  # noqa: S108 - likewise
                    {"name": "LANG", "value": "C.UTF-8"},
                    {"name": "OBJECT_STORE_WORKLOADS", "value": f"{CONFIG_FOLDER}/{CONFIG_KEY}"},
                ],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "256Mi"},
                    "limits": {"cpu": "2", "memory": "1Gi"},
                },
                "securityContext": CONFINED,
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }


def _mounts(pods: Pods, path: str) -> str:
    """The path of the claim that holds a path, the longest that does; empty for none."""
    holding = [one for one in pods.claims if path == one or path.startswith(f"{one.rstrip('/')}/")]
    return max(holding, key=len, default="")


def _named(pods: Pods, job: str) -> str:
    """The name of an object: machine and job, cut where Kubernetes has a limit."""
    name = "-".join(filter(None, ("object-store", pods.settings.machine, job)))
    if len(name) <= NAME_MAXIMUM:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: NAME_MAXIMUM - len(digest) - 1].rstrip('-')}-{digest}"


def metadata_of(pods: Pods, job: str) -> dict[str, Any]:
    """The name, the namespace and the labels of what belongs to a job; of all jobs if it is empty."""
    name = _named(pods, job)
    labels = {"app.kubernetes.io/name": APP.removesuffix("-verify"), "app.kubernetes.io/instance": name}
    return {"name": name, "namespace": pods.place.namespace, "labels": labels}

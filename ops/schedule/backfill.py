"""`object-store documents job`: prints an Indexed Job whose pods each store one shard of a tree.

The rule: a pod knows its shard from its index, remembers nothing that it needs, and mounts the tree for reading. A
shard that ends with 1 has an answer, and is not tried again; one that could not run is, without the others.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem
from model.terminal_text import printable
from ops.schedule.command import claims_of, image_of
from ops.schedule.jobs import Job
from ops.schedule.kubernetes import Pods, check_volumes, config_map, metadata_of, pod_of
from verify.manifests import placement, to_yaml
from verify.target import CannotRunError
from workloads.documents.shard import SHARDS_MAXIMUM
from workloads.settings import load

_NAME: Final = "documents-backfill"
_TRIES_AGAIN: Final = 3
_LIMIT_SECONDS: Final = 7 * 24 * 3600
_KEEP_SECONDS: Final = 7 * 24 * 3600
_AT_ONCE: Final = 8


@dataclass(frozen=True)
class JobOptions:
    """The options of the command.

    Attributes:
        root: The tree, as the pods see it.
        shards: Into how many parts it is divided.
        image: The image of the pods.
        namespace: Of the Job.
        claims: `PATH=CLAIM` for the volume of the tree.
        config: `workloads.yaml`; None for the default.
    """

    root: Path
    shards: int
    image: str | None
    namespace: str
    claims: Sequence[str]
    config: Path | None = None


def run(options: JobOptions) -> ExitCode:
    """Print the ConfigMap and the Job."""
    try:
        documents = _documents(options)
    except (InvalidInputError, CannotRunError) as error:
        sys.stderr.write(f"{printable(error)}\n")
        return ExitCode.CANNOT
    sys.stdout.write(_HEADER.format(namespace=options.namespace) + to_yaml(documents))
    return ExitCode.DONE


def _documents(options: JobOptions) -> list[dict[str, Any]]:
    if options.shards > SHARDS_MAXIMUM:
        legal = f"1 to {SHARDS_MAXIMUM}"
        raise InvalidInputError([Problem("--shards", f"{options.shards} are too many", legal, "--shards 8")])
    place = placement("schedule", namespace=options.namespace, image=image_of(options.image))
    settings, where = load(options.config, os.environ)
    # Nothing of an earlier run is needed: what the store has decides, and the receipts go there.
    pods = Pods(
        place,
        claims_of(options.claims),
        settings.model_copy(update={"state": "/tmp/state", "receipts": "/tmp/receipts"}),  # noqa: S108 - the pod's own
        where,
    )
    paths = {"documents job ROOT": str(options.root)}
    check_volumes(pods, paths)
    words = ("documents", "backfill", str(options.root), "--shard", f"index/{options.shards}")
    job = Job("documents", _NAME, words, 0, 0)
    metadata = metadata_of(pods, _NAME)
    spec = {
        "completionMode": "Indexed",
        "completions": options.shards,
        "parallelism": min(options.shards, _AT_ONCE),
        "backoffLimitPerIndex": _TRIES_AGAIN,
        "activeDeadlineSeconds": _LIMIT_SECONDS,
        "ttlSecondsAfterFinished": _KEEP_SECONDS,
        "podFailurePolicy": {
            "rules": [
                {"action": "FailIndex", "onExitCodes": {"containerName": "run", "operator": "In", "values": [1]}},
                # A node that is drained says nothing about the shard.
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]
        },
        "template": {"metadata": {"labels": metadata["labels"]}, "spec": pod_of(job, pods, paths, config=_NAME)},
    }
    return [
        config_map(pods, _NAME),
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec},
    ]


_HEADER: Final = """\
# Stores a tree of documents in shards. Written by `object-store documents job`; it holds no secret.
# The pods mount what this applies for the identity worker, so do it first:
#   object-store keys deliver --stack STACK --identity IDENTITY --to kubernetes --namespace {namespace}
"""

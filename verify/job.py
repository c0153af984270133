"""`object-store verify-job`: prints the Kubernetes objects that run the suite from a pod.

The rule: the output holds no secret, so it may be committed, and no secret is read from the stack for it. With
`--secret-manifest` it prints only the Secret, and never to a terminal. It does not contact a cluster: `kubectl` does.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from model.deployment import Deployment
from model.exit_codes import ExitCode
from model.secrecy.output_guard import reveal
from model.terminal_text import printable
from verify.manifests import IMAGE, NAMESPACE, Placement, job_manifests, placement, secret_manifest, to_yaml
from verify.target import (
    CannotRunError,
    Via,
    deployment_in_file,
    deployment_of_stack,
    published_by_stack,
    published_in_files,
)

_APPLY = "kubectl apply --server-side -f -"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class JobOptions:
    """The options of the command.

    Attributes:
        stack: The stack whose outputs are read; or
        deployment: A file with a published deployment.
        image: The image that the Job runs.
        namespace: The namespace of the Job.
        secret: The name of the Secret with the credentials; None for the Job's name.
        via: Which of the deployment's endpoints to verify.
        secret_manifest: Print the Secret instead.
        credentials: With `secret_manifest` and `deployment`: key pairs as JSON; None for the environment's.
        suite: Further options for the suite in the pod.
    """

    stack: str | None = None
    deployment: Path | None = None
    image: str = IMAGE
    namespace: str = NAMESPACE
    secret: str | None = None
    via: Via = "client"
    secret_manifest: bool = False
    credentials: Path | None = None
    suite: Sequence[str] = ()


def run(options: JobOptions) -> ExitCode:
    """Print the manifests."""
    try:
        if options.secret_manifest:
            reveal(_secret(options))
        else:
            sys.stdout.write(_job(options))
    except CannotRunError as error:
        sys.stderr.write(f"object-store verify-job: {printable(error)}\n")
        return ExitCode.CANNOT
    return ExitCode.DONE


def _secret(options: JobOptions) -> str:
    if sys.stdout.isatty():
        raise CannotRunError(f"the Secret is not printed to a terminal; pipe it: … | {_APPLY}")
    file = _file(options)
    if file is not None:
        published = published_in_files(file, options.credentials)
    else:
        published = published_by_stack(str(options.stack))
    deployment = published.deployment
    return to_yaml([secret_manifest(published.credentials, deployment, _placement(options, deployment))])


def _job(options: JobOptions) -> str:
    if options.credentials is not None:
        raise CannotRunError("--credentials needs --secret-manifest: the Job reads the credentials from the Secret")
    file = _file(options)
    deployment = deployment_in_file(file) if file is not None else deployment_of_stack(str(options.stack))
    place = _placement(options, deployment)
    endpoint = deployment.endpoint if place.via == "client" else deployment.provisioning_endpoint
    if endpoint is not None and urlsplit(endpoint).hostname in _LOOPBACK:
        sys.stderr.write(
            f"warning: the {place.via} endpoint is {endpoint}; in a pod this address is the pod itself; run "
            "`pulumi config set object-store:clientEndpoint https://aistor-s3-api.aistor:443` and `pulumi up`\n"
        )
    if "@sha256:" not in place.image:
        sys.stderr.write(
            f"warning: {place.image} is a tag, which can be moved to another image, and the Job holds every "
            f"identity's key; run `docker buildx imagetools inspect {place.image}` and give its digest: "
            f"--image {place.image}@sha256:…\n"
        )
    return _header(options, place) + to_yaml(job_manifests(deployment, place))


def _placement(options: JobOptions, deployment: Deployment) -> Placement:
    return placement(
        deployment.stack,
        namespace=options.namespace,
        secret=options.secret,
        image=options.image,
        via=options.via,
        options=options.suite,
    )


def _file(options: JobOptions) -> Path | None:
    """The file to read; None if a stack is read.

    Raises:
        CannotRunError: Neither source is given, or both are.
    """
    if (options.stack is None) == (options.deployment is None):
        raise CannotRunError("give exactly one of --stack NAME and --deployment FILE")
    return options.deployment


def _header(options: JobOptions, place: Placement) -> str:
    """Comments that say how to use the manifests; every name in them was validated."""
    source = f"--stack {options.stack}" if options.stack else "--deployment FILE --credentials FILE"
    if options.namespace != NAMESPACE:
        source += f" --namespace {place.namespace}"
    if options.secret is not None:
        source += f" --secret {place.secret}"
    name, within = place.name, f"--namespace {place.namespace}"
    return f"""\
# Verifies the store from a pod. Written by `object-store verify-job`; it holds no secret.
# First, and again after each change of keys, apply the Secret that the Job reads:
#   object-store verify-job --secret-manifest {source} | {_APPLY}
# Then run the Job and read its log (a Job does not run twice, so delete the previous one first):
#   kubectl delete job {name} {within} --ignore-not-found
#   {_APPLY.removesuffix("-")}FILE
#   kubectl logs job/{name} {within} --follow --pod-running-timeout=5m
"""

"""`python -m verify job`: prints the Kubernetes objects that run the suite from a pod.

The rule: what it prints holds no secret, so it may be committed; with `--secret-manifest` it prints the Secret alone,
and never to a terminal. No secret is asked of the stack for the former. It talks to no cluster: `kubectl` does.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from model.deployment import Deployment
from model.secrecy.output_guard import reveal
from verify.manifests import IMAGE, NAMESPACE, Placement, job_manifests, placement, secret_manifest, to_yaml
from verify.target import (
    CannotRunError,
    deployment_in_file,
    deployment_of_stack,
    published_by_stack,
    published_in_files,
)

_APPLY = "kubectl apply --server-side -f -"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def main(arguments: Sequence[str]) -> int:
    """Print the manifests; 0 printed, 2 not."""
    own, suites = list(arguments), []
    if "--" in own:
        at = own.index("--")
        own, suites = own[:at], own[at + 1 :]
    parser = _parser()
    options = parser.parse_args(own)
    try:
        if options.secret_manifest:
            reveal(_secret(options))
        else:
            sys.stdout.write(_job(options, suites))
    except CannotRunError as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 2
    return 0


def _secret(options: argparse.Namespace) -> str:
    if sys.stdout.isatty():
        raise CannotRunError(f"the Secret is not shown on a terminal; pipe it: … | {_APPLY}")
    if options.stack is not None:
        published = published_by_stack(options.stack)
    else:
        published = published_in_files(options.deployment, options.credentials)
    deployment = published.deployment
    return to_yaml([secret_manifest(published.credentials, deployment, _placement(options, deployment))])


def _job(options: argparse.Namespace, suites: Sequence[str]) -> str:
    if options.credentials is not None:
        raise CannotRunError("--credentials goes with --secret-manifest: the Job takes them from the Secret")
    if options.stack is not None:
        deployment = deployment_of_stack(options.stack)
    else:
        deployment = deployment_in_file(options.deployment)
    place = _placement(options, deployment, suites)
    endpoint = deployment.endpoint if place.via == "client" else deployment.provisioning_endpoint
    if endpoint is not None and urlsplit(endpoint).hostname in _LOOPBACK:
        sys.stderr.write(
            f"warning: the {place.via} endpoint is {endpoint}, which in a pod is the pod itself; run "
            "`pulumi config set object-store:clientEndpoint https://aistor-s3-api.aistor:443` and `pulumi up`\n"
        )
    return _header(options, place) + to_yaml(job_manifests(deployment, place))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m verify job",
        description="Print a Kubernetes Job that verifies from a pod, with its ConfigMaps. No secret is in it.",
        epilog="What follows -- goes to the suite in the pod: -- --deep --jobs 4",
        allow_abbrev=False,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--stack", metavar="NAME", help="the stack's outputs, read by the pulumi on the path")
    source.add_argument("--deployment", metavar="FILE", type=Path, help="a published deployment")
    parser.add_argument("--image", default=IMAGE, help="default: %(default)s")
    parser.add_argument("--namespace", metavar="NAME", default=NAMESPACE, help="default: %(default)s")
    parser.add_argument("--secret", metavar="NAME", help="the Secret with the credentials (default: the Job's name)")
    parser.add_argument(
        "--via", choices=["client", "provisioning"], default="client", help="endpoint to verify (default: %(default)s)"
    )
    parser.add_argument(
        "--secret-manifest", action="store_true", help="print the Secret instead; not to a terminal, pipe it"
    )
    parser.add_argument(
        "--credentials",
        metavar="FILE",
        type=Path,
        help="with --secret-manifest and --deployment: key pairs as JSON, mode 0600; without: from the environment",
    )
    return parser


def _placement(options: argparse.Namespace, deployment: Deployment, suites: Sequence[str] = ()) -> Placement:
    return placement(
        deployment.stack,
        namespace=options.namespace,
        secret=options.secret,
        image=options.image,
        via=options.via,
        options=suites,
    )


def _header(options: argparse.Namespace, place: Placement) -> str:
    """Comments that say what to do with it; every name in them was checked."""
    source = f"--stack {options.stack}" if options.stack else "--deployment FILE --credentials FILE"
    if options.namespace != NAMESPACE:
        source += f" --namespace {place.namespace}"
    if options.secret is not None:
        source += f" --secret {place.secret}"
    name, within = place.name, f"--namespace {place.namespace}"
    return f"""\
# Verifies the store from a pod. Made by `python -m verify job`; no secret in it.
# First, and again whenever keys were made anew, the Secret that it reads:
#   python -m verify job --secret-manifest {source} | {_APPLY}
# Then this, and what it says (a Job does not run twice: before the next time, delete it):
#   kubectl delete job {name} {within} --ignore-not-found
#   {_APPLY.removesuffix("-")}FILE
#   kubectl logs job/{name} {within} --follow --pod-running-timeout=5m
"""

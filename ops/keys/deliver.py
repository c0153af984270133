"""`object-store keys deliver --stack S --to TARGET`: delivers the key pairs of a stack to a target.

The command leaves values that are already correct unchanged and reports them. It can therefore be repeated: the next
run writes what an earlier one could not write. Afterwards it reads each identity's key pair back from the target and
tries it on the live store.

The rule: it delivers only the current pair, and never to a terminal, an argument or a log. It leaves out the creation
of keys (`rotate`).

Exit status: 0 delivered; 1 a write failed or a delivered key pair does not work; 2 it could not start.
"""

import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from rich.console import Console

from model.deployment import KeyPair
from model.exit_codes import ExitCode
from model.handover import Handover, Reach, handovers
from model.problems import InvalidInputError
from model.terminal_text import printable
from ops.keys.probe import works
from ops.keys.targets import aws_profile, minio_client, rclone
from ops.keys.targets.agent_secrets import AgentSecrets
from ops.keys.targets.as_json import AsJson
from ops.keys.targets.aws_profile import AwsProfile
from ops.keys.targets.dotenv import Dotenv
from ops.keys.targets.kubernetes import NAMESPACE, Kubernetes
from ops.keys.targets.minio_client import MinioClient
from ops.keys.targets.outcome import CannotDeliverError, Outcome, Target, UnfinishedDeliveryError
from ops.keys.targets.pulumi_esc import PulumiEsc
from ops.keys.targets.rclone import Rclone
from stack.outputs import Published, read_published
from stack.runner import EngineError

PROGRESS_AFTER_SECONDS = 2.0
TargetName = Literal["agent-secrets", "kubernetes", "dotenv", "aws-profile", "rclone", "mc", "pulumi-esc", "json"]
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_WITH_FILE = ("dotenv", "aws-profile", "rclone", "mc", "kubernetes", "pulumi-esc")
#: The targets that are a tool's own configuration, with its place under the home folder.
_TOOLS: Mapping[str, tuple[Callable[[Path], Target], Path]] = {
    "aws-profile": (AwsProfile, aws_profile.FILE),
    "rclone": (Rclone, rclone.FILE),
    "mc": (MinioClient, minio_client.FILE),
}


@dataclass(frozen=True)
class Delivery:
    """The options of a delivery.

    Attributes:
        stack: The stack's name.
        to: The target.
        identities: The identities whose key pairs are delivered; empty for all.
        reach: Where clients run; None for cluster with kubernetes, and host with the other targets.
        file: Write to this file; None for the file that the tool reads (aws-profile, rclone, mc).
        namespace: kubernetes: an existing namespace.
        context: kubernetes: a context; None for the current one.
        quiet: Show no progress.
    """

    stack: str
    to: TargetName
    identities: Sequence[str] = ()
    reach: Reach | None = None
    file: Path | None = None
    namespace: str | None = None
    context: str | None = None
    quiet: bool = False


def run(options: Delivery) -> ExitCode:
    """Check the target, read the stack, deliver, read back, and try the key pairs."""
    console = Console(stderr=True, quiet=options.quiet or not sys.stderr.isatty())
    try:
        target = _target(options)
        with _doing(console, f"checking {options.to}"):
            target.check()
        with _doing(console, f"reading stack {options.stack}"):
            published = read_published(options.stack)
        chosen, skipped = _chosen(published, options.identities)
        reach: Reach = options.reach or ("cluster" if options.to == "kubernetes" else "host")
        given = handovers(published.deployment, published.credentials, chosen, reach)
        _warn_of_loopback(given, in_pod=options.to == "kubernetes" or reach == "cluster")
        with _doing(console, f"delivering to {options.to}"):
            outcomes = target.deliver(given)
    except (CannotDeliverError, EngineError, InvalidInputError) as error:
        sys.stderr.write(f"{printable(error)}\nNothing was written.\n")
        return ExitCode.CANNOT
    except UnfinishedDeliveryError as error:
        sys.stderr.write(f"{options.to}: {printable(error)}\n  to complete it: {_again(options)}\n")
        return ExitCode.WRONG
    except KeyboardInterrupt:
        sys.stderr.write(
            f"interrupted; to see what {options.to} holds, and to complete the delivery: {_again(options)}\n"
        )
        return ExitCode.INTERRUPTED
    # Standard output may be the delivery itself.
    report = sys.stderr if _to_pipe(options) else sys.stdout
    report.write("".join(f"{line}\n" for line in _lines(outcomes, skipped)))
    failed = False
    for identity in chosen:
        with _doing(console, f"trying the key pair of {identity}"):
            why = _why_not(target, published, identity)
        failed = failed or why is not None
        if why is None:
            report.write(f"works      {identity}, as {options.to} holds it\n")
        else:
            sys.stderr.write(f"{identity}: the key pair in {options.to} does not work: {printable(why)}\n")
    return ExitCode.WRONG if failed else ExitCode.DONE


@contextmanager
def _doing(console: Console, what: str) -> Iterator[None]:
    """Show the current step if it takes longer than `PROGRESS_AFTER_SECONDS`."""
    status = console.status(what)
    timer = threading.Timer(PROGRESS_AFTER_SECONDS, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        status.stop()


def _target(options: Delivery) -> Target:
    """The target of the options; other options must fit it."""
    if options.file is not None and options.to not in _WITH_FILE:
        raise CannotDeliverError(f"--file works with {', '.join(_WITH_FILE)}, not with {options.to}")
    if options.to != "kubernetes" and (options.namespace is not None or options.context is not None):
        raise CannotDeliverError(f"--namespace and --context work with kubernetes, not with {options.to}")
    if options.to == "dotenv":
        if options.file is None:
            raise CannotDeliverError("dotenv needs a file: --file PATH")
        return Dotenv(options.file)
    if options.to in _TOOLS:
        made, place = _TOOLS[options.to]
        return made(options.file or Path.home() / place)
    if options.to == "kubernetes":
        return Kubernetes(options.namespace or NAMESPACE, options.context, options.file)
    if options.to == "pulumi-esc":
        return PulumiEsc(options.file)
    return AgentSecrets() if options.to == "agent-secrets" else AsJson()


def _warn_of_loopback(given: Sequence[Handover], *, in_pod: bool) -> None:
    endpoint = given[0].endpoint
    if in_pod and endpoint is not None and urlsplit(endpoint).hostname in _LOOPBACK:
        sys.stderr.write(
            f"warning: the delivered endpoint is {endpoint}, which in a pod is the pod itself; run "
            "`pulumi config set object-store:clientEndpoint https://aistor-s3-api.aistor:443` and `pulumi up`\n"
        )


def _chosen(published: Published, named: Sequence[str]) -> tuple[list[str], list[str]]:
    """The identities to deliver, and those that have no key pair.

    Raises:
        CannotDeliverError: A name is not an identity of the stack, or there is nothing to deliver.
    """
    planned = [identity.name for identity in published.deployment.plan.identities]
    unknown = [name for name in named if name not in planned]
    if unknown:
        raise CannotDeliverError(
            f"stack {published.deployment.stack} has no identity {', '.join(unknown)}; it has {', '.join(planned)}"
        )
    asked = [name for name in planned if not named or name in named]
    chosen = [name for name in asked if name in published.credentials]
    skipped = [name for name in asked if name not in published.credentials]
    if not chosen:
        raise CannotDeliverError(
            f"{', '.join(skipped) or 'no identity'}: the stack publishes no key pair (a role on AWS has none), so "
            "there is nothing to deliver"
        )
    return chosen, skipped


def _why_not(target: Target, published: Published, identity: str) -> str | None:
    """Why the key pair that the target holds does not work; None if it works."""
    try:
        held = target.held(identity)
    except CannotDeliverError as error:
        return str(error)
    if _clear(held) != _clear(published.credentials[identity]):
        return "it is not the key pair that the stack publishes"
    return works(published.deployment, identity, held)


def _clear(pair: KeyPair) -> tuple[str, str]:
    return pair.access_key_id, pair.secret_access_key.get_secret_value()


def _lines(outcomes: Sequence[Outcome], skipped: Sequence[str]) -> list[str]:
    lines = [f"{outcome.change:<10} {outcome.name}" for outcome in outcomes]
    return lines + [f"skipped    {name}: the stack publishes no key pair for it" for name in skipped]


def _to_pipe(options: Delivery) -> bool:
    return options.to == "json" or (options.to == "pulumi-esc" and options.file is None)


def _again(options: Delivery) -> str:
    """The command line that completes a delivery."""
    words = ["object-store", "keys", "deliver", "--stack", options.stack, "--to", options.to]
    words += [word for name in options.identities for word in ("--identity", name)]
    rest: Mapping[str, object] = {
        "--from": options.reach,
        "--namespace": options.namespace,
        "--context": options.context,
        "--file": options.file,
    }
    words += [word for name, value in rest.items() if value is not None for word in (name, str(value))]
    return shlex.join(words)

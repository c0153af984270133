"""Where a workload's store is: the server, the key pair, and the bucket of each domain, as `keys deliver` wrote them.

The rule: a bucket's name is read, never built. Three forms are read: a file of variables (`--to dotenv`), a folder with
a file for each variable (a mounted Secret or ConfigMap), and a published deployment with its credentials. Without any,
the process's own environment counts, as in a pod (`--to kubernetes`).
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from model.handover import BUCKETS, SECRET_ACCESS_KEY, SESSION_TOKEN, handovers
from model.problems import InvalidInputError, Problem
from model.secrecy.redaction import keep_secret
from model.written import read_written, text_of
from model.written_json import parse_json, read_json_file
from object_store import ConfigurationError, StoreConfig
from stack.outputs import parse_published
from workloads.needs import Need

_DELIVER = "object-store keys deliver --stack STACK --identity {identity} --to dotenv --file FILE"
_FILE_BYTES_MAXIMUM = 2**20


@dataclass(frozen=True)
class Place:
    """A store that a workload may use.

    Attributes:
        config: The server and the key pair.
        buckets: The name of each granted bucket, by domain.
        source: Where this was read, for messages.
    """

    config: StoreConfig
    buckets: Mapping[str, str]
    source: str

    def bucket(self, domain: str) -> str:
        """The bucket of a domain.

        Raises:
            InvalidInputError: The identity has no grant on it.
        """
        if domain not in self.buckets:
            known = ", ".join(sorted(self.buckets)) or "none"
            raise InvalidInputError(
                [
                    Problem(
                        f"{self.source}: {BUCKETS}", f"names no bucket of {domain}", known, "the file of its identity"
                    )
                ]
            )
        return self.buckets[domain]


def place_of(path: Path | None, need: Need, environ: Mapping[str, str], credentials: Path | None = None) -> Place:
    """Read where a workload's store is.

    Args:
        path: A file of variables, a folder of them, or (with `credentials`) a published deployment; None for the
            process's environment.
        need: What the workload needs.
        environ: The process's environment.
        credentials: The file with the stack's output `credentials`.

    Raises:
        InvalidInputError: It is missing, or is not what `keys deliver` writes.
    """
    if credentials is not None and path is not None:
        return _published(path, credentials, need)
    if path is None:
        return _from_variables(dict(environ), "the environment", need)
    if path.is_dir():
        return _from_variables(_of_folder(path), str(path), need)
    text = text_of(read_written(path, str(path), _FILE_BYTES_MAXIMUM), str(path))
    values = {
        name: value
        for name, value in dotenv_values(stream=io.StringIO(text), interpolate=False).items()
        if value is not None
    }
    proxies = {name: value for name, value in environ.items() if name.upper().endswith("_PROXY")}
    return _from_variables({**proxies, **values}, str(path), need)


def _of_folder(path: Path) -> dict[str, str]:
    """The variables of a mounted Secret or ConfigMap; its own links begin with two dots."""
    values = {}
    for each in sorted(path.iterdir()):
        if not each.name.startswith(".") and each.is_file():
            content = read_written(each, str(each), _FILE_BYTES_MAXIMUM)
            values[each.name] = text_of(content, str(each)).rstrip("\n")
    return values


def _from_variables(values: Mapping[str, str], source: str, need: Need) -> Place:
    paste = _DELIVER.format(identity=need.identity)
    for name in (SECRET_ACCESS_KEY, SESSION_TOKEN):
        if values.get(name):
            keep_secret(values[name])
    if BUCKETS not in values:
        raise InvalidInputError([Problem(f"{source}: {BUCKETS}", "is missing", "a delivered file", paste)])
    buckets = parse_json(values[BUCKETS], f"{source}: {BUCKETS}")
    if not isinstance(buckets, dict) or not all(isinstance(name, str) for name in buckets.values()):
        raise InvalidInputError(
            [Problem(f"{source}: {BUCKETS}", "is not a JSON object of buckets by domain", "a delivered file", paste)]
        )
    try:
        config = StoreConfig.from_environment(values)
    except ConfigurationError as error:
        raise InvalidInputError([Problem(source, str(error), "a delivered file", paste)]) from None
    return Place(config, buckets, source)


def _published(path: Path, credentials: Path, need: Need) -> Place:
    published = parse_published(
        read_json_file(path, str(path)), read_json_file(credentials, str(credentials)), f"{path}, {credentials}"
    )
    planned = {identity.name for identity in published.deployment.plan.identities}
    if need.identity not in published.credentials or need.identity not in planned:
        legal = ", ".join(sorted(published.credentials)) or "none"
        paste = "pulumi stack output credentials --json --show-secrets > FILE"
        raise InvalidInputError([Problem(str(credentials), f"has no key pair of {need.identity}", legal, paste)])
    (given,) = handovers(published.deployment, published.credentials, [need.identity], "host")
    # The adapter takes the certificates themselves in place of their file.
    return _from_variables({**given.settings(given.ca_pem), **given.keys()}, str(path), need)

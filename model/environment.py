"""The variables of the environment that can steer a command: who honours each, and who does not get it. Pure.

The rule: a command depends on its arguments, its config and the variables of this table, and on nothing else that
somebody exported. One pattern is a name, or the beginning of one and `*`; the longest pattern that fits decides. A
variable that no pattern fits is passed on. `docs/environment.md` is made from this table.

Sources: https://www.pulumi.com/docs/iac/cli/environment-variables/, https://git-scm.com/docs/git#_environment_variables,
https://docs.pytest.org/en/stable/reference/reference.html#environment-variables,
https://docs.python.org/3/using/cmdline.html#environment-variables,
https://registry.terraform.io/providers/aminueza/minio/latest/docs (MINIO_…),
https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from typing import Any

_WITHOUT_DOCSTRINGS = 2


@unique
class Reader(Enum):
    """Who would read a variable; the value is the name in the docs."""

    PULUMI = "`pulumi`, its plugins and the program"
    GIT = "`git`"
    PROGRAM = "`kubectl`, `secrets`"
    PYTEST = "the suite's pytest"
    OWN_KEYS = "requests with a key pair of the stack"


@dataclass(frozen=True)
class Steering:
    """One line of the table.

    Attributes:
        pattern: A variable's name, or its beginning and `*`.
        honoured: By whom, and what for; empty if the variable has no effect on us.
        taken_from: Who does not get it.
        why: The reason, for the table.
    """

    pattern: str
    honoured: str
    taken_from: frozenset[Reader]
    why: str

    def fits(self, name: str) -> bool:
        """Whether the pattern stands for a variable."""
        start, star, _ = self.pattern.partition("*")
        return name.startswith(start) if star else name == start


_CHILDREN = frozenset({Reader.PULUMI, Reader.GIT, Reader.PROGRAM})
_NOBODY = frozenset[Reader]()
# Programs that have nothing to do with the state or with the provisioning admin.
_OTHERS = frozenset({Reader.GIT, Reader.PROGRAM})


def _honoured(names: str, by: str, why: str, taken_from: frozenset[Reader] = _NOBODY) -> list[Steering]:
    return [Steering(name, by, taken_from, why) for name in names.split()]


def _taken(names: str, readers: Reader | frozenset[Reader], why: str, honoured: str = "") -> list[Steering]:
    found = frozenset({readers}) if isinstance(readers, Reader) else readers
    return [Steering(name, honoured, found, why) for name in names.split()]


_STATE = "`pulumi`: where the state is and how it is encrypted"
_ENGINE = "`pulumi`: which engine, interpreter and plugins run"
_CHAIN = "on AWS: `pulumi`, and the commands that ask AWS as you (preflight, adopt, recover, keys)"
_PYTHON = "Python itself, in the commands and in the program"
STEERING: tuple[Steering, ...] = (
    *_honoured(
        "PULUMI_BACKEND_URL PULUMI_API PULUMI_ACCESS_TOKEN PULUMI_CREDENTIALS_PATH PULUMI_HOME", _STATE, "", _OTHERS
    ),
    *_honoured("PULUMI_CONFIG_PASSPHRASE PULUMI_CONFIG_PASSPHRASE_FILE", _STATE, "", _OTHERS),
    *_honoured("PULUMI_DIY_BACKEND_* PULUMI_SELF_MANAGED_STATE_*", _STATE, "", _OTHERS),
    *_honoured("PULUMI_OPTION_CWD", "all commands: the folder of `Pulumi.yaml`, as `pulumi --cwd`", ""),
    *_honoured(
        "PULUMI_PYTHON_CMD PULUMI_IGNORE_AMBIENT_PLUGINS PULUMI_DEBUG_PROVIDERS", _ENGINE, "the sandbox sets it"
    ),
    *_honoured("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION PULUMI_SKIP_UPDATE_CHECK", _ENGINE, "the sandbox sets it"),
    *_taken(
        "PULUMI_*",
        _CHILDREN,
        "each option of `pulumi` has a variable (`PULUMI_OPTION_…`), others change what a preview shows; we give the "
        "options that we mean, and always `--stack`",
    ),
    *_taken(
        "MINIO_*",
        Reader.PULUMI,
        "the MinIO plugin reads it beside its arguments (`MINIO_INSECURE` switches off the check of the certificate); "
        "a `pulumi up` by hand stops if one is set that the plugin reads",
    ),
    *_taken("TF_*", Reader.PULUMI, "the plugins are made from Terraform providers; `TF_LOG` would print secrets"),
    *_honoured(
        "AISTOR_ROOT_USER AISTOR_ROOT_PASSWORD",
        "the program and the commands: the provisioning admin, if the config does not hold it",
        "",
        _OTHERS,
    ),
    *_honoured(
        "CLICKHOUSE_URL CLICKHOUSE_DATABASE CLICKHOUSE_OTEL_TABLE CLICKHOUSE_USER CLICKHOUSE_PASSWORD",
        "`otel`: the table of events",
        "`otel` in `workloads.yaml` comes first",
        _CHILDREN,
    ),
    *_honoured(
        "TYPESENSE_URL TYPESENSE_API_KEY",
        "`otel backfill`: the collection",
        "`otel.typesense` in `workloads.yaml` comes first",
        _CHILDREN,
    ),
    *_honoured("OBJECTSTORE_*", "verify: key pairs and token files of the identities", "", _CHILDREN),
    *_honoured(
        "AWS_ENDPOINT_URL AWS_ENDPOINT_URL_* AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_CA_BUNDLE",
        "on AWS: every part; on AIStor the stack's own endpoint and CA count",
        "",
    ),
    *_taken(
        "AWS_*",
        Reader.OWN_KEYS,
        "a profile, a config file, a region or a setting of the SDK must not change what a key pair of the stack does; "
        "on AIStor none of them counts",
        _CHAIN,
    ),
    *_taken(
        "GIT_*",
        Reader.GIT,
        "a hook of another repository sets `GIT_DIR`; the folder's own repository counts",
    ),
    *_taken(
        "PYTEST_*",
        Reader.PYTEST,
        "`PYTEST_ADDOPTS=--collect-only` would run no check and exit 0; give pytest's options after `--`",
    ),
    *_honoured("PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONNOUSERSITE PYTHONUTF8 PYTHONHASHSEED", _PYTHON, ""),
    *_honoured("PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONUNBUFFERED PYTHONIOENCODING", _PYTHON, ""),
    *_taken(
        "PYTHON*",
        _CHILDREN,
        "`PYTHONWARNINGS=error` would stop the program; a command ignores the warnings of libraries, and refuses "
        "`PYTHONOPTIMIZE=2`, which removes its texts",
    ),
    *_honoured(
        "HTTPS_PROXY https_proxy HTTP_PROXY http_proxy ALL_PROXY all_proxy NO_PROXY no_proxy",
        "every part that sends a request, except what `discovery put` fetches; `verify` and the preflight "
        "[as the adapter](adapter.md#proxies)",
        "`adopt`, `keys`, `switch-admin-api` and `pulumi` know no range in `NO_PROXY`, and connect once directly",
    ),
    *_honoured(
        "SSL_CERT_FILE SSL_CERT_DIR",
        "`pulumi` and its plugins; without a `caBundle`, also the preflight and the admin API",
        "other requests use `object-store:caBundle`, on AWS `AWS_CA_BUNDLE`, else the public CAs",
    ),
    *_taken(
        "REQUESTS_CA_BUNDLE CURL_CA_BUNDLE",
        Reader.OWN_KEYS,
        "it is not ours: `object-store:caBundle`, on AWS `AWS_CA_BUNDLE`",
    ),
    *_taken("LANGUAGE LC_*", Reader.GIT, "git's messages are in English", "all commands: the encoding of the terminal"),
    *_honoured("LANG", "all commands: the encoding of the terminal", "text that it cannot show is escaped"),
    *_honoured(
        "COLUMNS LINES TERM NO_COLOR FORCE_COLOR", "all commands: width and colour of the output, nothing else", ""
    ),
    *_honoured("TMPDIR TEMP TMP", "all commands: where temporary files are", "a folder that is not writable is named"),
    *_honoured("HOME", "`pulumi`: its folder, if `PULUMI_HOME` is not set; git's config", ""),
    *_honoured("PATH", "which `pulumi`, `git`, `kubectl` and `secrets` run", ""),
    *_honoured("KUBECONFIG", "`keys deliver --to kubernetes`", ""),
    *_honoured(
        "OBJECT_STORE_WORKLOADS",
        "`sessions`, `vault`, `otel`, `discovery`, `documents`, `events`, `receipts`: the file `workloads.yaml`",
        "`--config` comes first",
    ),
    *_honoured("JOB_COMPLETION_INDEX", "`documents backfill --shard index/N`: the shard of a pod, from 0", ""),
)

#: What the MinIO plugin reads beside the arguments that the program gives it, so that it would use another identity or
#: another trust than the config says:
#: https://github.com/aminueza/terraform-provider-minio/blob/main/minio/provider.go
READ_BY_THE_PLUGIN = (
    "MINIO_ACCESS_KEY",
    "MINIO_CACERT_FILE",
    "MINIO_CERT_FILE",
    "MINIO_INSECURE",
    "MINIO_KEY_FILE",
    "MINIO_SECRET_KEY",
    "MINIO_SESSION_TOKEN",
)


def steering(name: str) -> Steering | None:
    """The line of the table for a variable; None if nothing of ours depends on it."""
    return max((line for line in STEERING if line.fits(name)), key=lambda line: len(line.pattern), default=None)


def is_taken(name: str, reader: Reader) -> bool:
    """Whether a reader does not get a variable."""
    line = steering(name)
    return line is not None and reader in line.taken_from


def environment_for(reader: Reader, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child process."""
    return {name: value for name, value in environ.items() if not is_taken(name, reader)}


def python_fault(optimize: int = sys.flags.optimize) -> str | None:
    """Why a command cannot run in this Python; None if it can.

    Args:
        optimize: The level of `python -O`; 2 removes the docstrings, which are the texts of commands and checks.
    """
    if optimize < _WITHOUT_DOCSTRINGS:
        return None
    return "python -OO removes the texts of the commands and checks; run: unset PYTHONOPTIMIZE (and use no -OO)"


def own_key_settings(known: Mapping[str, tuple[Any, Any, Any, Any]]) -> dict[str, tuple[Any, Any, Any, Any]]:
    """The settings of an SDK's session that signs with a key pair of the stack.

    Args:
        known: `botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES`: by setting its name in a profile, its
            variables, its default, and a conversion.

    Returns:
        The same settings without profile, and with only the variables that `STEERING` leaves to such a session.
    """

    def kept(variables: object) -> list[str]:
        names = [variables] if isinstance(variables, str) else variables if isinstance(variables, list) else []
        return [name for name in names if not is_taken(name, Reader.OWN_KEYS) and name.startswith("AWS_")]

    files = dict.fromkeys(("config_file", "credentials_file"), os.devnull)
    return {
        setting: (None, kept(variables) or None, files.get(setting, default), conversion)
        for setting, (_, variables, default, conversion) in known.items()
    }

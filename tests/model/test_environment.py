"""The table of the variables that can steer a command: who honours each, and who does not get it."""

import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as SETTINGS

from model.environment import STEERING, Reader, environment_for, is_taken, own_key_settings, steering

CHILDREN = (Reader.PULUMI, Reader.GIT, Reader.PROGRAM)


@pytest.mark.parametrize(
    ("name", "readers"),
    [
        ("PULUMI_OPTION_TARGET", CHILDREN),
        ("PULUMI_OPTION_REFRESH", CHILDREN),
        ("PULUMI_OPTION_STACK", CHILDREN),
        ("PULUMI_STACK", CHILDREN),
        ("PULUMI_CONFIG", CHILDREN),
        ("PULUMI_SKIP_CONFIRMATIONS", CHILDREN),
        ("PULUMI_DISABLE_PROVIDER_PREVIEW", CHILDREN),
        ("MINIO_INSECURE", (Reader.PULUMI,)),
        ("MINIO_ACCESS_KEY", (Reader.PULUMI,)),
        ("TF_LOG", (Reader.PULUMI,)),
        ("PULUMI_CONFIG_PASSPHRASE", (Reader.GIT, Reader.PROGRAM)),
        ("PULUMI_ACCESS_TOKEN", (Reader.GIT, Reader.PROGRAM)),
        ("AISTOR_ROOT_PASSWORD", (Reader.GIT, Reader.PROGRAM)),
        ("OBJECTSTORE_WORKER_SECRET_ACCESS_KEY", CHILDREN),
        ("CLICKHOUSE_PASSWORD", CHILDREN),
        ("TYPESENSE_API_KEY", CHILDREN),
        ("PULUMI_OPTION_CWD", ()),
        ("PULUMI_HOME", (Reader.GIT, Reader.PROGRAM)),
        ("AWS_PROFILE", (Reader.OWN_KEYS,)),
        ("AWS_CONFIG_FILE", (Reader.OWN_KEYS,)),
        ("AWS_USE_FIPS_ENDPOINT", (Reader.OWN_KEYS,)),
        ("AWS_ENDPOINT_URL_S3", ()),
        ("AWS_CA_BUNDLE", ()),
        ("GIT_DIR", (Reader.GIT,)),
        ("GIT_WORK_TREE", (Reader.GIT,)),
        ("GIT_CONFIG_COUNT", (Reader.GIT,)),
        ("PYTEST_ADDOPTS", (Reader.PYTEST,)),
        ("PYTEST_PLUGINS", (Reader.PYTEST,)),
        ("PYTHONWARNINGS", CHILDREN),
        ("PYTHONINSPECT", CHILDREN),
        ("PYTHONPATH", ()),
        ("LC_ALL", (Reader.GIT,)),
        ("HOME", ()),
        ("SOMETHING_ELSE", ()),
    ],
)
def test_who_does_not_get_a_variable(name: str, readers: tuple[Reader, ...]) -> None:
    """Exactly these readers do not get it; the longest pattern decides."""
    assert {reader for reader in Reader if is_taken(name, reader)} == set(readers)
    for reader in Reader:
        kept = environment_for(reader, {name: "1", "PATH": "/bin"})
        assert kept == ({"PATH": "/bin"} if reader in readers else {name: "1", "PATH": "/bin"})


def test_each_line_says_who_honours_a_variable_or_who_does_not_get_it() -> None:
    """No pattern is there twice, and every line has a meaning and, where somebody does not get it, a reason."""
    patterns = [line.pattern for line in STEERING]
    assert len(patterns) == len(set(patterns))
    for line in STEERING:
        assert line.honoured or line.taken_from, line.pattern
        assert line.honoured or line.why, line.pattern
        assert steering(line.pattern.rstrip("*")) == line


def test_session_with_a_key_pair_of_the_stack_reads_two_variables() -> None:
    """Of all settings that botocore knows, only the CA and the switch for endpoints stay; no name of a profile does."""
    made = own_key_settings(SETTINGS)

    assert made.keys() == SETTINGS.keys()
    assert {setting: names for setting, (_, names, _, _) in made.items() if names} == {
        "ca_bundle": ["AWS_CA_BUNDLE"],
        "ignore_configured_endpoint_urls": ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"],
    }
    assert not [setting for setting, (in_profile, *_) in made.items() if in_profile is not None]
    assert {made[setting][2] for setting in ("config_file", "credentials_file")} == {"/dev/null"}

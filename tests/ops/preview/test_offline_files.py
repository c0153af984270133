"""The stack's file and the taxonomy of a revision, as the engine reads them; one message for what is wrong."""

import shutil
import subprocess
from pathlib import Path

import pytest

from model.problems import InvalidInputError
from ops.preview.offline import of_checkout, of_deployment, of_revision
from ops.preview.report import lines_to_paste

LOCAL = """config:
  object-store:cloud: aistor
  object-store:env: local
  object-store:region: us-west-2
  object-store:endpoint: https://localhost:31000
"""


def tags_of(folder: Path, more: str, stack: str = "local") -> dict[str, str]:
    """The tags that the config has with these lines in addition."""
    (folder / "Pulumi.local.yaml").write_text(LOCAL + more, encoding="utf-8")
    config = of_checkout(stack, folder).config
    assert config is not None
    return config.tags


def test_date_is_the_text_that_the_engine_passes_on(tmp_path: Path) -> None:
    """As `pulumi config` of engine 3.274.1 shows: a plain date is Go's text, a quoted one and one that is none stay."""
    tags = tags_of(
        tmp_path, '  object-store:tags: {review-by: 2026-12-31, quoted: "2026-12-31", none: 2026-02-30, odd: yes}\n'
    )

    assert tags == {
        "review-by": "2026-12-31 00:00:00 +0000 UTC",
        "quoted": "2026-12-31",
        "none": "2026-02-30",
        "odd": "yes",
    }


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("object-store:maxKeyAgeDays: 0x10", "max_key_age_days", 16),
        ("object-store:maxKeyAgeDays: 1_000", "max_key_age_days", 1000),
        ("object-store:maxKeyAgeDays: 30.0", "max_key_age_days", 30),
        ('object-store:maxKeyAgeDays: "30"', "max_key_age_days", 30),
        ("object-store:emptyOnDestroy: ~", "kms_key_arn", None),
        ("object-store:regionCode: 2026-02-30", "region_code", None),
        ("object-store:kmsKeyArn: ~", "kms_key_arn", ""),
        ("object-store:protect: no", "protect", False),
        ("maxKeyAgeDays: 7", "max_key_age_days", 7),
        ("object-store:tags: {a: {secure: v1:bm90aGluZw==}}", "tags", {}),
    ],
)
def test_value_is_the_one_that_the_engine_passes_on(tmp_path: Path, line: str, name: str, expected: object) -> None:
    """Numbers, null, words and keys without a namespace mean what they mean to the engine; secrets are left out."""
    (tmp_path / "Pulumi.local.yaml").write_text(f"{LOCAL}  {line}\n", encoding="utf-8")
    if expected is None:
        with pytest.raises(InvalidInputError):
            of_checkout("local", tmp_path)
        return
    assert getattr(of_checkout("local", tmp_path).config, name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config: [a]\n", "Pulumi.local.yaml: config: is not a mapping"),
        ("config: a\n", "Pulumi.local.yaml: config: is not a mapping"),
        ("- a\n", "Pulumi.local.yaml: is not a mapping"),
        ("config:\n  123: a\n", "Pulumi.local.yaml:2:3: the key '123' is not text"),
        (LOCAL + "  object-store:env: prod\n", "Pulumi.local.yaml:6:3: the key 'object-store:env' appears twice"),
        (LOCAL + "\tobject-store:protect: true\n", "Pulumi.local.yaml:6:1: a tab where YAML wants spaces"),
        (LOCAL + "  object-store:tags: {a: {{ x }}}\n", "Pulumi.local.yaml:6:27: a key that is a mapping or a list"),
        (LOCAL + "  object-store:tags: &a {b: *a}\n", "more than 32 levels, or an alias"),
        (LOCAL + "  object-store:maxKeyAgeDays: " + "9" * 5000, "6:31: a number that not every program can hold"),
        (LOCAL + "  object-store:allowedAccountIds: [012345678901]", "6:36: a number with a leading zero"),
        (LOCAL + "  object-store:adminPassword: *hunter2\n", "6:31: an alias (*) of an anchor that is not there"),
        (LOCAL + '  object-store:tags: \'{"a": 1, "a": 2}\'\n', "object-store:tags:1:10: the key 'a' appears twice"),
        (LOCAL + "  object-store:tags: '" + "[" * 3000 + "'\n", "object-store:tags:1:202: is not JSON: recursion"),
        ("\ufeff" + LOCAL.replace("local", "lo cal"), "env"),
    ],
)
def test_file_that_is_no_config_is_one_message(tmp_path: Path, text: str, expected: str) -> None:
    """What the engine refuses, or programs read differently, is refused with file, line, column and what to write."""
    (tmp_path / "Pulumi.local.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(InvalidInputError) as caught:
        of_checkout("local", tmp_path)

    assert expected in str(caught.value)
    assert "write: " in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_stack_may_be_named_in_full(tmp_path: Path) -> None:
    """`ORGANIZATION/PROJECT/STACK` means the file of STACK, also in the lines to paste."""
    assert tags_of(tmp_path, "", stack="organization/object-store/local") == {}
    assert lines_to_paste([], "organization/object-store/local") == []
    (tmp_path / "Pulumi.local.yaml").unlink()
    with pytest.raises(InvalidInputError, match=r"^Pulumi\.local\.yaml: cannot be read: No such file"):
        of_checkout("organization/object-store/local", tmp_path)


def test_revision_in_another_encoding_is_named(tmp_path: Path) -> None:
    """A file of a git revision in Latin-1 is refused with its place, as one of the checkout is."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "taxonomy.yaml").write_bytes("domains: é\n".encode("latin-1"))
    program = str(shutil.which("git"))
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "first"]):
        who = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run([program, "-C", str(tmp_path), *who, *words], check=True)  # noqa: S603 - git

    with pytest.raises(InvalidInputError, match=r"^HEAD:infra/taxonomy\.yaml:1:10: the byte 0xE9 is not UTF-8"):
        of_revision("local", tmp_path, "HEAD")


@pytest.mark.parametrize(
    ("content", "expected"),
    [("[" * 3000, "recursion limit"), ("1" * 5000, "number out of range"), ('{"a": 1, "a": 1}', "appears twice")],
)
def test_base_deployment_is_one_message(tmp_path: Path, content: str, expected: str) -> None:
    """A deployment's file that is not JSON is refused with its path and place."""
    path = tmp_path / "deployment.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(InvalidInputError) as caught:
        of_deployment(path)

    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{path}:1:")

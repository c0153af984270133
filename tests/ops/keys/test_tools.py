"""Deliveries to the configuration of stock tools: AWS profiles, rclone's remotes, mc's aliases."""

import json
import os
from contextlib import closing
from pathlib import Path

import boto3
import pytest

from tests.ops.keys.conftest import Deliver, Stack

ENTRY = "objectstore-local-worker"
CA_NAME = "objectstore-local-ca.pem"
FILES = {"aws-profile": ".aws/credentials", "rclone": ".config/rclone/rclone.conf", "mc": ".mc/config.json"}
FOREIGN_INI = (
    "; a note\r\n[default]\nregion = eu-central-1 # mine\ns3 =\n    addressing_style = path\n\n# end\n[other]\nx: y=z"
)
FOREIGN = {
    "aws-profile": FOREIGN_INI,
    "rclone": FOREIGN_INI,
    "mc": '{\n\t"version": "10",\n\t"aliases": {\n\t\t"é": {\n\t\t\t"url": "https://x"\n\t\t}\n\t},\n\t"more": 1\n}\n',
}


@pytest.fixture(name="home")
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, with the folders that the tools make."""
    home = tmp_path / "home"
    for folder in (".aws", ".config/rclone", ".mc"):
        (home / folder).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.mark.parametrize("to", FILES)
class TestEveryTool:
    """What holds for each of them."""

    def test_twice(self, deliver: Deliver, home: Path, to: str) -> None:
        """All identities get an entry in the tool's own file, which others cannot read; the second run is idle."""
        first, second = (deliver(to, identity=None) for _ in range(2))

        text = (home / FILES[to]).read_text()
        assert (first.status, second.status) == (0, 0), first.errors
        assert set(second.changes().values()) == {"unchanged"}
        assert [f"objectstore-local-{name}" in text for name in ("worker", "reader", "verifier")] == [True] * 3
        (ca,) = home.rglob(CA_NAME)
        assert {one.stat().st_mode & 0o777 for one in (home / FILES[to], ca)} == {0o600}

    def test_two_stacks_and_a_rotation(self, stack: Stack, deliver: Deliver, home: Path, to: str) -> None:
        """Another stack's entry and all foreign text stay byte for byte; a new key replaces the old one alone."""
        path = home / FILES[to]
        path.write_bytes(FOREIGN[to].encode())
        deployment = json.loads(stack.deployment.model_dump_json())
        stack.publish(deployment=deployment | {"stack": "the.other"})
        deliver(to)
        stack.publish(deployment=deployment)
        deliver(to)
        before = path.read_bytes().decode()
        key_id = stack.credentials["worker"].access_key_id
        pairs = json.loads((stack.folder / "pulumi.state").read_text())["local"]["credentials"]
        stack.publish(credentials=pairs | {"worker": pairs["reader"]})

        done = deliver(to)

        after = path.read_bytes().decode()
        assert before.startswith(FOREIGN[to] if to != "mc" else FOREIGN[to][:60])
        assert "objectstore-the-other-worker" in before
        mine, _, _ = before.partition(ENTRY)
        assert done.status == 0
        assert after.startswith(mine)
        assert (before.count(key_id), after.count(key_id)) == (2, 1)
        assert stack.secret("reader") in after
        assert "changed" in done.changes().values()

    @pytest.mark.parametrize("form", ["a byte order mark", "a wide mode"])
    def test_form_is_mended(self, deliver: Deliver, home: Path, to: str, form: str) -> None:
        """A mark that the tool cannot read is taken out, and a wide mode is narrowed; both are said."""
        path = home / FILES[to]
        path.write_text(("\ufeff" if "mark" in form else "") + FOREIGN[to], encoding="utf-8")
        path.chmod(0o644)

        done = deliver(to)

        assert done.status == 0
        assert ("(byte order mark removed)" in done.output) == ("mark" in form)
        assert "(to mode 0600)" in done.output
        assert not path.read_text().startswith("\ufeff")
        assert path.stat().st_mode & 0o777 == 0o600

    def test_link_is_refused(self, deliver: Deliver, home: Path, to: str) -> None:
        """No secret goes through a link, and the link stays."""
        path = home / FILES[to]
        path.symlink_to(home / "elsewhere")

        done = deliver(to)

        assert (done.status, path.is_symlink(), (home / "elsewhere").exists()) == (2, True, False)
        assert "symbolic link" in done.errors

    def test_no_folder(self, deliver: Deliver, home: Path, to: str, tmp_path: Path) -> None:
        """The line that makes the folder is printed."""
        done = deliver(to, "--file", str(tmp_path / "none" / "file"))

        assert done.status == 2
        assert f"first run: mkdir -p -m 700 {tmp_path / 'none'}" in done.errors
        assert not list(home.rglob("*.pem"))


@pytest.mark.parametrize(
    ("to", "file", "text", "said"),
    [
        ("aws-profile", ".aws/credentials", "planted = 1\n[default]\n", "line 1 stands before the first [section]"),
        ("aws-profile", ".aws/config", "[a]\nx = 1\n[a]\n", "line 3 repeats a section"),
        ("rclone", ".config/rclone/rclone.conf", "[a]\nx = 1\nx = planted\n", "line 3 repeats an option"),
        ("rclone", ".config/rclone/rclone.conf", "[a]\nplanted\n", "line 2 is neither a [section] nor an option"),
        (
            "rclone",
            ".config/rclone/rclone.conf",
            "# c\nRCLONE_ENCRYPT_V0:\nplanted=\n",
            "rclone config encryption remove",
        ),
        ("mc", ".mc/config.json", '{"aliases":\n planted}', "config.json:2:"),
        ("mc", ".mc/config.json", '{"aliases": ' * 9999, "or name another file"),
        ("mc", ".mc/config.json", '["planted"]', "run `mc alias list` once"),
        ("mc", ".mc/config.json", '{"aliases": {"a": "planted"}}', "run `mc alias list` once"),
    ],
)
def test_file_that_the_tool_could_not_read(
    deliver: Deliver, home: Path, to: str, file: str, text: str, said: str
) -> None:
    """Nothing is written, and the message names the file and the line, but quotes nothing of it."""
    (home / file).write_text(text, encoding="utf-8")

    done = deliver(to)

    assert (done.status, (home / file).read_text()) == (2, text)
    assert said in done.errors
    assert file in done.errors
    assert "planted" not in done.errors


@pytest.mark.parametrize(("to", "file"), [("aws-profile", ".aws/config"), ("rclone", FILES["rclone"])])
def test_what_a_person_added_to_ours(deliver: Deliver, home: Path, to: str, file: str) -> None:
    """An option of another name in our entry stays."""
    path = home / file
    deliver(to)
    path.write_text(path.read_text() + "output = json\n", encoding="utf-8")

    assert set(deliver(to).changes().values()) == {"unchanged"}
    assert path.read_text().endswith("output = json\n")


def test_profile_leads_to_the_store(
    stack: Stack, deliver: Deliver, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK reads endpoint, region and keys of each service from the profile; the settings file keeps its mode."""
    config = home / ".aws" / "config"
    config.touch(mode=0o644)
    deliver("aws-profile")
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    session = boto3.session.Session(profile_name=ENTRY)

    for service in ("s3", "sts"):
        with closing(session.client(service)) as client:
            assert client.meta.endpoint_url == stack.deployment.provisioning_endpoint
    with closing(session.client("s3")) as client:
        assert client.list_objects_v2(Bucket=stack.deployment.plan.buckets[0].name)["KeyCount"] >= 0
    assert config.stat().st_mode & 0o777 == 0o644
    assert stack.secret("worker") not in config.read_text()


def test_store_that_no_longer_has_a_ca(stack: Stack, deliver: Deliver, home: Path) -> None:
    """An option that is no longer set is taken out, in the tools that have one."""
    for to in ("aws-profile", "rclone"):
        deliver(to)
    stack.publish(deployment=json.loads(stack.deployment.model_copy(update={"ca_pem": None}).model_dump_json()))

    said = [deliver(to).output for to in ("aws-profile", "rclone")]

    assert f"changed    profile {ENTRY}: ca_bundle (removed)" in said[0]
    assert f"changed    {ENTRY}: override.ca_cert (removed)" in said[1]
    assert "ca_bundle" not in (home / ".aws" / "config").read_text()
    assert "ca_cert" not in (home / FILES["rclone"]).read_text()

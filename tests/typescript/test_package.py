"""What the package is: what it publishes, what its types are made of, and that its examples run."""

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from object_store import ObjectRef, ObjectStore
from tests.typescript.driver import TypeScriptDriver, variables
from trials.servers import OWN, Server, made_bucket
from trials.typescript_package import BUN, SOURCE, Package

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "typescript.md"
PLANTED = "planted/secret+of-forty-characters-0123456"


@pytest.fixture(scope="module", name="running", params=["local", "aws"])
def _running(request: pytest.FixtureRequest) -> Iterator[tuple[Server, str]]:
    """Each of the sandbox's servers, and a bucket with versions."""
    with ExitStack() as stack:
        server = stack.enter_context(OWN[request.param]())
        client = server.client()
        stack.callback(client.close)
        bucket = stack.enter_context(made_bucket(server, client))
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        yield server, bucket


def test_what_is_published(typescript: Package) -> None:
    """The built modules with their types, the README and the description; no source, test, example or setting."""
    shutil.copyfile(SOURCE / "README.md", typescript.folder / "README.md")
    packed = typescript.run(typescript.npm, "pack", "--dry-run", "--json", "--ignore-scripts")
    assert packed.returncode == 0, packed.stderr

    files = {one["path"] for one in json.loads(packed.stdout)[0]["files"]}
    modules = {f"dist/{one.stem}{end}" for one in (SOURCE / "src").glob("*.ts") for end in (".js", ".d.ts")}
    assert files == {"package.json", "README.md", *modules}


def test_types_need_no_other_package(typescript: Package, tmp_path: Path) -> None:
    """A consumer that checks all declarations compiles without the SDK's types and without those of Node."""
    installed = tmp_path / "node_modules" / "@joelclaw" / "object-store"
    installed.mkdir(parents=True)
    shutil.copytree(typescript.folder / "dist", installed / "dist")
    shutil.copyfile(SOURCE / "package.json", installed / "package.json")
    (tmp_path / "consumer.mts").write_text(
        'import { ObjectStore, type Events, type ObjectRef } from "@joelclaw/object-store";\n'
        'const data: Events["media/received"]["data"] = { source: "x", type: "image", mimeType: "a/b", fileSize: 3 };\n'
        "export const ref: Promise<ObjectRef> = ObjectStore.fromEnvironment({}).head(data.source, data.type);\n"
    )
    options = (
        "--ignoreConfig",
        "--strict",
        "--noEmit",
        "--module",
        "nodenext",
        "--target",
        "es2022",
        "--skipLibCheck",
        "false",
    )
    compiled = typescript.tool("tsc", *options, "--types", "", str(tmp_path / "consumer.mts"))
    assert compiled.returncode == 0, compiled.stdout


def test_no_host_of_a_registry_is_in_a_lock_file() -> None:
    """An install takes the packages from the registry that the machine has."""
    for folder in (SOURCE, BUN):
        lock = (folder / "package-lock.json").read_text(encoding="utf-8")
        assert '"resolved"' not in lock
        assert json.loads(lock)["packages"]
        assert all("integrity" in one for name, one in json.loads(lock)["packages"].items() if name)


def test_event_types_are_those_of_the_schemas(typescript: Package, tmp_path: Path) -> None:
    """`src/events.ts` is what the schemas give."""
    shutil.copytree(SOURCE / "scripts", typescript.folder / "scripts", dirs_exist_ok=True)
    target = tmp_path / "events.ts"
    made = typescript.run(typescript.node, "scripts/events.mjs", str(ROOT / "schemas" / "events"), str(target))

    assert made.returncode == 0, made.stderr
    assert target.read_text() == (SOURCE / "src" / "events.ts").read_text(), "run: npm run events"


def test_events_are_exchanged_byte_for_byte(typescript: Package) -> None:
    """The golden events, before and after, are the same bytes after a way through both languages."""
    folder = ROOT / "tests" / "workloads" / "events" / "golden"
    for path in sorted(folder.glob("*.json")):
        written = json.dumps(json.loads(path.read_bytes()), ensure_ascii=False, separators=(",", ":"))
        script = "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0, 'utf8'))))"
        read = subprocess.run(  # noqa: S603 - node
            [typescript.node, "-e", script], input=written, capture_output=True, text=True, check=True
        )
        assert read.stdout == written, path.name


def test_references_are_exchanged(typescript: Package, running: tuple[Server, str]) -> None:
    """A reference of each language is read by the other one, and leads to the same bytes."""
    server, bucket = running
    with ObjectStore(server.config) as store:
        driver = TypeScriptDriver(typescript, server)
        ours = store.upload(bucket, "é 72  2026.pdf", b"ours", metadata={"name": "%C3%A9"})
        theirs = driver.do({"do": "upload", "bucket": bucket, "key": "theirs", "body": {"text": "theirs"}})["ref"]
        parsed = driver.do({"do": "parse", "reference": ours.model_dump_json()})["ref"]
        read = driver.do({"do": "download", "bucket": bucket, "key": ours.key, "etag": ours.etag})
        driver.close()

        assert json.dumps(parsed, ensure_ascii=False, separators=(",", ":")) == ours.model_dump_json()
        assert ObjectRef.parse(json.dumps(theirs)).model_dump(mode="json") == theirs
        assert store.download(bucket, "theirs", etag=theirs["etag"]) == b"theirs"
        assert (read["ref"], read["metadata"], read["verified"]) == (parsed, {"name": "%C3%A9"}, True)


def test_no_secret_is_in_an_error(typescript: Package, running: tuple[Server, str]) -> None:
    """Whatever fails, what the package says has neither secret, nor token, nor a proxy's password."""
    server, bucket = running
    wrong = replace(server, config=replace(server.config, secret_access_key=PLANTED))
    proxied = {"HTTPS_PROXY": f"http://user:{PLANTED.replace('/', '%2F')}@127.0.0.1:9", "NO_PROXY": ""}
    said = []
    for environ in ({}, {"AWS_SESSION_TOKEN": PLANTED}, proxied, {"S3_ENDPOINT": f"https://u:{PLANTED}@x"}):
        driver = TypeScriptDriver(typescript, wrong, environ=environ, attempts=1)
        steps: list[dict[str, Any]] = [
            {"do": "upload", "body": {"text": "x"}},
            {"do": "upload", "body": {"pattern": 9 * 2**20}},
            *({"do": each} for each in ("download", "head", "list", "delete")),
        ]
        try:
            results = [driver.do({"bucket": bucket, "key": "k", **step}) for step in steps]
        finally:
            said.append(driver.close())
        assert all("error" in one for one in results)
        said.append(json.dumps(results))
    for form in (PLANTED, PLANTED.replace("/", "%2F"), PLANTED.replace("/", "\\/")):
        assert form not in "".join(said)


def test_example_of_the_readme(typescript: Package, running: tuple[Server, str], tmp_path: Path) -> None:
    """The README's program compiles in strict mode, and does what it says."""
    server, bucket = running
    found = re.search(r"```ts\n(.*?)```", (SOURCE / "README.md").read_text(), re.DOTALL)
    assert found is not None
    name = f"readme_{uuid.uuid4().hex}"
    (typescript.folder / "examples" / f"{name}.ts").write_text(found[1])
    try:
        compiled = typescript.tool("tsc", "--project", "tsconfig.test.json")
    finally:
        (typescript.folder / "examples" / f"{name}.ts").unlink()
    assert compiled.returncode == 0, compiled.stdout
    (tmp_path / "talk.txt").write_text("a talk")

    ran = subprocess.run(  # noqa: S603 - node
        [typescript.node, str(typescript.folder / "build" / "examples" / f"{name}.js")],
        cwd=tmp_path,
        env={**os.environ, **variables(server), "BUCKET": bucket},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["6 bytes, proven: true", "2026/11/talk.txt 6", "true"]
    assert (tmp_path / "copy.txt").read_text() == "a talk"


def test_page_shows_the_examples() -> None:
    """The code of the page is that of the files that the tests run."""
    page = PAGE.read_text(encoding="utf-8")
    for name in ("media_step.ts", "command_step.ts"):
        assert f"```ts\n{(SOURCE / 'examples' / name).read_text(encoding='utf-8')}```" in page, name


def test_steps_of_inngest(typescript: Package, running: tuple[Server, str], tmp_path: Path) -> None:
    """First, retried, called twice, a day later, with the store away: one version, one reference, one event each."""
    server, bucket = running
    for name in ("photo", "copy"):
        (tmp_path / name).write_bytes(b"jpg")
    ran = typescript.run(
        typescript.node,
        str(typescript.folder / "build" / "test" / "inngest.js"),
        *(bucket, str(tmp_path / "photo"), str(tmp_path / "copy"), str(Path(sys.executable).parent / "object-store")),
        environ=variables(server),
    )
    assert ran.returncode == 0, ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    by_name = {one["scenario"]: one for one in told if "scenario" in one}

    assert by_name["away, then back"]["errors"] == ["EndpointUnreachable"]
    assert by_name["away, then back"]["ran"] == ["archive", "archive"]
    assert by_name["retried"]["ran"] == ["archive"]
    refs = [ref for one in by_name.values() for ref in one["refs"]]
    assert len(by_name) == 5
    assert len({json.dumps(ref) for ref in refs}) == 1
    assert all(len(one["sent"]) == 1 and one["sent"][0]["data"]["objectRef"] == refs[0] for one in by_name.values())
    client = server.client()
    versions = client.list_object_versions(Bucket=bucket, Prefix="chat/")["Versions"]
    client.close()
    assert [one["Key"] for one in versions] == [refs[0]["key"]]
    assert refs[0]["key"].startswith("chat/telegram/2026/11/30/")
    found, missing = (one for one in told if "command" in one)
    assert (found["status"], found["report"]["key"]) == (0, refs[0]["key"])
    assert "could not do its work" in missing["error"]

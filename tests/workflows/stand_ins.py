"""The stand-ins for the world around a job: foreign actions, `gh`, `docker`, `curl`, the Pulumi CLI.

The rule: the file imports nothing of the project at its head, and reads only its arguments and the variables
STAND_INS_…, because act starts it in a job's own environment. It records each call in `calls.jsonl` before the answer.
A stand-in does only what the job depends on (it carries files, creates an environment, keeps a comment). Left out: the
other effects of the real programs.
"""

from __future__ import annotations

import fnmatch
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

START_SECONDS = 60.0
# The accepted inputs of each action, a subset of the real action's. An action without an entry is refused.
ACTIONS: dict[str, tuple[str, ...]] = {
    "actions/checkout": ("persist-credentials", "fetch-depth"),
    "actions/setup-python": ("python-version",),
    "actions/setup-go": ("go-version-file", "cache"),
    "actions/cache": ("path", "key"),
    "actions/upload-artifact": ("name", "path", "if-no-files-found", "retention-days"),
    "actions/download-artifact": ("pattern", "path", "merge-multiple"),
    "pulumi/actions": ("pulumi-version",),
    "aws-actions/configure-aws-credentials": ("role-to-assume", "aws-region", "output-env-credentials"),
}


class Run:
    """The folder of one run of act, and the settings of its session."""

    def __init__(self) -> None:
        """Read both from the environment."""
        self.folder = Path(os.environ["STAND_INS_RUN"])
        self.settings: dict[str, Any] = json.loads(Path(os.environ["STAND_INS_SETTINGS"]).read_text())
        self.is_hollow = os.environ.get("STAND_INS_HOLLOW") == "yes"
        self.job = os.environ.get("GITHUB_JOB", "")

    def note(self, what: str, **more: object) -> None:
        """Add a call to the list, in one write, so that parallel jobs do not mix their calls."""
        line = json.dumps({"what": what, "job": self.job, **more}) + "\n"
        with (self.folder / "calls.jsonl").open("a") as file:
            file.write(line)


def offer(variable: str, line: str) -> None:
    """Add a line to one of the files that pass data from a step to the runner."""
    with Path(os.environ[variable]).open("a") as file:
        file.write(line + "\n")


def checkout(run: Run, given: dict[str, str]) -> None:
    """The commit of the run, with the requested depth, and the environment of an earlier `make env`, if any."""
    workspace = Path(os.environ["GITHUB_WORKSPACE"])
    source = Path(os.environ["STAND_INS_SOURCE"])
    depth = given["fetch-depth"] or "1"
    command = ["git", "clone", "--quiet", "--depth", depth, f"file://{source}", str(workspace)]
    subprocess.run(command, check=True)  # noqa: S603 - git, on folders of the test
    if os.environ.get("STAND_INS_VENV") == "yes":
        make_venv(run, workspace)


def make_venv(run: Run, workspace: Path) -> None:
    """A .venv with the workspace's code, and with the packages of the Python that runs the tests, loaded already."""
    folder = workspace / ".venv"
    if run.is_hollow:
        (folder / "bin").mkdir(parents=True)
        for name in ("python", "object-store"):
            _script(folder / "bin" / name, f'exec {run.settings["stand_in"]} hollow-{name} "$@"')
    else:
        code = f'export PYTHONPATH="{workspace}${{PYTHONPATH:+:$PYTHONPATH}}"'
        _script(folder / "bin" / "python", code, f'exec "{run.settings["warm_python"]}" "$@"')
        _script(folder / "bin" / "object-store", f'exec "{folder}/bin/python" -m cli "$@"')
    mark = "from sandbox import bootstrap as b; b._mark(b.LOCK).write_text(b._fingerprint(b.LOCK))"
    subprocess.run([run.settings["python"], "-c", mark], cwd=workspace, check=True)  # noqa: S603 - this Python


def _script(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)


def install_pulumi(run: Run, given: dict[str, str]) -> None:
    """`pulumi` on PATH: the engine, attached to the stand-in plugin of the job's cloud."""
    del given
    folder = Path(os.environ["RUNNER_TEMP"]) / "pulumi-cli"
    if run.is_hollow:
        _script(folder / "pulumi", f'exec {run.settings["stand_in"]} hollow-pulumi "$@"')
    else:
        providers = run.folder / "providers" / run.job
        _script(
            folder / "pulumi",
            *(f"export {name}='{value}'" for name, value in run.settings["engine_environment"].items()),
            'export PULUMI_HOME="$RUNNER_TEMP/pulumi-home"',
            f'export PULUMI_DEBUG_PROVIDERS="$(cat "{providers}")"',
            f'exec "{run.settings["engine"]}" "$@"',
        )
        if run.job in run.settings["providers"]:
            providers.parent.mkdir(exist_ok=True)
            providers.write_text(run.settings["providers"][run.job])
    offer("GITHUB_PATH", str(folder))


def assume_role(run: Run, given: dict[str, str]) -> None:
    """The variables of the sandbox's aws server; the keys are in a file, like a profile's."""
    for name, value in run.settings["aws_environment"].items():
        offer("GITHUB_ENV", f"{name}={value}")
    offer("GITHUB_ENV", f"AWS_REGION={given['aws-region']}")


def upload(run: Run, given: dict[str, str]) -> None:
    """Keep files under the artifact's name: a folder's content, or the matches of a pattern below its fixed part."""
    pattern = given["path"]
    base = Path(pattern) if not set(pattern) & set("*?[") else Path(pattern).parent
    found = [path for path in sorted(base.rglob("*")) if path.is_file()]
    if base != Path(pattern):
        found = [path for path in found if fnmatch.fnmatch(str(path), pattern)]
    if not found:
        if given["if-no-files-found"] == "error":
            raise SystemExit(f"no files were found with the provided path: {pattern}")
        return
    for path in found:
        target = run.folder / "artifacts" / given["name"] / path.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def download(run: Run, given: dict[str, str]) -> None:
    """Give the files of all artifacts to another job, in one folder."""
    if given["merge-multiple"] != "true":
        raise SystemExit("this stand-in only merges")
    Path(given["path"]).mkdir(parents=True, exist_ok=True)
    for artifact in sorted((run.folder / "artifacts").glob(given["pattern"])):
        shutil.copytree(artifact, given["path"], dirs_exist_ok=True)


def nothing(run: Run, given: dict[str, str]) -> None:
    """An action whose work is already done on this machine."""
    del run, given


ANSWERS = {
    "actions/checkout": checkout,
    "actions/setup-python": nothing,
    "actions/setup-go": nothing,
    "actions/cache": nothing,
    "actions/upload-artifact": upload,
    "actions/download-artifact": download,
    "pulumi/actions": install_pulumi,
    "aws-actions/configure-aws-credentials": assume_role,
}


def gh(run: Run, words: list[str]) -> None:
    """The comments of a pull request in a file: `--paginate` lists them, POST creates one, PATCH changes one."""
    kept = Path(os.environ["STAND_INS_COMMENTS"])
    comments: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    body = next((Path(word.removeprefix("body=@")).read_text() for word in words if word.startswith("body=@")), None)
    run.note("gh", words=words, has_token=bool(os.environ.get("GH_TOKEN")))
    if "--paginate" in words:
        asked = words[words.index("--jq") + 1]
        for number, text in comments.items():
            if text.split("\n", 1)[0] in asked:
                sys.stdout.write(f"{number}\n")
    elif body is not None:
        path = next(word for word in words if word.startswith("repos/"))
        number = path.rsplit("/", 1)[1] if "PATCH" in words else str(41 + len(comments))
        comments[number] = body
        kept.write_text(json.dumps(comments))


def docker(run: Run, words: list[str]) -> None:
    """`docker run` of MinIO: the sandbox's server at the published port, with the mounted certificate and root key."""
    run.note("docker", words=words)
    folder = run.folder / "minio"
    if words[0] == "logs" and not run.is_hollow:
        sys.stdout.write((folder / "serve.log").read_text())
    if words[0] != "run" or run.is_hollow:
        return
    options = dict(itertools.pairwise(words))
    mounted = Path(options["--volume"].split(":")[0])
    lines = Path(options["--env-file"]).read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines)
    folder.mkdir(mode=0o700)
    for name in ("public.crt", "private.key"):
        shutil.copy2(mounted / name, folder / name)
    shutil.copy2(mounted.parent / "ca.pem", folder / "ca.pem")
    admin = {"user": values["MINIO_ROOT_USER"], "password": values["MINIO_ROOT_PASSWORD"]}
    descriptor = os.open(folder / "admin.json", os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(admin, file)
    host, port, _ = options["--publish"].split(":")
    (folder / "ports.json").write_text(json.dumps({"endpoint": f"https://{host}:{port}"}))
    state = _serving(run, folder)
    if state["endpoint"] != f"https://{host}:{port}":
        raise SystemExit(f"port {port} is taken")
    providers = run.folder / "providers"
    providers.mkdir(exist_ok=True)
    (providers / run.job).write_text(f"{state['plugin']}:{state['plugin_port']}")


def _serving(run: Run, folder: Path) -> dict[str, Any]:
    """Start the server in its own session, like a container; it ends with the tests.

    The plugin uses the workspace's code and CA path.
    """
    environ = {**os.environ, "PYTHONPATH": os.environ["GITHUB_WORKSPACE"]}
    command = [run.settings["python"], __file__, "serve", str(folder), str(run.settings["parent"])]
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - this file
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ, start_new_session=True
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "server.json").exists():
            state: dict[str, Any] = json.loads((folder / "server.json").read_text())
            return state
        time.sleep(0.1)
    raise SystemExit(f"no server: {(folder / 'output').read_text()}")


def serve(folder: Path, parent: int) -> None:
    """Serve as MinIO with the mounted certificate, not with one of the sandbox's own."""
    from sandbox.server import embedded as server  # noqa: PLC0415 - only in this mode, under the tests' own Python
    from sandbox.server import serve as served  # noqa: PLC0415 - likewise
    from sandbox.server.certificates import Certificates  # noqa: PLC0415 - likewise
    from sandbox.server.s3_actions import Cloud  # noqa: PLC0415 - likewise

    mounted = Certificates(folder / "ca.pem", folder / "public.crt", folder / "private.key")
    vars(server)["make_certificates"] = lambda _: mounted
    served.run(Cloud.AISTOR, folder, parent_pid=parent, with_plugin=True, admin_api=None)


def hollow(run: Run, program: str, words: list[str]) -> None:
    """A command that only writes the requested files, and fails if the test requires it."""
    if program == "python" and words[0] == "-c":
        os.execv(run.settings["python"], [run.settings["python"], *words])  # noqa: S606 - the tests' own Python
    run.note(program, words=words)
    for option, path in itertools.pairwise(words):
        if option in {"--out", "--json", "--html", "--junitxml"}:
            Path(path).write_text(f"{' '.join(words)}\n")
    fails = os.environ.get("STAND_INS_FAILS", "")
    if fails and fails in f"{program} {' '.join(words)}":
        raise SystemExit(3)


def main(arguments: list[str]) -> None:
    """Run the requested stand-in."""
    what, *words = arguments
    if what == "serve":
        serve(Path(words[0]), int(words[1]))
        return
    run = Run()
    if what in ANSWERS:
        given = json.loads(os.environ["STAND_INS_WITH"])
        run.note(what, given=given)
        ANSWERS[what](run, given)
    elif what == "gh":
        gh(run, words)
    elif what == "docker":
        docker(run, words)
    elif what == "curl":
        run.note("curl", words=words)
    else:
        hollow(run, what.removeprefix("hollow-"), words)


if __name__ == "__main__":
    main(sys.argv[1:])

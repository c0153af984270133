"""Runs a workflow with act on this machine, and reads from its log the jobs and steps that ran, and their results.

The rule: everything is in the test's own folder, including HOME, and a job has only those variables of the caller that
lead pip to its index. act's masking is off, so that a printed secret is visible. A step without a result in the log did
not run. Left out, because act leaves it out: the filters of a trigger, approvals, concurrency, time limits,
permissions, and secrets of one environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.workflows.stand_ins import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
STAND_IN = f'"{sys.executable}" -I -S "{HERE / "stand_ins.py"}"'  # only the standard library, because it starts often
EVENTS = HERE / "events"
SECONDS = 400
RUN_ID = "17029384756"
NODE = shutil.which("node")
NAMES = {"AISTOR_ROOT_USER"}  # not secret, and the preflight's report names the tried user; GitHub masks it in the log
# The variables that say where packages come from on this machine; `make env` needs them.
PIP = {key: value for key, value in os.environ.items() if key.startswith("PIP_") or key.upper().endswith("_PROXY")}
# Every bash that runs a step reads it: it records the job's variables, for checks of secrets.
NOTE_ENVIRONMENT = """if [ -n "${GITHUB_JOB:-}" ]; then
    (umask 077; env -0 > "$STAND_INS_RUN/environments/$GITHUB_JOB-$BASHPID")
fi
"""


@dataclass(frozen=True)
class Job:
    """A job that ran.

    Attributes:
        result: `success` or `failure`.
        steps: The result of each step of the workflow's file by its name: `success`, `failure`, or `skipped`.
        said: The output of its steps.
        summary: The job's summary.
    """

    result: str
    steps: Mapping[str, str]
    said: str
    summary: str


@dataclass(frozen=True)
class Acted:
    """The result of a run.

    Attributes:
        status: act's exit status.
        jobs: The jobs that ran, by id.
        log: The whole output of act.
        folder: The folder with the records of the stand-ins.
    """

    status: int
    jobs: Mapping[str, Job]
    log: str = field(repr=False)
    folder: Path

    @property
    def results(self) -> dict[str, str]:
        """The result of each job that ran."""
        return {name: job.result for name, job in self.jobs.items()}

    @cached_property
    def calls(self) -> list[dict[str, Any]]:
        """Every call of a stand-in, in order."""
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def called(self, what: str, job: str | None = None) -> list[str]:
        """The arguments of each call of a program."""
        return [" ".join(call["words"]) for call in self.calls if call["what"] == what and job in {None, call["job"]}]

    def given(self, action: str, job: str) -> list[dict[str, str]]:
        """The inputs of each use of an action in a job."""
        return [call["given"] for call in self.calls if (call["what"], call["job"]) == (action, job)]

    def artifact(self, name: str) -> dict[str, str]:
        """The files of an artifact."""
        folder = self.folder / "artifacts" / name
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}

    def held(self, job: str, secrets: Mapping[str, str]) -> set[str]:
        """The secrets that any step of a job had in its environment."""
        noted = [path.read_text() for path in (self.folder / "environments").glob(f"{job}-*")]
        assert noted
        return {name for name, value in secrets.items() if any(value in text for text in noted)}

    @property
    def shown(self) -> str:
        """Everything that readers outside the job can see: log, calls, summaries, artifacts, comments."""
        left = [path for path in self.folder.glob("artifacts/**/*") if path.is_file()]
        left += [path for path in (self.folder / "calls.jsonl", self.folder / "comments.json") if path.exists()]
        return "\n".join([self.log, *(path.read_text(encoding="utf-8") for path in left)])


@dataclass(frozen=True)
class Actor:
    """act, with the stand-ins of a session.

    Attributes:
        program: act.
        folder: The parent of each run's folder.
        settings: The session's settings for the stand-ins.
        secrets: By name; every run has all of them, for every event, so only the workflow keeps them from a job.
        variables: By name; every run has all of them.
    """

    program: Path
    folder: Path
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)
    variables: Mapping[str, str]

    def run(
        self,
        workflow: str,
        event: str,
        source: Path,
        *,
        job: str | None = None,
        changes: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
        hollow: bool = False,
        ready: bool = True,
        fails: str = "",
        comments: Path | None = None,
    ) -> Acted:
        """Run a workflow.

        Args:
            workflow: Its file's stem.
            event: The file in `events/`.
            source: The checkout; the jobs check out its HEAD.
            job: Run only this job, and the jobs that it needs.
            changes: Values of the event's file to replace.
            variables: Variables of the repository in addition to those of the session.
            hollow: The programs of `.venv`, `pulumi` and `curl` do nothing.
            ready: The checkout has the environment of an earlier `make env`.
            fails: The hollow command that must fail: any part of its line.
            comments: The file of the pull request's comments, if they must last for several runs.
        """
        number = sum(1 for _ in self.folder.iterdir())
        folder = self.folder / f"{number:02}-{workflow}-{event}"
        for name in ("home", "environments"):
            (folder / name).mkdir(parents=True)
        payload = json.loads((EVENTS / f"{event}.json").read_text()) | dict(changes or {})
        (folder / "event.json").write_text(json.dumps(payload))
        (folder / "environment.sh").write_text(NOTE_ENVIRONMENT)
        self._write_programs(folder / "bin", hollow=hollow)
        for name, values in (("secrets", self.secrets), ("variables", {**self.variables, **(variables or {})})):
            write_private(folder / name, "".join(f"{key}={json.dumps(value)}\n" for key, value in values.items()))
        write_private(folder / "settings.json", json.dumps(self.settings))
        path = source / ".github" / "workflows" / f"{workflow}.yml"
        command = self._command(folder, path, source, "pull_request" if event.startswith("pull_request") else event)
        command += ["--job", job] if job else []
        environ = {
            **self._environment(folder),
            "STAND_INS_SOURCE": str(source),
            "STAND_INS_HOLLOW": "yes" if hollow else "no",
            "STAND_INS_VENV": "yes" if ready else "no",
            "STAND_INS_FAILS": fails,
            "STAND_INS_COMMENTS": str(comments or folder / "comments.json"),
        }
        done = subprocess.run(  # noqa: S603 - act, on workflows of this repository
            command, cwd=source, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        shutil.rmtree(folder / "act", ignore_errors=True)
        log = done.stdout + done.stderr
        acted = Acted(done.returncode, jobs_in(log, path), log, folder)
        assert "environment: creating" not in log or not ready, "the environment was created again"
        shown = [name for name, value in self.secrets.items() if name not in NAMES and value in acted.shown]
        assert not shown, f"{workflow} on {event} shows {', '.join(shown)}"
        return acted

    def _command(self, folder: Path, workflow: Path, source: Path, trigger: str) -> list[str]:
        """The command line of act, with a stand-in for each foreign action."""
        command = [str(self.program), trigger, "--json", "--insecure-secrets", "--workflows", str(workflow)]
        command += ["--eventpath", str(folder / "event.json"), "--directory", str(source), "--no-skip-checkout"]
        command += ["--secret-file", str(folder / "secrets"), "--var-file", str(folder / "variables")]
        command += ["--action-cache-path", str(folder / "act"), "--no-cache-server", "--container-daemon-socket", "-"]
        for label in ("ubuntu-24.04", "self-hosted", "joelclaw"):
            command += ["--platform", f"{label}=-self-hosted"]
        for name, value in (("GITHUB_RUN_ID", RUN_ID), ("GITHUB_REPOSITORY", "o/r")):
            command += ["--env", f"{name}={value}"]
        for use, replaced in self._actions(folder / "actions", source).items():
            command += ["--local-repository", f"{use}={replaced}"]
        return command

    def _environment(self, folder: Path) -> dict[str, str]:
        """The environment of act, which every step gets as well."""
        return {
            **PIP,
            "PATH": f"{folder / 'bin'}:{self.settings['path']}",
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            # act gives steps a terminal; GitHub's runners have none.
            "TERM": "dumb",
            "NO_COLOR": "1",
            "TTY_COMPATIBLE": "0",
            "COLUMNS": "200",
            "ACT_DISABLE_VERSION_CHECK": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "BASH_ENV": str(folder / "environment.sh"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "STAND_INS_RUN": str(folder),
            "STAND_INS_SETTINGS": str(folder / "settings.json"),
        }

    def _write_programs(self, folder: Path, *, hollow: bool) -> None:
        """The programs that are first on PATH."""
        folder.mkdir()
        for name in ("gh", "docker", *(["curl"] if hollow else [])):
            script = folder / name
            script.write_text(f'#!/bin/sh\nexec {STAND_IN} {name} "$@"\n')
            script.chmod(0o755)
        if NODE:  # act computes `hashFiles` with it
            (folder / "node").symlink_to(NODE)

    def _actions(self, folder: Path, source: Path) -> dict[str, Path]:
        """A folder for each foreign action in the checkout's files, by its `uses` text."""
        replaced = {}
        for path in sorted((source / ".github").rglob("*.yml")):
            for action, ref in re.findall(r"uses: ([\w.-]+/[\w.-]+)@([0-9a-f]{40})", path.read_text(encoding="utf-8")):
                target = folder / action.replace("/", "-")
                target.mkdir(parents=True, exist_ok=True)
                (target / "action.yml").write_text(yaml.safe_dump(self._action(action)))
                replaced[f"{action}@{ref}"] = target
        return replaced

    def _action(self, action: str) -> dict[str, Any]:
        """The file of an action that passes its inputs to the stand-in."""
        step = {
            "shell": "bash",
            "env": {"STAND_INS_WITH": "${{ toJSON(inputs) }}"},
            "run": f"{STAND_IN} {action}",
        }
        inputs = {name: {"description": "as of the real one", "default": ""} for name in ACTIONS[action]}
        return {
            "name": action,
            "description": "stands in for it",
            "inputs": inputs,
            "runs": {"using": "composite", "steps": [step]},
        }


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def jobs_in(log: str, workflow: Path) -> dict[str, Job]:
    """The jobs of a log; the workflow gives the names of all steps."""
    declared: dict[str, Any] = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    entries = []
    for line in log.splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            if entry.get("jobID") in declared:
                entries.append(entry)
    found = {}
    for name in dict.fromkeys(entry["jobID"] for entry in entries):
        own = [entry for entry in entries if entry["jobID"] == name]
        result = next((entry["jobResult"] for entry in reversed(own) if "jobResult" in entry), None)
        if result is None:
            continue
        steps = {step["name"]: "skipped" for step in declared[name]["steps"]}
        for entry in own:
            if entry.get("stage") == "Main" and "stepResult" in entry and len(entry["stepID"]) == 1:
                steps[entry["step"]] = entry["stepResult"]
        said = "".join(entry["msg"] for entry in own if entry.get("raw_output"))
        summary = "".join(entry["content"] for entry in own if entry.get("command") == "summary")
        found[name] = Job(result, steps, said, summary)
    return found

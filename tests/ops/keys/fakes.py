"""The external programs of a delivery, as executables on PATH that behave like the real ones.

The rule: each call is recorded with its arguments, its standard input and its environment, so that a test can check
where no value was. `secrets` v0.4.1 responds as the real one did (agent-secrets at 45a8125): JSON on a pipe, exit
status 0 for a failed lease, and an `update` that would replace the program itself. A failure of a mood is like the
real one's. No source of v0.5 is public: the fake follows the description of its users (raw leases, `update NAME`).
"""

import json
import sys
from pathlib import Path
from typing import Any

_COMMON = """#!{python} -{flags}
import json, os, pathlib, sys, time
folder = pathlib.Path(__file__).resolve().parent
me, words = pathlib.Path(__file__).name, sys.argv[1:]
mood = json.loads((folder / f"{{me}}.mood").read_text())
state_file = folder / f"{{me}}.state"
state = json.loads(state_file.read_text())
stdin = sys.stdin.read()
with open(folder / "calls", "a") as calls:
    calls.write(json.dumps(
        {{"me": me, "argv": sys.argv, "stdin": stdin, "environ": dict(os.environ), "cmdline":
          pathlib.Path("/proc/self/cmdline").read_bytes().decode()}}) + "\\n")
def save():
    state_file.write_text(json.dumps(state))
def moody(what):
    if mood.get("hang") == what:
        time.sleep(600)
    return mood.get(what)
"""

_SECRETS = """
OLD = mood["version"] == "0.4.1"
USAGE = "Usage:\\n  secrets add <name> [flags]\\n\\nFlags:\\n      --value string   Secret value\\n"
HELP_OLD = "Check for and install the latest version from GitHub releases.\\n\\nUsage:\\n  secrets update [flags]\\n"
HELP_NEW = "Set a new value for a secret.\\n\\nUsage:\\n  secrets update <name> [flags]\\n"
def tell(**answer):
    print(json.dumps(answer, indent=2))
def fail(error, status):
    tell(success=False, error=error, exit_code=1) if OLD else print("Error: " + error)
    if status and OLD:
        print("Error: " + error + "\\n" + USAGE, file=sys.stderr)
    sys.exit(status)
DOWN = "Error: Failed to connect to daemon\\n  Socket path: \\n\\nThe daemon doesn't appear to be running."
command = words[0]
if command == "update" and words[1:] == ["--help"]:
    print(HELP_OLD if OLD else HELP_NEW)
    sys.exit(0)
if command == "version":
    tell(success=True, message="Version information", data={"version": mood["version"], "os": "linux"})
    sys.exit(0)
if command == "update" and OLD:
    (folder / "REPLACED-ITSELF").touch()
    sys.exit(0)
moody(command)
if mood.get("daemon") == "down":
    fail(DOWN, 0 if command == "lease" else 1)
if mood.get("store") == "locked":
    fail("RPC error -32603: failed to decrypt store: identity is locked", 0 if command == "lease" else 1)
if command == "status":
    tell(success=True, message="Daemon status retrieved", data={"running": True, "secrets_count": len(state)})
elif command == "lease":
    name = words[1]
    assert words[2:] == ["--ttl", "1m"], words
    if mood.get("lease fails") == name:
        fail("failed to acquire lease: RPC error -32001: killswitch is active", 0)
    if name not in state:
        fail(f'failed to acquire lease: RPC error -32000: secret "{name}": secret not found', 0)
    if OLD:
        tell(success=True, message="Lease acquired", data={"lease_id": "0eca0e9e-6467-4bb2-9cb5-a528648a3b90",
             "secret_name": name, "value": state[name], "ttl": "1m", "client_id": "host"}, actions=[])
    else:
        print(state[name])
elif command == "revoke":
    assert words[1:] == ["0eca0e9e-6467-4bb2-9cb5-a528648a3b90"], words
    tell(success=True, message="Lease revoked successfully")
elif command in ("add", "update"):
    (name,) = words[1:]
    if (command == "add") == (name in state):
        what = f'secret "{name}": secret ' + ("already exists" if name in state else "not found")
        fail(f"failed to {command} secret: RPC error -32603: {what}", 1)
    if mood.get("read only"):
        fail("failed to write the store: read-only file system", 1)
    if mood.get("dies at") == name:
        mood |= mood.get("then", {})
        (folder / f"{me}.mood").write_text(json.dumps(mood))
        print(f"panic: could not store {stdin}", file=sys.stderr)
        os.kill(os.getpid(), 9)
    if mood.get("hangs at") == name:
        time.sleep(600)
    state[name] = "another" if mood.get("forgets") == name else (stdin.splitlines() or [""])[0].strip()
    save()
    if mood.get("down after") == name:
        (folder / f"{me}.mood").write_text(json.dumps(mood | {"daemon": "down"}))
    tell(success=True, message=f"Secret '{name}' set") if OLD else print("ok")
else:
    fail("unknown command " + command, 1)
"""

_KUBECTL = """
import base64, yaml
words = [word for word in words if not word.startswith("--request-timeout")]
if words[0].startswith("--context="):
    if words.pop(0) != "--context=there":
        sys.exit("error: context was not found for specified context")
def refuse(text):
    print(text, file=sys.stderr)
    sys.exit(1)
if moody("unreachable"):
    get = 'Get "http://localhost:6443/api?timeout=20s": dial tcp 127.0.0.1:6443: connect: connection refused'
    for _ in range(5):
        print(f'E1126 04:10:46.8 3589 memcache.go:265] "Unhandled Error" err="{get}"', file=sys.stderr)
    refuse("The connection to the server localhost:6443 was refused - did you specify the right host or port?")
if words[:2] == ["auth", "can-i"]:
    print("no - no RBAC policy matched" if mood.get("forbidden") else "yes")
    sys.exit(1 if mood.get("forbidden") else 0)
if words[0] == "get":
    kind, name = words[1:3]
    assert words[3:] == ["--namespace", "joelclaw", "--ignore-not-found", "-o", "json"], words
    if mood.get("reading forbidden"):
        refuse(f'Error from server (Forbidden): secrets "{name}" is forbidden: User "x" cannot get resource')
    if f"{kind}/{name}" in state:
        print(json.dumps(state[f"{kind}/{name}"]))
elif words[0] == "apply":
    assert words[1:6] == ["--server-side", "--field-manager", "object-store-deliver", "-f", "-"], words
    tried = words[6:] == ["--dry-run=server"]
    assert tried or not words[6:], words
    if mood.get("no namespace"):
        refuse('Error from server (NotFound): namespaces "joelclaw" not found')
    if mood.get("conflict"):
        refuse('error: Apply failed with 1 conflict: conflict with "helm" using v1: .data.AWS_ACCESS_KEY_ID')
    for place, document in enumerate(yaml.safe_load_all(stdin)):
        if not tried and mood.get("dies after") == place:
            refuse("Error from server: etcdserver: request timed out; sent: " + stdin)
        if not tried and mood.get("gone after") == place:
            (folder / f"{me}.mood").write_text('{"unreachable": true}')
            refuse("error: connection lost")
        if not tried and mood.get("hangs after") == place:
            time.sleep(600)
        if not tried:
            state[document["kind"].lower() + "/" + document["metadata"]["name"]] = document
            save()
else:
    refuse("unknown command")
"""

_PULUMI = """
if "output" not in words or "--show-secrets" not in words:
    sys.exit("not asked for here: " + " ".join(words))
if words[words.index("--stack") + 1] not in state:
    sys.exit("error: no stack named 'x' found")
print(json.dumps(state[words[words.index("--stack") + 1]]))
sys.exit(mood.get("status", 0))
"""


class Fake:
    """One program on PATH.

    Attributes:
        folder: Its folder, with its files.
        name: Its name.
    """

    def __init__(self, folder: Path, name: str, body: str, *, state: Any, flags: str = "IS", **always: str) -> None:  # noqa: ANN401 - JSON
        """Create the program; `always` belongs to every mood."""
        self.folder, self.name, self.always = folder, name, always
        program = folder / name
        program.write_text(_COMMON.format(python=sys.executable, flags=flags) + body, encoding="utf-8")
        program.chmod(0o755)
        self.mood()
        self.state = state

    def mood(self, **mood: object) -> None:
        """Set its behaviour from now on."""
        (self.folder / f"{self.name}.mood").write_text(json.dumps(self.always | mood), encoding="utf-8")

    @property
    def state(self) -> Any:  # noqa: ANN401 - JSON
        """Its content."""
        return json.loads((self.folder / f"{self.name}.state").read_text(encoding="utf-8"))

    @state.setter
    def state(self, value: Any) -> None:  # noqa: ANN401 - JSON
        (self.folder / f"{self.name}.state").write_text(json.dumps(value), encoding="utf-8")

    def calls(self, *verbs: str) -> list[list[str]]:
        """The arguments of its calls so far, for some verbs or for all."""
        path = self.folder / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        found = [one["argv"][1:] for one in map(json.loads, lines) if one["me"] == self.name]
        return [words for words in found if not verbs or set(verbs) & set(words)]


def fake_secrets(folder: Path, version: str) -> Fake:
    """The owner's CLI in some version."""
    return Fake(folder, "secrets", _SECRETS, state={}, version=version)


def fake_kubectl(folder: Path) -> Fake:
    """A cluster with a namespace `joelclaw`."""
    return Fake(folder, "kubectl", _KUBECTL, state={}, flags="I")


def fake_pulumi(folder: Path, outputs: dict[str, Any]) -> Fake:
    """An engine that knows a stack `local`."""
    return Fake(folder, "pulumi", _PULUMI, state={"local": outputs})


def exposed(folder: Path, values: list[str]) -> list[str]:
    """The calls with a value in their arguments or their environment."""
    path = folder / "calls"
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        call = json.loads(line)
        seen = json.dumps([call["argv"], call["environ"], call["cmdline"]])
        found += [line for value in values if value in seen or json.dumps(value)[1:-1] in seen]
    return found

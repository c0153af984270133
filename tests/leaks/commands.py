"""Every command of the project, on its good and bad paths.

The rule: a new command gets a line here; `test_commands.py` fails until it has one, or a reason in `BENEATH`. The
sandbox fills in braces in arguments and variables (`conftest.py`). The lines of one lane run one after another on that
stack, and each leaves the stack as the next one expects it.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from cli.commands import COMMANDS as NAMES

Lane = Literal["local", "aws", "none"]
HANDED_OUT = "handed out"
TOKEN = "environment: AWS_SESSION_TOKEN"  # noqa: S105 - a name
ABORT, END = (2, signal.SIGABRT), (2, signal.SIGTERM)
SLOWLY = "verify --stack local --jobs 1"
WRONG_KEY = {"AWS_ACCESS_KEY_ID": "AKIAPLANTEDPLANTED00"}  # its secret is the planted secret
ROOT_PASSWORD = "planted/Root+Password=0123456789abcdefgh"  # noqa: S105 - planted, to be searched for
NOBODY = "http://127.0.0.1:9"
HALF = {"OBJECTSTORE_WORKER_ACCESS_KEY_ID": "some-key"}
AT_SANDBOX = WRONG_KEY | {"S3_ENDPOINT": "{endpoint}", "S3_CA_BUNDLE": "{ca}", "AWS_REGION": "us-east-1"}
AT_NOBODY = WRONG_KEY | {"S3_ENDPOINT": NOBODY, "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class Command:
    """One way to run a command.

    Attributes:
        name: The test's id.
        words: The words after `python -m`, or `pulumi` and its arguments.
        statuses: The exit statuses that this path may have.
        lane: The stack whose environment it runs in; `none` for only the planted variables.
        shows: Planted secrets that it prints on purpose, only on standard output, by the beginning of their names.
        says: A text of its output that shows that this path ran.
        environ: Further variables.
        text: Its standard input.
        kill: The seconds from its first child to the signal that it gets, and the signal.
        debug: Every Python process of it logs everything at debug level.
        makes_keys: It creates keys: the secrets that the stack publishes are planted before its output is searched.
    """

    name: str
    words: tuple[str, ...]
    statuses: tuple[int, ...] = (0,)
    lane: Lane = "none"
    shows: tuple[str, ...] = ()
    says: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    kill: tuple[float, signal.Signals] | None = None
    debug: bool = False
    makes_keys: bool = False


def line(name: str, words: str, *statuses: int, lane: Lane = "none", **rest: object) -> Command:
    """A command whose words contain no white space."""
    return Command(name, tuple(words.split()), statuses or (0,), lane, **rest)  # type: ignore[arg-type]  # names of fields


PACK = "--policy-pack {checkout}/policy --policy-pack-config {checkout}/policy/disposable.json"
UP = "pulumi up --yes --skip-preview"
REPORTS = "--html {out}/r.html --json {out}/r.json --junitxml {out}/r.xml --save-facts {out}/facts.json"
LOGGED = "-o log_cli=true --log-cli-level=DEBUG -o junit_logging=all --junitxml {out}/log.xml"
KEYS = "cli keys"
COMMAND_KEY = ("pulumi", "config", "set", "object-store:adminCredentialsCommand")
NO_PASSWORD = {"AISTOR_ROOT_PASSWORD": ""}
YES = "--stack local --yes"
DELIVER = f"{KEYS} deliver --stack local --identity reader --to"
VERIFY = "--bucket agent-loop-artifacts --only lifecycle_as_planned"
PUBLISHED = "--deployment {deployment} --credentials {credentials}"
SWAPPED = "--deployment {deployment} --credentials {swapped}"
OPEN = "--deployment {deployment} --credentials {open}"
AS_WORKER = f"{PUBLISHED} --identity worker"
# As the archiver of sessions, whose store is away; the domain is not among those of the deployed stacks here.
AS_ARCHIVER = AT_NOBODY | {"S3_BUCKETS": '{{"session-archive": "sessions-of-a-test"}}'}
DAY = "--from 2026-11-30 --to 2026-11-30"
AS_EXPORTER = AT_NOBODY | {
    "S3_BUCKETS": '{{"otel-archive": "events-of-a-test"}}',
    "CLICKHOUSE_URL": "http://127.0.0.1:9",
}
AS_TYPESENSE = AS_EXPORTER | {"TYPESENSE_URL": NOBODY, "TYPESENSE_API_KEY": ROOT_PASSWORD}
AS_FINDER = AT_NOBODY | {"S3_BUCKETS": '{{"discovery-raw": "finds-of-a-test"}}'}
QUOTED = quote(ROOT_PASSWORD, safe="")
FIND = "cli discovery put --at 2026-11-30T04:00:00Z -"
AS_LIBRARY = AT_NOBODY | {"S3_BUCKETS": '{{"docs-raw": "documents-of-a-test", "docs-derived": "derived-of-a-test"}}'}
AS_CONSUMER = AT_NOBODY | {"S3_BUCKETS": '{{"media-derived": "receipts-of-a-test"}}'}
AS_KEEPER = AT_NOBODY | {"S3_BUCKETS": '{{"media-raw": "media-of-a-test", "media-derived": "receipts-of-a-test"}}'}
HAND_OVER = f"cli media presign-upload --name a.jpg --size 3 --sha256 {'a' * 64} --source telegram --at 2026-11-30"
GIVEN_FILE = "s3://media-of-a-test/chat/telegram/2026/11/30/aaaaaaaaaaaaaaaa/a.jpg"
KEEP = "cli media put pyproject.toml --source telegram"
BY_PATH = f'{{"name": "docs/ingest.requested", "data": {{"filePath": "/x/{ROOT_PASSWORD}"}}}}'
AS_VAULT = AT_NOBODY | {"S3_BUCKETS": '{{"vault-backups": "notes-of-a-test"}}'}
HELPED = (
    "cli",
    *(f"cli {name}" for name in NAMES),
    *(f"cli keys {name}" for name in ("status", "rotate", "retire", "revoke", "deliver")),
    *(f"cli sandbox {name}" for name in ("up", "down", "status", "env", "deploy", "verify", "engine", "rehearse")),
    *(f"cli sessions {name}" for name in ("archive", "coverage", "restore", "cat", "prune")),
    *(f"cli vault {name}" for name in ("snapshot", "list", "restore", "drill")),
    *(f"cli otel {name}" for name in ("export", "gaps", "restore", "query", "backfill")),
    "cli discovery put",
    *(f"cli media {name}" for name in ("put", "presign-upload", "confirm")),
    *(f"cli documents {name}" for name in ("put", "backfill", "job")),
    *(f"cli events {name}" for name in ("resolve", "shims")),
    *(f"cli window {name}" for name in ("status", "reconcile", "end")),
    "object_store",
    "sandbox.server.serve",
    "verify",
    "bench.adapter",
    "bench.archives",
    "bench.ingest",
    "bench.otel",
    "bench.preview",
    "bench.typescript",
    "bench.vault",
    "bench.verify_audit",
    "bench.verify_growth",
    "bench.verify_rate",
    "docs.differences",
)

COMMANDS = (
    # The workloads; tests/workloads searches the outputs and receipts of whole runs.
    line("sessions archive", "cli sessions archive --source codex-session-index", 2, environ=AS_ARCHIVER, debug=True),
    line("sessions coverage", "cli sessions coverage", 2, environ=AS_ARCHIVER, debug=True),
    line("sessions restore", "cli sessions restore --to {out}/b", 2, environ=AS_ARCHIVER),
    line("sessions cat", "cli sessions cat some-session", 2, environ=AS_ARCHIVER),
    line("sessions prune", "cli sessions prune", 2, environ=AS_ARCHIVER, says="sessions.prune"),
    line("sessions, no key", "cli sessions archive --store {out}/nothing", 2, says="cannot be read"),
    line("vault snapshot", "cli vault snapshot", 2, environ=AS_VAULT, debug=True),
    line("vault list", "cli vault list", 2, environ=AS_VAULT),
    line("vault restore", "cli vault restore --to {out}/b", 2, environ=AS_VAULT),
    line("vault drill", "cli vault drill", 2, environ=AS_VAULT),
    line("vault drill, check", "cli vault drill --check", 2, environ=AS_VAULT),
    line("otel export", "cli otel export", 2, environ=AS_EXPORTER, debug=True),
    line("otel gaps", "cli otel gaps", 2, environ=AS_EXPORTER),
    line("otel restore", f"cli otel restore {DAY} --to-file {{out}}/events", 2, environ=AS_EXPORTER),
    line("otel query", f"cli otel query SELECT {DAY}", 2, environ=AS_EXPORTER),
    line("otel backfill", "cli otel backfill", 2, environ=AS_TYPESENSE, debug=True),
    line("discovery put", FIND, 2, environ=AS_FINDER, text=f"http://127.0.0.1:9/?token={ROOT_PASSWORD}", debug=True),
    line("discovery put, user", FIND, 2, environ=AS_FINDER, text=f"http://u:{QUOTED}@h.test/", says="a user"),
    line("media presign-upload", HAND_OVER, 2, environ=AS_KEEPER, debug=True),
    line("media confirm", f"cli media confirm {GIVEN_FILE}", 2, environ=AS_KEEPER, debug=True),
    line("media put", f"{KEEP} --at 2026-11-30", 2, environ=AS_KEEPER, debug=True),
    line("documents put", "cli documents put pyproject.toml", 2, environ=AS_LIBRARY, debug=True),
    line("documents backfill", "cli documents backfill docs", 2, environ=AS_LIBRARY),
    line("documents job", "cli documents job /books --shards 8", 2, environ=AS_LIBRARY, says="--image"),
    line("events resolve", "cli events resolve - --to {out}/e", 1, environ=AS_CONSUMER, text=BY_PATH, debug=True),
    line("events shims", "cli events shims", 2, environ=AS_CONSUMER, debug=True),
    line("schedule", "cli schedule --for launchd", 2, says="is missing", environ=AS_ARCHIVER),
    line("window status", "cli window status", 2, environ=AS_ARCHIVER, debug=True),
    line("window reconcile", "cli window reconcile", 2, environ=AS_ARCHIVER),
    line("window status of events", "cli window status --workload otel", 2, environ=AS_EXPORTER),
    line("window end", "cli window end --reason done --workload vault", 2, environ=AS_VAULT),
    line("scrub", "cli scrub", 2, environ=AS_ARCHIVER, debug=True),
    line("receipts of the vault", "cli receipts --workload vault", 2, environ=AS_VAULT),
    line("receipts", "cli receipts", 2, environ=AS_ARCHIVER, debug=True),
    # A deployed stack.
    line("pulumi up", "pulumi up --yes --skip-preview", lane="local", says="unchanged", debug=True),
    line("pulumi preview", "pulumi preview --diff", lane="local", says="unchanged"),
    line("pulumi preview, pack", f"pulumi preview {PACK}", lane="local"),
    line("pulumi config", "pulumi config --json", lane="local", says="adminPassword"),
    line("pulumi config shown", "pulumi config --show-secrets --json", lane="local", shows=("",)),
    line("pulumi outputs", "pulumi stack output --json", lane="local", says="[secret]"),
    line("pulumi outputs shown", "pulumi stack output --show-secrets --json", lane="local", shows=(HANDED_OUT,)),
    line("pulumi export", "pulumi stack export", lane="local", says="ciphertext"),
    line("verify", f"verify --stack local --bucket agent-loop-artifacts {REPORTS}", lane="local", debug=True),
    line("verify, pytest's log", f"verify --stack local {VERIFY} {LOGGED}", lane="local"),
    line("verify, aborted", SLOWLY, -6, lane="local", kill=ABORT, says="Fatal Python error"),
    line("verify by the console", f"cli verify --stack local {VERIFY}", lane="local", says="0 failed"),
    line("verify, ended", SLOWLY, 143, lane="local", kill=END),
    line("verify, no such stack", "verify --stack nowhere", 2, lane="local"),
    line("preflight", "cli preflight --stack local --json {out}/preflight.json", lane="local", debug=True),
    line("job", "cli verify-job --stack local", lane="local", says="kind: Job"),
    line("job, secret", "cli verify-job --secret-manifest --stack local", lane="local", shows=(HANDED_OUT,)),
    line("preview", "cli preview --stack local --data-at-risk --format json", lane="local", debug=True),
    line("preview, no such stack", "cli preview --stack nowhere", 2, lane="local"),
    line("adopt, nothing", "cli adopt --stack local --yes", lane="local", says="nothing to adopt", debug=True),
    line("adopt, no such stack", "cli adopt --stack nowhere --yes", 2, lane="local"),
    line("recover", "cli recover --stack local", lane="local", says="no operation is pending"),
    line("recover, no such stack", "cli recover --stack nowhere", 2, lane="local"),
    line("keys", f"{KEYS} status --stack local", lane="local", says="state current"),
    line("keys, rotate", f"{KEYS} rotate reader {YES}", lane="local", says="two keys", debug=True, makes_keys=True),
    line("keys, third", f"{KEYS} rotate reader {YES}", 1, lane="local", says="cannot have a third"),
    line("keys, json", f"{KEYS} deliver --stack local --to json", lane="local", shows=(HANDED_OUT,), debug=True),
    line("keys, dotenv", f"{DELIVER} dotenv --file {{published}}/reader.env", lane="local", says="added", debug=True),
    line("keys, aws", f"{DELIVER} aws-profile --file {{published}}/credentials", lane="local", says="works"),
    line("keys, rclone", f"{DELIVER} rclone --file {{published}}/rclone.conf", lane="local", says="works", debug=True),
    line("keys, mc", f"{DELIVER} mc --file {{published}}/mc.json", lane="local", says="works", debug=True),
    line("keys, kubernetes", f"{DELIVER} kubernetes --file {{published}}/reader.yaml", lane="local", says="works"),
    line("keys, esc", f"{DELIVER} pulumi-esc", lane="local", shows=(HANDED_OUT,), debug=True),
    line("keys, no such CLI", f"{DELIVER} agent-secrets", 2, lane="local", says="secrets"),
    line("keys, no place", f"{DELIVER} dotenv --file {{checkout}}/Pulumi.yaml/x", 1, 2, lane="local"),
    line("keys, retire", f"{KEYS} retire reader {YES}", lane="local", says="the server refuses key", debug=True),
    line("keys, revoke", f"{KEYS} revoke reader {YES}", lane="local", says="refuses the old keys", makes_keys=True),
    line("keys, nobody to ask", f"{KEYS} revoke reader --stack local", 2, lane="local", says="add --yes"),
    line("keys, no such identity", f"{KEYS} rotate nobody {YES}", 2, lane="local", says="legal: worker"),
    line("keys, no such stack", f"{KEYS} status --stack nowhere", 2, lane="local"),
    line("admin policy", "cli admin-policy --cloud aws --env prod", says="iam:CreateUser"),
    line("switch, nothing", "cli switch-admin-api --stack local --to v4 --yes", lane="local", says="nothing to move"),
    line("switch to v3", "cli switch-admin-api --stack local --to v3 --yes", 0, 2, lane="local", debug=True),
    line("switch back", "cli switch-admin-api --stack local --to v4 --yes", lane="local"),
    line("cli sandbox status", "cli sandbox status", lane="local", says="server up"),
    line("cli sandbox env", "cli sandbox env local", says="export PULUMI_HOME"),
    line("sandbox verify, pulumi's rehearsal", "cli sandbox rehearse --stack local", 2, lane="local"),
    line("put", f"object_store put {{checkout}}/Pulumi.yaml s3://{{bucket}}/a {AS_WORKER}", debug=True),
    line("ls", f"object_store ls s3://{{bucket}}/ {AS_WORKER}", says=" a", debug=True),
    line("get", f"object_store get s3://{{bucket}}/a {{out}}/a {AS_WORKER}", debug=True),
    line("presign", f"object_store presign s3://{{bucket}}/a {AS_WORKER}", says="X-Amz-Signature="),
    line("parity", f"object_store parity {{checkout}}/schemas s3://{{bucket}}/ {AS_WORKER}", 1),
    line("stat", f"cli stat s3://{{bucket}}/a {AS_WORKER}", says="content type", debug=True),
    line("presign by the console", "cli presign s3://some-bucket/a", shows=(TOKEN,), environ=AT_SANDBOX),
    line("rm", f"object_store rm s3://{{bucket}}/a {AS_WORKER}"),
    line("no such identity", f"object_store ls s3://{{bucket}}/ {PUBLISHED} --identity nobody", 2),
    line("credentials open to others", f"object_store ls s3://{{bucket}}/ {OPEN} --identity worker", 2),
    line("presign with a token", "object_store presign s3://some-bucket/a", shows=(TOKEN,), environ=AT_SANDBOX),
    line("ls, wrong key", "object_store ls s3://{bucket}/", 2, environ=AT_SANDBOX, debug=True),
    line("put, wrong key", "object_store put {ca} s3://{bucket}/b", 2, environ=AT_SANDBOX, debug=True),
    line("ls, nobody there", "object_store ls s3://some-bucket/", 2, environ=AT_NOBODY, debug=True),
    line("ls, no configuration", "object_store ls s3://some-bucket/", 2),
    line("verify, files", f"verify {PUBLISHED} {VERIFY}", debug=True),
    line("verify, file open to others", f"verify {OPEN}", 2),
    line("verify, malformed file", "verify --deployment {deployment} --credentials {malformed}", 2),
    line("verify, wrong keys", f"verify {SWAPPED} {VERIFY} {REPORTS}", 1, debug=True),
    line("verify, variables", f"verify --deployment {{deployment}} {VERIFY}", 2, environ=HALF),
    line("job, file", "cli verify-job --deployment {deployment}"),
    line("docs.generate", "docs.generate"),
    line("docs.generate, checked", "docs.generate --check"),
    line("docs.prose", "docs.prose"),
    line("docs.aws_policies", "docs.aws_policies"),
    line("docs.differences, nobody there", f"docs.differences --endpoint {NOBODY}", 1, environ=WRONG_KEY),
    line("bench.verify_rate, nobody there", f"bench.verify_rate --endpoint {NOBODY}", 1, environ=WRONG_KEY),
    line("infra", "infra", 1),
    *(line(f"help of {words}", f"{words} --help") for words in HELPED),
    # The other cloud.
    line("aws: pulumi up", "pulumi up --yes --skip-preview", lane="aws", says="unchanged", debug=True),
    line("aws: verify", f"verify --stack aws {VERIFY}", lane="aws", debug=True),
    line("aws: preflight", "cli preflight --stack aws", lane="aws", debug=True),
    line("aws: adopt", "cli adopt --stack aws --yes", lane="aws", debug=True),
    line("aws: preview", "cli preview --stack aws", lane="aws"),
    line("aws: keys", f"{KEYS} status --stack aws", lane="aws", says="last used", debug=True),
    line("aws: keys, wrong key", f"{KEYS} status --stack aws", 2, lane="aws", environ=WRONG_KEY, debug=True),
    line("aws: preflight, wrong key", "cli preflight --stack aws", 1, 2, lane="aws", environ=WRONG_KEY, debug=True),
    line("aws: adopt, wrong key", "cli adopt --stack aws --yes", 2, lane="aws", environ=WRONG_KEY, debug=True),
    # The stand-in plugin has its own key, so this command succeeds.
    line("aws: pulumi up, wrong key", f"{UP} --refresh", 0, 255, 1, lane="aws", environ=WRONG_KEY),
    # A bad config, and another administrator: the password of the environment applies.
    line("bad config", "pulumi config set object-store:nonsense 1", lane="local"),
    line("bad config: pulumi preview", "pulumi preview", 255, 1, lane="local", says="unknown key"),
    line("bad config: preflight", "cli preflight --stack local", 2, lane="local", says="unknown key"),
    line("bad config: adopt", "cli adopt --stack local --yes", 2, lane="local", says="unknown key"),
    line("good config", "pulumi config rm object-store:nonsense", lane="local"),
    line("wrong admin", "pulumi config set --secret object-store:adminPassword", lane="local", text=ROOT_PASSWORD),
    line("wrong admin: preflight", "cli preflight --stack local", 1, lane="local", debug=True),
    line("wrong admin: adopt", "cli adopt --stack local --yes", 2, lane="local", debug=True),
    line("wrong admin: pulumi preview", "pulumi preview --refresh", 0, 1, 255, lane="local"),
    line("wrong admin: pulumi up", "pulumi up --yes --skip-preview --refresh", 0, 255, 1, lane="local"),
    line("wrong admin: keys", f"{KEYS} status --stack local", 2, lane="local", debug=True),
    line("half an admin", "pulumi config rm object-store:adminUser", lane="local"),
    line("half an admin: preflight", "cli preflight --stack local", 2, lane="local", says="adminUser", debug=True),
    # An administrator whose key pair a command prints.
    line("lease", "pulumi config rm object-store:adminPassword", lane="local"),
    Command("lease: config", (*COMMAND_KEY, "cat {published}/lease.json"), lane="local"),
    line("lease: preflight", "cli preflight --stack local", 1, lane="local", environ=NO_PASSWORD, debug=True),
    line("lease: keys", f"{KEYS} status --stack local", 2, lane="local", environ=NO_PASSWORD, debug=True),
    Command("lease: failing", (*COMMAND_KEY, "cat {published}/failed.json"), lane="local"),
    line("lease failed: preflight", "cli preflight --stack local", 2, lane="local", environ=NO_PASSWORD, debug=True),
    # No server answers.
    line("server down", "cli sandbox down --keep --stack local", lane="local"),
    line("server down: verify", f"verify --stack local {VERIFY} --junitxml {{out}}/d.xml", 2, lane="local", debug=True),
    line("server down: preflight", "cli preflight --stack local", 1, 2, lane="local", debug=True),
    line("server down: adopt", "cli adopt --stack local --yes", 2, lane="local", debug=True),
    line("server down: preview", "cli preview --stack local", 2, lane="local"),
    line("server down: pulumi up", "pulumi up --yes --skip-preview", 255, 1, lane="local"),
    line("server down: keys", f"{KEYS} status --stack local", 2, lane="local"),
    line("server down: sandbox env", "cli sandbox env local", 2, lane="local"),
    line("server down: sandbox status", "cli sandbox status --stack local", 1, lane="local"),
)  # fmt: skip

# Entry points without their own line, and the reason.
BENEATH = {
    "sandbox.server.serve": "the server beneath every line; its logs are among the files",
    "sandbox.engine.language_host": "started by the engine in every line of pulumi",
    "policy": "started by the engine where a pack is given; alone it waits for an engine",
    "sandbox.bootstrap": "runs before anything is installed; no secret is read, and pip masks an index's password",
    "sandbox.actionlint": "a linter of workflows, built where there is none; it reads no secret",
    "sandbox.clickhouse.serve": "the ClickHouse of tests, whose password it makes; it logs nothing",
    "bench.adapter": "measures for minutes on servers of its own, with keys that it makes; its --help is a line",
    "bench.archives": "likewise",
    "bench.ingest": "likewise",
    "bench.otel": "likewise",
    "bench.preview": "likewise",
    "bench.typescript": "likewise",
    "bench.vault": "likewise",
    "bench.verify_audit": "likewise",
    "bench.verify_growth": "likewise",
    "trials.bad_days": "rehearses for minutes; tests/e2e/test_bad_days.py runs it, by the commands that have lines",
    "trials.killing": "the pulumi of a test that dies in the middle of an update; it prints nothing",
}

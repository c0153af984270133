"""Judges the answers of an AIStor or MinIO server: connection, certificate, admin credentials and admin API.

The rule: pure, from facts to findings.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from urllib3.util.ssl_match_hostname import CertificateError, match_hostname

from infra.moves import unswitched
from model.admin_versions import NOT_SPOKEN, SPOKEN, VERSIONS, command_url
from ops.preflight.checks import buckets_ours, clock_in_step, nothing_interrupted, state_buckets_seen
from ops.preflight.facts import NOT_ASKED, UNUSABLE, AistorFacts, ServerCertificate, StackFacts
from ops.preflight.finding import Before, Finding, Level, harms_refresh, passed, untold
from verify.facts import Answer

EXPIRY_WARN = timedelta(days=30)
WRONG_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch"})
KNOWN_WITHOUT_RIGHT = "AccessDenied"
# https://docs.min.io/enterprise/aistor-object-store/operations/licenses
LICENCE = (
    "AIStor refuses all requests from 210 days after its licence expired (all writes from 30 days): check with "
    "`mc license info ALIAS`, renew with `mc license update ALIAS FILE`"
)
SET_ADMIN = (
    "`pulumi config set object-store:adminUser NAME` and `pulumi config set --secret object-store:adminPassword`, or "
    "AISTOR_ROOT_USER and AISTOR_ROOT_PASSWORD, or object-store:adminCredentialsCommand"
)
UP_FIRST = (
    "first run a plain `pulumi up --stack {0}`, which writes the config into the state; a refresh before that would {1}"
)


def judge_aistor(
    stack: StackFacts, facts: AistorFacts, before: Before, now: datetime | None = None, *, all_gone: bool = False
) -> list[Finding]:
    """All findings on an AIStor or MinIO server; `all_gone` as in `state_buckets_seen`."""
    return [
        _endpoint_reachable(stack, facts),
        *_certificate(stack, facts, now or datetime.now(UTC)),
        clock_in_step(facts.skew_seconds),
        _admin_accepted(stack, facts),
        _admin_let_in(facts),
        _default_pair_refused(facts),
        _admin_api_spoken(stack, facts.admin_api),
        *_identities_managed(stack),
        *_state_access_accepted(stack, facts, before),
        *buckets_ours(stack, facts.buckets),
        state_buckets_seen(stack, facts.buckets, before, all_gone=all_gone),
        *nothing_interrupted(stack),
    ]


def _endpoint_reachable(stack: StackFacts, facts: AistorFacts) -> Finding:
    url = stack.endpoint.url if stack.endpoint else ""
    wanted = f"a connection to {url} within 5 s, and a response"
    if facts.door.ok:
        return passed("endpoint_reachable", wanted, "connected")
    remedy = (
        "start the server, or set its address: `pulumi config set object-store:endpoint https://HOST:PORT`; do not "
        "refresh before it responds"
    )
    return Finding("endpoint_reachable", Level.STOP, wanted, facts.door.said, remedy)


def _certificate(stack: StackFacts, facts: AistorFacts, now: datetime) -> Iterable[Finding]:
    if facts.certificate is None:
        return
    wanted = "a certificate that a CA of object-store:caBundle signed and that has not expired"
    answer = facts.certificate
    held = answer.value
    if held is None:
        found = str(answer)
        remedy = (
            "give the server a certificate with its names as subjectAltName, whose time has begun and has not ended"
            if answer.code == UNUSABLE
            else "add the CA that signed it to the file of object-store:caBundle, or renew an expired certificate"
        )
        yield Finding("certificate_trusted", Level.STOP, wanted, found, remedy)
        return
    left = held.ends - now
    found = f"signed by it, expires {held.ends:%Y-%m-%d} (in {left.days} days)"
    if left <= timedelta(0):
        yield Finding("certificate_trusted", Level.STOP, wanted, found, "renew the server's certificate")
    elif left < EXPIRY_WARN:
        wanted = f"at least {EXPIRY_WARN.days} days left"
        yield Finding("certificate_trusted", Level.WARN, wanted, found, "renew the server's certificate")
    else:
        yield passed("certificate_trusted", wanted, found)
    yield _names_held(stack, held)


def _names_held(stack: StackFacts, held: ServerCertificate) -> Finding:
    places = {"endpoint": stack.endpoint, "clientEndpoint": stack.client_endpoint}
    hosts = {key: place.host for key, place in places.items() if place is not None and place.tls}
    wanted = " and ".join(dict.fromkeys(hosts.values())) + " among its names"
    found = ", ".join(name for _, name in held.names) or "no names"
    missing = {key: host for key, host in hosts.items() if not _holds(held, host)}
    if not missing:
        return passed("certificate_names_endpoints", wanted, found)
    lacking = " and ".join(f"{host} (object-store:{key})" for key, host in missing.items())
    remedy = f"reissue the server's certificate so that it includes {lacking}, or set the key to a name that it holds"
    return Finding("certificate_names_endpoints", Level.STOP, wanted, found, remedy)


def _holds(held: ServerCertificate, host: str) -> bool:
    try:
        match_hostname({"subjectAltName": held.names}, host)
    except CertificateError:
        return False
    return True


def _admin_accepted(stack: StackFacts, facts: AistorFacts) -> Finding:
    check, wanted = "admin_accepted", f"the server knows the admin {stack.user} and accepts its signature"
    buckets = facts.buckets
    if buckets.ok or buckets.code == KNOWN_WITHOUT_RIGHT:
        return passed(check, wanted, "it does")
    if buckets.code in WRONG_KEYS:
        remedy = f"{SET_ADMIN}; do not refresh with wrong credentials: a refresh would drop every bucket from the state"
        return Finding(check, Level.STOP, wanted, str(buckets), remedy)
    if buckets.code == NOT_ASKED:
        return untold(check, wanted, buckets)
    return Finding(check, Level.STOP, wanted, str(buckets), "read the server's own log; do not refresh")


def _admin_let_in(facts: AistorFacts) -> Finding:
    check, wanted = "admin_let_in", "the admin may list all buckets"
    if facts.buckets.value is not None:
        return passed(check, wanted, f"{len(facts.buckets.value)} buckets")
    if facts.buckets.code != KNOWN_WITHOUT_RIGHT:
        return untold(check, wanted, facts.buckets)
    if facts.admin_info is not None and facts.admin_info.ok:
        found = "the admin API accepts the admin, but the server refuses to list buckets"
        return Finding(check, Level.STOP, wanted, found, "give the admin the right s3:ListAllMyBuckets; do not refresh")
    found = f"the server refuses to list buckets, and the admin API refuses the admin ({facts.admin_info})"
    remedy = (
        f"an expired or missing licence is a possible cause: {LICENCE}; otherwise this user is not an admin. "
        "Do not refresh"
    )
    return Finding(check, Level.STOP, wanted, found, remedy)


def _default_pair_refused(facts: AistorFacts) -> Finding:
    check, wanted = "default_pair_refused", "the server refuses the vendor's default credentials"
    answer = facts.default_pair
    if answer.code in WRONG_KEYS:
        return passed(check, wanted, str(answer.code))
    known = answer.ok or (answer.code == KNOWN_WITHOUT_RIGHT and facts.buckets.code != KNOWN_WITHOUT_RIGHT)
    if not known:
        return untold(check, wanted, answer)
    found = "the server accepts them" if answer.ok else f"the server knows them ({answer.code})"
    remedy = "set MINIO_ROOT_USER and MINIO_ROOT_PASSWORD on the server: with the defaults anyone can take it over"
    return Finding(check, Level.STOP, wanted, found, remedy)


def _admin_api_spoken(stack: StackFacts, answer: Answer[Mapping[str, int]]) -> Finding:
    """The plugin (v3) speaks only v3; our own resources (v4) speak both versions."""
    usable = {"v3": ("v3",), "v4": ("v4", "v3")}[stack.admin_api]
    check = "admin_api_spoken"
    question = command_url("", " or ".join(usable), "info")
    wanted = f"{SPOKEN} to an unsigned GET {question}, for object-store:adminApi {stack.admin_api}"
    statuses = answer.value
    if statuses is None:
        return untold(check, wanted, answer)
    found = ", ".join(f"{version}: {status}" for version, status in sorted(statuses.items()))
    if any(statuses.get(version) == SPOKEN for version in usable):
        return passed(check, wanted, found)
    no_proxy = "check that it is a MinIO or AIStor server, and that no proxy in front of it hides /minio/admin"
    if not all(statuses.get(version) == NOT_SPOKEN for version in usable):
        return Finding(check, Level.WARN, wanted, f"cannot tell: {found}", no_proxy)
    if SPOKEN in statuses.values():
        held = stack.state.managed_by - {"v4"}
        advice = (
            f"`object-store switch-admin-api --stack {stack.name} --to v4`, which recreates no key"
            if held
            else f"`pulumi config set object-store:adminApi v4 --stack {stack.name}`"
        )
        remedy = f"this server speaks v4 only, and pulumi-minio 0.17.1 speaks v3 only: {advice}"
        return Finding(check, Level.STOP, wanted, f"{found}: the server refuses the version", remedy)
    if not all(statuses.get(version) == NOT_SPOKEN for version in VERSIONS):
        remedy = f"pulumi-minio 0.17.1 speaks v3 only, and it is unknown whether the server speaks v4: {no_proxy}"
        return Finding(check, Level.STOP, wanted, f"{found}: the server refuses v3", remedy)
    remedy = "the server speaks neither: use a release that speaks one, or the legacy MinIO (docs/aistor.md: Rollback)"
    return Finding(check, Level.STOP, wanted, f"{found}: the server refuses both versions", remedy)


def _identities_managed(stack: StackFacts) -> Iterable[Finding]:
    if not stack.state.managed_by:
        return
    check, wanted = "identities_managed_as_set", f"admin API {stack.admin_api} manages the state's identities"
    held = ", ".join(sorted(stack.state.managed_by))
    problems = unswitched(stack.state.managed_by, stack.admin_api, "object-store:", stack.name)
    if not problems:
        yield passed(check, wanted, held)
        return
    # If both versions manage some identities, no setting fits the state.
    stay = f"`pulumi config set object-store:adminApi {held} --stack {stack.name}`, or "
    remedy = (
        f"{stay if len(stack.state.managed_by) == 1 else ''}to continue with {stack.admin_api}: `{problems[0].paste}`; "
        "an update now would recreate the identities and delete the old ones with their keys"
    )
    yield Finding(check, Level.STOP, wanted, held, remedy)


def _state_access_accepted(stack: StackFacts, facts: AistorFacts, before: Before) -> Iterable[Finding]:
    access, answer = stack.state.access, facts.state_access
    if access is None:
        return
    check = "state_access_accepted"
    wanted = f"the server accepts what a refresh uses (the state's {access.endpoint} as {access.user})"
    if answer is None:
        if facts.buckets.ok:
            yield passed(check, wanted, "it equals the config")
        else:
            yield untold(check, wanted, Answer(code=NOT_ASKED, said="it equals the config, see above"))
    elif not answer.ok:
        remedy = UP_FIRST.format(stack.name, "drop every bucket from the state")
        yield Finding(check, harms_refresh(before), wanted, str(answer), remedy)
    elif stack.endpoint is not None and access.endpoint != f"{stack.endpoint.scheme}://{stack.endpoint.host_port}":
        remedy = UP_FIRST.format(stack.name, "query the old server")
        yield Finding(check, harms_refresh(before), wanted, f"accepted; the config says {stack.endpoint.url}", remedy)
    else:
        yield passed(check, wanted, "accepted, though the config has another key pair")

"""Gathers the facts of a run: concurrently, each once, and leaves nothing behind.

The rule: even an interrupted run removes all its objects before it ends, and sends nothing more once the server stops
answering. Each task (a part of a bucket, an identity in a bucket) is independent, so that the workers stay busy until
the end and two concurrent runs do not affect each other.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from model.plan import BucketPlan, IdentityPlan, StorePlan
from object_store import ObjectStore
from verify.audit.read import Audit
from verify.facts import Answer, BucketFacts, Facts, StoreFacts, Tried
from verify.probe import reading
from verify.probe.actions import Place, not_tried, try_actions
from verify.probe.admin import try_admin
from verify.probe.data_path import try_objects
from verify.probe.exposure import look_at_door, try_store, try_strangers
from verify.probe.links import try_links
from verify.probe.locks import try_lock
from verify.probe.new_keys import introduce
from verify.probe.seeds import Seeds, lay_seeds, new_run_id, run_prefix, sweep
from verify.probe.session import READ_TIMEOUT_SECONDS, StoreSession, abort_upload
from verify.probe.smoke import try_probe, writer_for
from verify.selection import EVERYTHING, Part, Selection
from verify.target import Target

JOBS = 8


@dataclass
class TaskCount:
    """Called with the number of tasks, and each time a task has ended."""

    total: Callable[[int], None] = lambda _: None
    advance: Callable[[], None] = lambda: None


@dataclass
class _Run:
    """The state of one run; only one task at a time writes each key of `parts`, `grants` and `left`."""

    session: StoreSession
    selection: Selection
    run_id: str
    plan: StorePlan
    verifier: IdentityPlan
    stores: Mapping[str, ObjectStore]
    progress: TaskCount
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    seeds: dict[str, Seeds] = field(default_factory=dict)
    grants: dict[str, dict[str, dict[str, Tried]]] = field(default_factory=dict)
    store: StoreFacts | None = None
    audit: Audit | None = None
    admin: dict[str, Tried] = field(default_factory=dict)
    introduced: dict[str, Tried] = field(default_factory=dict)
    left: dict[str, Answer[int]] = field(default_factory=dict)
    ready: dict[str, threading.Event] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def prefix(self) -> str:
        return run_prefix(self.run_id)

    @property
    def absent(self) -> Mapping[str, str]:
        """Identities whose roles could not be assumed, with the reason."""
        return self.session.target.absent


def gather_facts(
    target: Target, progress: TaskCount | None = None, jobs: int = JOBS, selection: Selection = EVERYTHING
) -> Facts:
    """Read and try everything once.

    Args:
        target: What to verify.
        progress: Gets the progress.
        jobs: The number of concurrent tasks.
        selection: What to gather.

    Raises:
        LookupError: The plan has no verifier.
    """
    plan = target.deployment.plan
    if plan.verifier is None:
        raise LookupError("the plan has no verifier identity")
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    with StoreSession(target, jobs) as session, _stores(target) as stores:
        run = _Run(session, selection, new_run_id(), plan, plan.verifier, stores, progress or TaskCount())
        door = look_at_door(session)
        if not door.open:
            return Facts(run.run_id, taken_at, door)
        with ThreadPoolExecutor(jobs, "facts") as pool:
            try:
                _gather(run, pool)
            finally:
                # Also after an interrupt: each worker then ends before its next request, and nothing stops the sweep.
                with _uninterrupted():
                    session.stop()
                    pool.shutdown(wait=True, cancel_futures=True)
                    session.clean()
                    _clean(run, jobs)
        return Facts(
            run_id=run.run_id,
            taken_at=taken_at,
            door=door,
            buckets={bucket.name: _bucket_facts(run, bucket) for bucket in selection.chosen(plan)},
            grants=run.grants,
            store=run.store and replace(run.store, admin=run.admin),
            audit=None if run.audit is None else run.audit.facts,
            introduced=run.introduced,
            requests=session.requests,
            gave_up=session.gave_up,
        )


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore signals; only the main thread can set this."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _stores(target: Target) -> Iterator[dict[str, ObjectStore]]:
    names = [identity.name for identity in target.deployment.plan.identities if identity.name not in target.absent]
    # The adapter's own timeout is for large transfers; it is too long for a server that does not answer.
    patience = timedelta(seconds=READ_TIMEOUT_SECONDS)
    stores = {name: ObjectStore(replace(target.config(name), stall_timeout=patience), probes=True) for name in names}
    try:
        yield stores
    finally:
        for store in stores.values():
            store.close()


def _gather(run: _Run, pool: ThreadPoolExecutor) -> None:
    """Introduce every key, then submit everything at once; a task that waits for a seed comes after it in the queue."""
    buckets = run.selection.chosen(run.plan)
    run.audit = Audit.of(run.session) if Part.AUDIT in run.selection.parts else None
    cells = run.selection.cells(run.plan) if Part.GRANTS in run.selection.parts else []
    run.ready = {bucket.name: threading.Event() for bucket in buckets}
    tasks: list[Callable[[], None]] = [partial(_begin, run, bucket) for bucket in buckets]
    for bucket in buckets:
        own: list[Callable[[], None]] = [partial(_read, run, bucket), *_bucket_tasks(run, bucket)]
        tried = [identity for identity, where in cells if where is bucket]
        run.pending[bucket.name] = len(own) + len(tried)
        tasks += [partial(_in_bucket, run, bucket, task) for task in own]
        tasks += [partial(_in_bucket, run, bucket, partial(_cell, run, i, bucket)) for i in tried]
    if Part.STORE in run.selection.parts:
        tasks.append(partial(_store, run))
        asked = run.selection.identities
        tasks += [partial(_admin, run, one) for one in run.plan.identities if asked is None or one.name in asked]
    if run.audit is not None:  # first: it is the longest task, and depends on no seed
        tasks.insert(0, partial(run.audit.read_principals, run.plan))
    used = run.plan.identities if run.selection.parts else (run.verifier,)
    introductions = [partial(_introduce, run, identity) for identity in used if identity.name not in run.absent]
    run.progress.total(len(introductions) + len(tasks))
    for step in (introductions, tasks):
        for ended in as_completed([pool.submit(task) for task in step]):
            ended.result()
            run.progress.advance()


def _in_bucket(run: _Run, bucket: BucketPlan, task: Callable[[], None]) -> None:
    """Run a task of a bucket once its seed exists; the last task of a bucket sweeps the bucket."""
    run.ready[bucket.name].wait()
    try:
        task()
    finally:
        with run.lock:
            run.pending[bucket.name] -= 1
            last = run.pending[bucket.name] == 0
    if last:
        run.left[bucket.name] = sweep(run.session, run.verifier.name, bucket, run.prefix)


def _begin(run: _Run, bucket: BucketPlan) -> None:
    """Put the seeds."""
    name = bucket.name
    try:
        run.parts[name] = {}
        run.seeds[name] = lay_seeds(run.session, run.verifier.name, bucket, run.prefix)
    finally:
        run.ready[name].set()


def _read(run: _Run, bucket: BucketPlan) -> None:
    """Read the configuration."""
    name, ask = bucket.name, run.session.ask
    client = run.session.client(run.verifier.name)
    run.parts[name] |= {
        "location": ask(lambda: reading.read_location(client, name)),
        "versioning": ask(lambda: reading.read_versioning(client, name)),
        "rules": ask(lambda: reading.read_rules(client, name)),
        "retention": ask(lambda: reading.read_retention(client, name)),
        "encryption": ask(lambda: reading.read_encryption(client, name)),
        "public_access": ask(lambda: reading.read_public_access(client, name)),
        "ownership": ask(lambda: reading.read_ownership(client, name)),
        "policy": ask(lambda: reading.read_policy(client, name)),
    }


def _introduce(run: _Run, identity: IdentityPlan) -> None:
    chosen = run.selection.chosen(run.plan)
    # The chosen buckets first, so that a run for one bucket asks no other if it need not.
    buckets = [*chosen, *(bucket for bucket in run.plan.buckets if bucket not in chosen)]
    run.introduced[identity.name] = introduce(run.session, identity, buckets, run.prefix)


def _cell(run: _Run, identity: IdentityPlan, bucket: BucketPlan) -> None:
    seeds = run.seeds[bucket.name]
    place = Place(
        run.session,
        identity.name,
        bucket,
        run.prefix,
        seeds.marker_version,
        conditions_hold=seeds.conditions_hold,
        digests_hold=seeds.digests_hold,
        leaves_markers=seeds.leaves_markers,
    )
    why = run.absent.get(identity.name)
    cloud = run.session.target.deployment.cloud
    tried = try_actions(place, identity) if why is None else not_tried(identity, bucket, cloud, why)
    run.grants.setdefault(identity.name, {})[bucket.name] = tried


def _store(run: _Run) -> None:
    asked = run.selection.identities
    names = tuple(i.name for i in run.plan.identities if asked is None or i.name in asked)
    run.store = try_store(run.session, run.verifier.name, names)


def _admin(run: _Run, identity: IdentityPlan) -> None:
    run.admin[identity.name] = try_admin(run.session, identity)


def _bucket_tasks(run: _Run, bucket: BucketPlan) -> list[Callable[[], None]]:
    session, prefix, selection = run.session, run.prefix, run.selection
    writer = writer_for(run.plan, bucket, leave_locked_probe=selection.leave_locked_probe, absent=run.absent)
    # In a COMPLIANCE bucket a workload writes only the smoke probe, and only if the probe may stay there.
    mover = writer_for(run.plan, bucket, absent=run.absent)
    large = bucket.name in selection.large(run.plan)
    makers: dict[Part, tuple[str, Callable[[], object]]] = {
        Part.SMOKE: (
            "probe",
            lambda: try_probe(session, run.stores[writer.name], bucket, writer, run.verifier.name, prefix),
        ),
        Part.OBJECTS: (
            "objects",
            lambda: try_objects(
                session,
                run.stores[mover.name],
                bucket,
                mover,
                prefix,
                large=large,
                listing=large and selection.deep,
            ),
        ),
        Part.LINKS: (
            "links",
            lambda: try_links(session, run.stores[mover.name], bucket, mover, prefix),
        ),
        Part.STRANGERS: ("strangers", lambda: try_strangers(session, run.verifier.name, bucket, prefix)),
    }
    if (audit := run.audit) is not None:
        makers[Part.AUDIT] = ("audit", lambda: audit.read_bucket(bucket))
    if bucket.locked:
        makers[Part.LOCK] = ("lock", lambda: try_lock(session, run.plan, bucket, mover, prefix))

    def task(name: str, make: Callable[[], object]) -> None:
        run.parts[bucket.name][name] = make()

    return [partial(task, *maker) for part, maker in makers.items() if part in selection.parts]


def _clean(run: _Run, jobs: int) -> None:
    """Abort unfinished uploads, and sweep every bucket that is not clean yet."""

    def clean(bucket: BucketPlan) -> None:
        run.left[bucket.name] = sweep(run.session, run.verifier.name, bucket, run.prefix)

    swept = {name for name, left in run.left.items() if left.ok}
    with ThreadPoolExecutor(jobs, "sweep") as pool:
        list(pool.map(partial(abort_upload, run.session), tuple(run.session.uploads)))
        list(pool.map(clean, [bucket for bucket in run.selection.chosen(run.plan) if bucket.name not in swept]))


def _bucket_facts(run: _Run, bucket: BucketPlan) -> BucketFacts:
    return BucketFacts(**run.parts[bucket.name], left=run.left[bucket.name])

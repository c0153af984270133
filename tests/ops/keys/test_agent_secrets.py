"""Delivery to the owner's store: both versions of its CLI, and all its failures."""

from collections.abc import Sequence
from typing import Any

import pytest

from ops.keys import outside
from ops.keys.targets import agent_secrets
from ops.keys.targets.agent_secrets import AgentSecrets, pair_names
from ops.keys.targets.outcome import CannotDeliverError
from stack.runner import Said
from tests.ops.keys.conftest import Deliver, Stack
from tests.ops.keys.fakes import Fake, exposed, fake_secrets

KEY_ID, SECRET = pair_names("worker")
NAMES = [KEY_ID, SECRET, "objectstore_region", "objectstore_endpoint"]
OLD, NEW = "0.4.1", "0.5.0"
AGAIN = "object-store keys deliver --stack local --to agent-secrets --identity worker"


@pytest.fixture(name="cli", params=[OLD, NEW])
def _cli(request: pytest.FixtureRequest, stack: Stack) -> Fake:
    return fake_secrets(stack.folder, request.param)


@pytest.fixture(name="new_cli")
def _new_cli(stack: Stack) -> Fake:
    return fake_secrets(stack.folder, NEW)


@pytest.fixture(name="old_cli")
def _old_cli(stack: Stack) -> Fake:
    return fake_secrets(stack.folder, OLD)


class TestDelivered:
    """Successful deliveries."""

    def test_added_then_unchanged(self, cli: Fake, stack: Stack, deliver: Deliver) -> None:
        """The first run adds everything and it works; the second run writes nothing."""
        first = deliver("agent-secrets")
        writes = cli.calls("add", "update")
        second = deliver("agent-secrets")

        assert (first.status, first.errors) == (0, "")
        assert first.changes() == dict.fromkeys(NAMES, "added")
        assert "works      worker, as agent-secrets holds it" in first.output
        assert cli.state == {
            KEY_ID: stack.credentials["worker"].access_key_id,
            SECRET: stack.secret("worker"),
            "objectstore_region": stack.deployment.region,
            "objectstore_endpoint": stack.deployment.provisioning_endpoint,
        }
        assert second.status == 0
        assert second.changes() == dict.fromkeys(NAMES, "unchanged")
        assert cli.calls("add", "update") == writes

    def test_every_identity_and_the_clusters_endpoint(self, new_cli: Fake, stack: Stack, deliver: Deliver) -> None:
        """Without a choice every identity is delivered, and `--from` selects the endpoint."""
        done = deliver("agent-secrets", "--from", "cluster", identity=None)

        assert done.status == 0
        assert {name for one in stack.credentials for name in pair_names(one)} < set(new_cli.state)
        assert new_cli.state["objectstore_endpoint"] == stack.deployment.endpoint
        assert done.output.count("works") == len(stack.credentials)

    def test_changed_value_is_updated(self, new_cli: Fake, stack: Stack, deliver: Deliver) -> None:
        """After a rotation only the pair is updated."""
        deliver("agent-secrets")
        new_cli.state = new_cli.state | {KEY_ID: "OLDKEY", SECRET: "old-secret"}

        done = deliver("agent-secrets")

        assert done.status == 0
        assert done.changes() == {
            KEY_ID: "changed",
            SECRET: "changed",
            "objectstore_region": "unchanged",
            "objectstore_endpoint": "unchanged",
        }
        assert new_cli.calls("update")[-2:] == [["update", KEY_ID], ["update", SECRET]]
        assert new_cli.state[SECRET] == stack.secret("worker")

    def test_lease_of_reading_is_revoked(self, old_cli: Fake, deliver: Deliver) -> None:
        """Each successful lease is revoked if the CLI printed its id; a lease of everything is never revoked."""
        deliver("agent-secrets")

        # Four names before, when the store was empty; four afterwards, and the pair for the probe.
        assert len(old_cli.calls("lease")) == 10
        assert len(old_cli.calls("revoke")) == 6


class TestRefused:
    """Failures before the first write."""

    def test_no_cli(self, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
        """Without the CLI nothing starts, not even the reading of the stack."""
        monkeypatch.setenv("PATH", str(stack.folder))

        done = deliver("agent-secrets")

        assert done.status == 2
        assert "`secrets` is not on PATH" in done.errors
        assert not (stack.folder / "calls").exists()

    @pytest.mark.parametrize(
        ("mood", "said"),
        [({"daemon": "down"}, "Failed to connect to daemon"), ({"store": "locked"}, "identity is locked")],
    )
    def test_store_not_usable(self, cli: Fake, deliver: Deliver, mood: dict[str, str], said: str) -> None:
        """The status shows a stopped daemon and a locked store, and the message has the line to paste."""
        cli.mood(**mood)

        done = deliver("agent-secrets")

        assert done.status == 2
        assert said in done.errors
        assert "secrets serve --background" in done.errors
        assert cli.calls("add", "update") == []

    def test_failed_lease_with_status_zero(self, cli: Fake, deliver: Deliver) -> None:
        """A failed lease means absence only if it says so, whatever its exit status."""
        cli.mood(**{"lease fails": SECRET})

        done = deliver("agent-secrets")

        assert done.status == 2
        assert f"`secrets lease {SECRET}`" in done.errors
        assert "Nothing was written." in done.errors
        assert cli.state == {}

    def test_old_cli_is_never_told_to_update(self, old_cli: Fake, deliver: Deliver) -> None:
        """v0.4.1 replaces itself on `update`: the changed names are listed with a remedy, and nothing is written."""
        deliver("agent-secrets")
        old_cli.state = old_cli.state | {SECRET: "old"}
        before = old_cli.state

        done = deliver("agent-secrets")

        assert done.status == 2
        assert "`secrets` 0.4.1 cannot change a value" in done.errors
        assert f'"secrets.delete","params":{{"name":"{SECRET}"}}' in done.errors
        assert KEY_ID not in done.errors
        assert old_cli.calls("update") == [["update", "--help"]]
        assert old_cli.state == before
        assert not (old_cli.folder / "REPLACED-ITSELF").exists()

    def test_cli_that_hangs(self, new_cli: Fake, stack: Stack) -> None:
        """A CLI that does not answer is killed with its child processes."""
        new_cli.mood(hang="status")

        with pytest.raises(CannotDeliverError, match=r"`secrets status` did not end within 0\.5 s"):
            AgentSecrets(timeout_seconds=0.5).check()
        assert exposed(stack.folder, stack.secrets) == []


class TestUnfinished:
    """Failures during a write."""

    def test_dies_between_two_adds(self, cli: Fake, deliver: Deliver) -> None:
        """Written and unwritten names are distinguished, and the same command completes the delivery."""
        cli.mood(**{"dies at": SECRET})

        broken = deliver("agent-secrets")
        cli.mood()
        mended = deliver("agent-secrets")

        assert broken.status == 1
        assert f"`secrets add {SECRET}` failed: panic: could not store [secret]" in broken.errors
        assert f"written: {KEY_ID}\n" in broken.errors
        assert f"not written: {SECRET}, objectstore_region, objectstore_endpoint\n" in broken.errors
        assert f"to complete it: {AGAIN}\n" in broken.errors
        assert mended.status == 0
        assert mended.changes()[KEY_ID] == "unchanged"
        assert mended.changes()[SECRET] == "added"

    def test_half_a_changed_pair_is_put_back(self, new_cli: Fake, deliver: Deliver) -> None:
        """If one half cannot be updated, the other half is restored, so that the old pair still fits together."""
        deliver("agent-secrets")
        old = new_cli.state | {KEY_ID: "OLDKEY", SECRET: "old-secret"}
        new_cli.state = old
        new_cli.mood(**{"dies at": SECRET})

        done = deliver("agent-secrets")

        assert done.status == 1
        assert f"`secrets update {SECRET}` failed" in done.errors
        assert "written: objectstore_region, objectstore_endpoint\n" in done.errors
        assert f"not written: {KEY_ID}, {SECRET}\n" in done.errors
        assert new_cli.state == old

    def test_store_is_gone_afterwards(self, new_cli: Fake, deliver: Deliver) -> None:
        """If the store cannot be read afterwards, the message says so."""
        new_cli.mood(then={"daemon": "down"}, **{"dies at": SECRET})

        done = deliver("agent-secrets")

        assert done.status == 1
        assert "cannot be read afterwards" in done.errors
        assert "written: nothing" in done.errors

    def test_half_a_pair_cannot_be_put_back(self, new_cli: Fake, deliver: Deliver) -> None:
        """The message then says that the pair in the store does not work."""
        deliver("agent-secrets")
        new_cli.state = new_cli.state | {KEY_ID: "OLDKEY", SECRET: "old-secret"}
        new_cli.mood(then={"read only": True}, **{"dies at": SECRET})

        done = deliver("agent-secrets")

        assert done.status == 1
        assert f"{KEY_ID} is new but {SECRET} is old: this pair does not work" in done.errors
        assert f"not written: {SECRET}\n" in done.errors

    def test_store_goes_after_the_last_write(self, new_cli: Fake, deliver: Deliver) -> None:
        """If the written values cannot be read back, the delivery is not a success."""
        new_cli.mood(**{"down after": "objectstore_endpoint"})

        done = deliver("agent-secrets")

        assert done.status == 1
        assert "the store accepted every value but cannot be read afterwards" in done.errors

    def test_interrupted_in_a_write(self, new_cli: Fake, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ctrl-C during a write is reported as a failed write."""
        real = outside.run

        def interrupted(command: Sequence[str], **options: Any) -> Said:  # noqa: ANN401 - as it is called
            if list(command[1:]) == ["add", SECRET]:
                raise KeyboardInterrupt
            return real(command, **options)

        monkeypatch.setattr(agent_secrets, "run", interrupted)
        done = deliver("agent-secrets")

        assert done.status == 1
        assert done.errors.startswith(f"agent-secrets: interrupted\n  written: {KEY_ID}\n")
        assert set(new_cli.state) == {KEY_ID}

    def test_hangs_in_a_write(
        self, new_cli: Fake, stack: Stack, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A write that does not end is killed; the store's content decides about it."""
        new_cli.mood(**{"hangs at": SECRET})
        monkeypatch.setattr("ops.keys.deliver.AgentSecrets", lambda: AgentSecrets(timeout_seconds=1.0))

        done = deliver("agent-secrets")

        assert done.status == 1
        assert f"`secrets add {SECRET}` did not end within 1 s" in done.errors
        assert f"written: {KEY_ID}\n" in done.errors
        assert stack.secret("worker") not in new_cli.state.values()

    def test_store_takes_a_value_and_holds_another(self, cli: Fake, deliver: Deliver) -> None:
        """The CLI's report is not trusted: the value is read back."""
        cli.mood(forgets=SECRET)

        done = deliver("agent-secrets")

        assert done.status == 1
        assert "the store reports that it accepted every value, but it leases a different one" in done.errors
        assert f"not written: {SECRET}\n" in done.errors


def test_names_are_snake_case() -> None:
    """An identity's hyphens become underscores."""
    assert pair_names("session-archiver") == (
        "objectstore_session_archiver_access_key_id",
        "objectstore_session_archiver_secret_access_key",
    )

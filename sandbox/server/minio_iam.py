"""MinIO's own IAM: users, policies, attachments and service accounts.

The rule: pure data behind one lock. Each method refuses as the recorded real server did (codes, messages, statuses). It
keeps two traps of the real server: adding an existing user silently changes its secret, and updating a service account
without its policy makes the account inherit all permissions of its user. Left out: authorisation, which the caller of
this module decides, LDAP and temporary credentials.
"""

from __future__ import annotations

import json
import secrets
import string
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.server import minio_policy
from sandbox.server.answers import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.server.minio_policy import Document

MIN_ACCESS_KEY, MAX_ACCESS_KEY = 3, 20
MIN_SECRET_KEY, MAX_SECRET_KEY = 8, 40
RESERVED_SIGNS = "=,"
_NEVER = "1970-01-01T00:00:00Z"


@dataclass(slots=True)
class User:
    """A user, whose name is its access key."""

    secret_key: str
    enabled: bool = True
    policies: list[str] = field(default_factory=list)
    updated_at: str = ""


@dataclass(slots=True)
class ServiceAccount:
    """A credential of a user. Without its own policy it has all permissions of its user."""

    parent: str
    secret_key: str
    policy: Document | None
    enabled: bool = True
    name: str = ""
    description: str = ""
    expiration: str = ""


@dataclass(slots=True)
class Group:
    """Users that share policies."""

    members: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    enabled: bool = True
    updated_at: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """The secret and the policies behind a known access key."""

    secret_key: str
    enabled: bool
    #: The user whose policies apply: itself, or the service account's user.
    user: str
    #: Each group of policies must allow: the user's, and the service account's own policy if it has one.
    layers: tuple[tuple[Document, ...], ...]


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _no_such_user() -> ApiError:
    return ApiError("XMinioAdminNoSuchUser", "The specified user does not exist. (Specified user does not exist)", 404)


def _shown(policy: Document) -> Document:
    """A document as the server shows it: MinIO applies one with NotAction, and cannot write it as JSON (tried)."""
    if any("NotAction" in statement for statement in policy["Statement"]):
        said = "We encountered an internal error, please try again. (json: error calling MarshalJSON for type "
        raise ApiError("InternalError", f"{said}policy.ActionSet: empty actions not allowed)", 500)
    return policy


def _no_such_policy() -> ApiError:
    return ApiError(
        "XMinioAdminNoSuchPolicy",
        "The canned policy does not exist. (Specified canned policy does not exist)",
        404,
    )


def _no_such_account(detail: str = "") -> ApiError:
    return ApiError("XMinioInvalidIAMCredentials", f"The specified service account is not found{detail}", 404)


def _check_access_key(access_key: str, longest: int | None) -> None:
    if len(access_key) < MIN_ACCESS_KEY or (longest is not None and len(access_key) > longest):
        raise ApiError(
            "XMinioAdminInvalidAccessKey",
            f"The access key is invalid. (access key length should be between {MIN_ACCESS_KEY} and {MAX_ACCESS_KEY})",
            400,
        )


def _check_secret_key(secret_key: str, longest: int | None) -> None:
    if len(secret_key) < MIN_SECRET_KEY or (longest is not None and len(secret_key) > longest):
        raise ApiError(
            "XMinioAdminInvalidSecretKey",
            f"The secret key is invalid. (secret key length should be between {MIN_SECRET_KEY} and {MAX_SECRET_KEY})",
            400,
        )


def _check_name(name: str) -> None:
    if name != name.strip() or not name:
        raise ApiError(
            "XMinioInvalidResource",
            "Policy, user or group names are not allowed to begin or end with space characters",
            400,
        )


def _not_allowed() -> ApiError:
    return ApiError("XMinioIAMActionNotAllowed", "Specified IAM action is not allowed", 403)


def _is_over(account: ServiceAccount) -> bool:
    return bool(account.expiration) and datetime.fromisoformat(account.expiration) <= datetime.now(UTC)


def _is_on(text: str) -> bool:
    if text not in ("enabled", "disabled", "on", "off"):
        raise ApiError("InvalidArgument", f"Invalid argument (unknown status {text!r})", 400)
    return text in ("enabled", "on")


class MinioIam:
    """The store. `root_user` is the administrator, which is not a user of the store but may own service accounts."""

    def __init__(self, root_user: str) -> None:
        """Start with only the vendor's own policies."""
        self.root_user = root_user
        self._users: dict[str, User] = {}
        self._policies: dict[str, Document] = dict(minio_policy.CANNED)
        self._accounts: dict[str, ServiceAccount] = {}
        self._groups: dict[str, Group] = {}
        self._quotas: dict[str, Document] = {}
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the lock."""
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Everything, and a new lock."""
        # A snapshot of before has neither groups nor quotas.
        self.__dict__.update({"_groups": {}, "_quotas": {}} | state)
        self._lock = threading.RLock()

    def credential(self, access_key: str) -> Credential | None:
        """The identity behind an access key, or None if the key is unknown."""
        with self._lock:
            user = self._users.get(access_key)
            if user is not None:
                return Credential(user.secret_key, user.enabled, access_key, (self._documents(access_key),))
            account = self._accounts.get(access_key)
            if account is None or _is_over(account):
                return None
            layers: tuple[tuple[Document, ...], ...] = ()
            if account.parent != self.root_user:
                layers = (self._documents(account.parent),)
            if account.policy is not None:
                layers += ((account.policy,),)
            return Credential(account.secret_key, account.enabled, account.parent, layers)

    def _documents(self, user: str) -> tuple[Document, ...]:
        """The policies that apply to a user and its service accounts: none while the user is switched off."""
        owner = self._users[user]
        if not owner.enabled:
            return ()
        of_groups = [
            name
            for group in self._groups.values()
            if group.enabled and user in group.members
            for name in group.policies
        ]
        return tuple(self._policies[name] for name in (*owner.policies, *of_groups) if name in self._policies)

    # Users

    def add_user(self, access_key: str, secret_key: str, status: str = "enabled") -> None:
        """Create a user, or give an existing one another secret."""
        with self._lock:
            if access_key == self.root_user or access_key in self._accounts:
                raise ApiError(
                    "XMinioInvalidIAMCredentials",
                    "Credential is not allowed to be same as admin access key",
                    403,
                )
            _check_name(access_key)
            if set(access_key) & set(RESERVED_SIGNS):
                raise ApiError(
                    "XMinioAdminInvalidAccessKey",
                    "The access key is invalid. (access key contains one of reserved characters '=' or ',')",
                    400,
                )
            _check_access_key(access_key, None)
            _check_secret_key(secret_key, None)
            user = self._users.setdefault(access_key, User(secret_key))
            user.secret_key = secret_key
            user.enabled = _is_on(status)
            user.updated_at = _now()

    def remove_user(self, access_key: str) -> None:
        """Remove a user and its service accounts."""
        with self._lock:
            if access_key == self.root_user:
                raise _not_allowed()
            self._user(access_key)
            del self._users[access_key]
            for key in [key for key, account in self._accounts.items() if account.parent == access_key]:
                del self._accounts[key]
            for group in self._groups.values():
                group.members = [name for name in group.members if name != access_key]

    def user_info(self, access_key: str) -> Document:
        """The status of a user, and its policies if it has any."""
        with self._lock:
            return self._described(access_key, self._user(access_key))

    def set_user_status(self, access_key: str, status: str) -> None:
        """Enable or disable a user."""
        if status not in ("enabled", "disabled"):
            raise ApiError("XMinioAdminInvalidArgument", "Invalid arguments specified.", 400)
        with self._lock:
            user = self._user(access_key)
            user.enabled = status == "enabled"
            user.updated_at = _now()

    def list_users(self) -> Document:
        """Every user by name."""
        with self._lock:
            return {name: self._described(name, user) for name, user in self._users.items()}

    def _user(self, access_key: str) -> User:
        if access_key in self._accounts:
            raise _not_allowed()
        user = self._users.get(access_key)
        if user is None:
            raise _no_such_user()
        return user

    def _valid_user(self, access_key: str) -> User:
        """A user that is switched on; to attachments and new service accounts, no other exists."""
        user = self._user(access_key)
        if not user.enabled:
            raise _no_such_user()
        return user

    def _described(self, name: str, user: User) -> Document:
        described: Document = {"policyName": ",".join(user.policies)} if user.policies else {}
        groups = [group for group, held in self._groups.items() if name in held.members]
        described |= {"memberOf": groups} if groups else {}
        return described | {"status": "enabled" if user.enabled else "disabled", "updatedAt": user.updated_at}

    # Groups

    def update_group_members(self, group: str, members: Iterable[str], *, remove: bool = False) -> None:
        """Add users to a group, which then exists, or remove them; a removal without members removes an empty group."""
        with self._lock:
            _check_name(group)
            listed = list(members)
            for name in listed:
                self._user(name)
            if not remove:
                held = self._groups.setdefault(group, Group())
                held.members = list(dict.fromkeys((*held.members, *listed)))
                held.updated_at = _now()
                return
            held = self._group(group)
            if not listed:
                if held.members:
                    raise ApiError(
                        "XMinioAdminGroupNotEmpty", "The specified group is not empty - cannot remove it.", 400
                    )
                del self._groups[group]
                return
            held.members = [name for name in held.members if name not in listed]

    def list_groups(self) -> list[str]:
        """The names of all groups."""
        with self._lock:
            return list(self._groups)

    def group(self, name: str) -> Document:
        """A group's status, members and policies."""
        with self._lock:
            held = self._group(name)
            return {
                "name": name,
                "status": "enabled" if held.enabled else "disabled",
                "members": list(held.members),
                "policy": ",".join(held.policies),
                "updatedAt": held.updated_at,
            }

    def set_group_status(self, name: str, status: str) -> None:
        """Enable or disable a group."""
        with self._lock:
            self._group(name).enabled = _is_on(status)

    def _group(self, name: str) -> Group:
        found = self._groups.get(name)
        if found is None:
            raise ApiError(
                "XMinioAdminNoSuchGroup", "The specified group does not exist. (Specified group does not exist)", 404
            )
        return found

    # Quotas

    def set_bucket_quota(self, bucket: str, quota: Document) -> None:
        """Set a bucket's quota; the server does not apply it."""
        with self._lock:
            self._quotas[bucket] = quota

    def bucket_quota(self, bucket: str) -> Document:
        """A bucket's quota, with a size of 0 for none."""
        with self._lock:
            return {"quota": 0, "size": 0, "rate": 0, "requests": 0} | self._quotas.get(bucket, {})

    # Policies

    def add_canned_policy(self, name: str, policy: object) -> None:
        """Create or replace a policy."""
        _check_name(name)
        if "," in name:
            raise ApiError("PolicyInvalidName", "Policy name may not contain comma", 400)
        document = minio_policy.canned(policy)
        with self._lock:
            self._policies[name] = document

    def remove_canned_policy(self, name: str) -> None:
        """Remove a policy that is not attached; removing a missing policy is not an error."""
        with self._lock:
            holders = [
                *(one.policies for one in self._users.values()),
                *(one.policies for one in self._groups.values()),
            ]
            if any(name in policies for policies in holders):
                raise ApiError("XMinioIAMPolicyInUse", "The policy cannot be removed, as it is in use", 400)
            self._policies.pop(name, None)

    def info_canned_policy(self, name: str) -> Document:
        """The document of a policy."""
        with self._lock:
            if name not in self._policies:
                raise _no_such_policy()
            return _shown(self._policies[name])

    def list_canned_policies(self) -> Document:
        """Every document by name; one that cannot be shown hides them all."""
        with self._lock:
            return {name: _shown(policy) for name, policy in self._policies.items()}

    # Attachments

    def attach_policy(self, user: str, policies: Iterable[str], group: str = "") -> Document:
        """Attach policies to a user, or to a group."""
        return self._change(user, group, policies, attach=True)

    def detach_policy(self, user: str, policies: Iterable[str], group: str = "") -> Document:
        """Detach policies from a user, or from a group."""
        return self._change(user, group, policies, attach=False)

    def _change(self, user: str, group: str, policies: Iterable[str], *, attach: bool) -> Document:
        with self._lock:
            owner = self._group(group) if group else self._valid_user(user)
            changed = [name for name in dict.fromkeys(policies) if (name in owner.policies) != attach]
            if attach and any(name not in self._policies for name in changed):
                raise _no_such_policy()
            if not changed:
                raise ApiError(
                    "XMinioAdminPolicyChangeAlreadyApplied",
                    "The specified policy change is already in effect. (Specified policy update has no net effect)",
                    400,
                )
            if attach:
                owner.policies.extend(changed)
            else:
                owner.policies = [name for name in owner.policies if name not in changed]
            owner.updated_at = _now()
            return {
                "policiesAttached" if attach else "policiesDetached": changed,
                "updatedAt": owner.updated_at,
            }

    def set_user_or_group_policy(self, user_or_group: str, policy_name: str) -> None:
        """Replace all policies of a user by these, separated by commas; an empty name removes all."""
        with self._lock:
            owner = self._valid_user(user_or_group)
            wanted = list(dict.fromkeys(name for name in policy_name.split(",") if name))
            if any(name not in self._policies for name in wanted):
                raise _no_such_policy()
            owner.policies = wanted
            owner.updated_at = _now()

    def policy_entities(self, users: Iterable[str] = ()) -> Document:
        """Which users have which policies."""
        with self._lock:
            asked = list(users) or list(self._users)
            mappings = [
                {"user": name, "policies": list(self._users[name].policies)}
                for name in asked
                if name in self._users and self._users[name].policies
            ]
            return {"timestamp": _now(), "userMappings": mappings}

    # Service accounts

    def add_service_account(
        self,
        target_user: str,
        *,
        policy: object = None,
        access_key: str = "",
        secret_key: str = "",
        name: str = "",
        description: str = "",
        expiration: str = "",
    ) -> Document:
        """Create a credential of a user; the store generates missing keys."""
        with self._lock:
            target = self._users.get(target_user)
            if target_user != self.root_user and (target is None or not target.enabled):
                raise ApiError("XMinioAdminNoSuchUser", f"Specified target user {target_user} does not exist", 404)
            access_key = access_key or _random_key(MAX_ACCESS_KEY, string.ascii_uppercase + string.digits)
            secret_key = secret_key or _random_key(MAX_SECRET_KEY, string.ascii_letters + string.digits)
            _check_name(access_key)
            _check_access_key(access_key, MAX_ACCESS_KEY)
            _check_secret_key(secret_key, MAX_SECRET_KEY)
            document = minio_policy.of_service_account(policy) if policy else None
            taken = self._accounts.get(access_key)
            if taken is not None or access_key in self._users or access_key == self.root_user:
                by = "already taken" if taken and taken.parent == target_user else "is taken by another user"
                raise ApiError(
                    "XMinioIAMServiceAccountNotAllowed",
                    f"Specified service account action is not allowed: the service account access key {by}",
                    400,
                )
            self._accounts[access_key] = ServiceAccount(
                target_user, secret_key, document, name=name, description=description, expiration=expiration
            )
            until = expiration or _NEVER
            return {"credentials": {"accessKey": access_key, "secretKey": secret_key, "expiration": until}}

    def info_service_account(self, access_key: str) -> Document:
        """Owner, status and policy of a service account: its own policy, or the inherited one."""
        with self._lock:
            account = self._account(access_key, " (Specified service account does not exist)")
            if account.policy is None:
                statements = [one for document in self._inherited(account) for one in document["Statement"]]
                policy: Document = {"Version": "2012-10-17", "Statement": statements}
            else:
                policy = account.policy
            return self._summary(account) | {"policy": json.dumps(policy, indent=1)}

    def _inherited(self, account: ServiceAccount) -> tuple[Document, ...]:
        if account.parent == self.root_user:
            return (minio_policy.CANNED["consoleAdmin"],)
        return self._documents(account.parent)

    def update_service_account(
        self,
        access_key: str,
        *,
        new_policy: object = None,
        new_secret_key: str = "",
        new_status: str = "",
        new_name: str = "",
        new_description: str = "",
        new_expiration: str = "",
    ) -> None:
        """Change a service account. Without `new_policy` it loses its own policy and inherits its user's."""
        with self._lock:
            account = self._account(access_key, " (Specified service account does not exist)")
            document = minio_policy.of_service_account(new_policy) if new_policy else None
            if new_secret_key:
                _check_secret_key(new_secret_key, MAX_SECRET_KEY)
                account.secret_key = new_secret_key
            if new_status:
                account.enabled = _is_on(new_status)
            account.name = new_name or account.name
            account.description = new_description or account.description
            # The end of a key that never expires takes an end away (validateSvcExpirationInUTC in cmd/iam-store.go).
            account.expiration = "" if new_expiration == _NEVER else new_expiration or account.expiration
            account.policy = document

    def delete_service_account(self, access_key: str) -> None:
        """Remove a service account."""
        with self._lock:
            self._account(access_key, "")
            del self._accounts[access_key]

    def list_service_accounts(self, user: str) -> Document:
        """The service accounts of a user; null if there are none, also for an unknown user, as on a real server."""
        with self._lock:
            accounts = [self._listed(key, account) for key, account in self._accounts.items() if account.parent == user]
            return {"accounts": accounts or None}

    def list_access_keys(self) -> Document:
        """The service accounts of every user, also of those without one; root's only if it has some."""
        with self._lock:
            listed: dict[str, list[Document]] = {name: [] for name in self._users}
            for key, account in self._accounts.items():
                listed.setdefault(account.parent, []).append(self._listed(key, account))
            return {name: {"serviceAccounts": held or None, "stsKeys": None} for name, held in listed.items()}

    def _listed(self, key: str, account: ServiceAccount) -> Document:
        return {"expiration": _NEVER} | self._summary(account) | {"accessKey": key}

    def _account(self, access_key: str, detail: str) -> ServiceAccount:
        account = self._accounts.get(access_key)
        if account is None:
            raise _no_such_account(detail)
        return account

    @staticmethod
    def _summary(account: ServiceAccount) -> Document:
        summary: Document = {
            "parentUser": account.parent,
            "accountStatus": "on" if account.enabled else "off",
            "impliedPolicy": account.policy is None,
        }
        named = {"name": account.name, "description": account.description, "expiration": account.expiration}
        return summary | {key: value for key, value in named.items() if value}


def _random_key(length: int, alphabet: str) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))

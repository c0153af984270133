"""model.taxonomy: the data file, its limits, and the message for each mistake in it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from model import taxonomy_file
from model.problems import InvalidInputError
from model.taxonomy import (
    COLD_RETENTION_DAYS_MINIMUM,
    HOT_EXPIRE_DAYS,
    WARM_EXPIRE_DAYS,
    Access,
    BandName,
    ColdDomain,
    HotDomain,
    Taxonomy,
    WarmDomain,
)
from model.taxonomy_file import extended, load, parse

WHERE = "Pulumi.local.yaml: object-store:"


@pytest.fixture(name="content")
def _content() -> dict[str, Any]:
    content = yaml.safe_load(taxonomy_file.TAXONOMY_FILE.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def refused(content: object) -> str:
    """The message with which a taxonomy is refused."""
    with pytest.raises(InvalidInputError) as caught:
        parse(content, "infra/taxonomy.yaml")
    return str(caught.value)


class TestShipped:
    """The taxonomy file in this repository."""

    def test_has_the_nine_domains_of_the_decision_record(self) -> None:
        """The file has ADR-0209's initial domains, with the bands of the design."""
        bands = {name: domain.band.value for name, domain in load().domains.items()}

        assert bands == {
            "media-raw": "cold",
            "media-derived": "warm",
            "docs-raw": "cold",
            "docs-derived": "warm",
            "session-archive": "warm",
            "otel-archive": "cold",
            "vault-backups": "cold",
            "agent-loop-artifacts": "hot",
            "discovery-raw": "warm",
        }

    def test_has_the_identities_to_start_with(self) -> None:
        """Each workload has the grants of the issue, and only the verifier verifies."""
        identities = load().identities

        assert identities["worker"].grants["media-raw"] is Access.APPEND
        assert identities["worker"].grants["agent-loop-artifacts"] is Access.WRITE
        assert identities["reader"].grants == {"*": Access.READ}
        assert [name for name, identity in identities.items() if identity.verifies] == ["verifier"]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        pytest.param("domains.media-raw.band", "frozen", "legal: hot, warm, cold", id="band-unknown"),
        pytest.param("domains.agent-loop-artifacts.expire_after_days", 31, "7 to 30 d", id="hot-too-long"),
        pytest.param("domains.agent-loop-artifacts.expire_after_days", 6, "7 to 30 d", id="hot-too-short"),
        pytest.param("domains.discovery-raw.expire_after_days", 366, "90 to 365 d", id="warm-too-long"),
        pytest.param("domains.discovery-raw.expire_after_days", 89, "90 to 365 d", id="warm-too-short"),
        pytest.param("domains.media-raw.retention_days", 364, "365 to 36500 d", id="cold-retention-too-short"),
        pytest.param("domains.media-raw.expire_after_days", 364, "at least 365 d", id="cold-expiry-under-retention"),
        pytest.param("domains.media-derived.retention_days", 400, "only in the cold band", id="retention-on-warm"),
        pytest.param("domains.media-derived.ttl", 1, "unknown key 'ttl'", id="unknown-key-of-domain"),
        pytest.param("lifecycles", {}, "unknown key 'lifecycles'", id="unknown-key-at-the-top"),
        pytest.param("identities.worker.may", "all", "unknown key 'may'", id="unknown-key-of-identity"),
        pytest.param("bands.warm.ttl", 9, "unknown key 'ttl'", id="unknown-key-of-band"),
        pytest.param("bands.hott", {}, "unknown key 'hott'", id="unknown-band"),
        pytest.param("bands.hot.expire_after_days", 31, "less than or equal to 30", id="band-default-out-of-limits"),
        pytest.param("bands.cold.retention_days", 30, "greater than or equal to 365", id="band-retention-too-short"),
        pytest.param("identities.worker.grants.media-rav", "read", "write: media-raw: read", id="unknown-domain"),
        pytest.param("identities.worker.grants.media-raw", "admin", "read, append, write", id="unknown-access"),
        pytest.param("domains.Media", {"band": "hot"}, "write: media:", id="capitals"),
        pytest.param("domains.media_raw2", {"band": "hot"}, "write: media-raw2:", id="underscore"),
        pytest.param("domains.2nd-raw", {"band": "hot"}, "write: nd-raw:", id="digit-first"),
        pytest.param("identities.reader.grants", {"*": "admin"}, 'write: "*": read', id="unknown-access-everywhere"),
        pytest.param("domains.media--raw", {"band": "hot"}, "write: media-raw:", id="two-hyphens"),
        pytest.param("identities.idle", {}, "at least one grant", id="identity-without-grants"),
        pytest.param("identities.verifier.grants", {"*": "read"}, "cannot hold grants", id="verifier-with-grants"),
        pytest.param("domains", {}, "at least 1 item", id="no-domains"),
        pytest.param("domains.x", {"purpose": "?"}, "domains.x.band: is missing", id="no-band"),
        pytest.param("domains.x", {"band": ["hot"]}, "domains.x.band: ['hot'] is not allowed", id="band-is-a-list"),
        pytest.param("domains.x", 7, "domains.x: 7 is not allowed here", id="domain-is-a-number"),
        pytest.param("domains.docs-raw.retention_days", 36501, "write: retention_days: 365", id="locked-too-long"),
        pytest.param("domains.docs-raw.retention_days", "400", "domains.docs-raw.retention_days: '400'", id="text"),
        pytest.param("domains.media-raw.expire_after_days", 0, "at least 365 d, or no", id="cold-without-a-day"),
        pytest.param(
            "bands.warm.transition", {"storage_class": "STANDARD_IA", "after_days": 180}, "30 to 179 d", id="moved-late"
        ),
        pytest.param(
            "bands.warm.transition", {"storage_class": "STANDARD_IA", "after_days": 29}, "equal to 30", id="moved-early"
        ),
        pytest.param("domains.media-raw.expire_after_days", 2**31, "at most 2147447147 d", id="cold-beyond-32-bits"),
        pytest.param("bands.cold.expire_noncurrent_after_days", 2**31, "less than or equal", id="noncurrent-32-bits"),
        pytest.param("bands.hot.abort_multipart_after_days", 2**31, "less than or equal", id="abort-32-bits"),
        pytest.param("bands.hot.abort_multipart_after_days", 0, "greater than or equal to 1", id="abort-without-a-day"),
    ],
)
def test_mistake_is_named_with_what_to_write(content: dict[str, Any], path: str, value: object, expected: str) -> None:
    """A mistake is refused with its place, the legal values and the line to paste."""
    *parents, key = path.split(".")
    inside: dict[str, Any] = content
    for parent in parents:
        inside = inside[parent]
    inside[key] = value

    message = refused(content)

    assert f"infra/taxonomy.yaml: {'.'.join(parents)}" in message
    assert expected in message
    assert "legal:" in message
    assert "write:" in message


@pytest.mark.parametrize("name", [1, 1.5, True, None])
@pytest.mark.parametrize("where", ["domains", "identities"])
def test_name_that_yaml_reads_as_no_text(content: dict[str, Any], where: str, name: object) -> None:
    """`true:`, `1:` and `null:` are refused as names, with a name that is one."""
    content[where][name] = {"band": "hot"} if where == "domains" else {"grants": {"media-raw": "read"}}

    message = refused(content)

    assert f"the name {name!r} is not a text" in message
    assert "[key]" not in message
    assert "write: media-raw:" in message


def test_dots_in_a_domain_name_are_refused(content: dict[str, Any]) -> None:
    """A dot would break TLS host names, so it is refused in a domain name."""
    content["domains"]["media.raw"] = {"band": "hot"}

    assert "write: media-raw:" in refused(content)


def test_cold_domain_outlives_its_own_retention(content: dict[str, Any]) -> None:
    """Days that are legal for the band are refused if the domain's retention is longer."""
    content["domains"]["media-raw"] |= {"retention_days": 500, "expire_after_days": 400}

    assert "400 d is shorter than the retention of 500 d" in refused(content)


@pytest.mark.parametrize(
    ("band", "moved", "domain", "least"),
    [("warm", 120, "discovery-raw", 121), ("cold", 400, "media-raw", 401)],
)
def test_domain_expires_after_its_move(content: dict[str, Any], band: str, moved: int, domain: str, least: int) -> None:
    """S3 refuses a rule that moves objects on the day on which they expire, or later; one day before is legal."""
    content["bands"][band]["transition"]["after_days"] = moved
    content["domains"][domain]["expire_after_days"] = moved

    message = refused(content)

    assert f"domains.{domain}.expire_after_days: objects expire after {moved} d, but bands.{band}.transition" in message
    assert f"write: expire_after_days: {least}" in message
    content["domains"][domain]["expire_after_days"] = least
    assert parse(content, "test").domains[domain].expire_after_days == least


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (HotDomain, {"band": "hot", "expire_after_days": HOT_EXPIRE_DAYS[1] + 1}),
        (HotDomain, {"band": "warm"}),
        (HotDomain, {"band": "hot", "retention_days": 365}),
        (WarmDomain, {"band": "warm", "expire_after_days": WARM_EXPIRE_DAYS[0] - 1}),
        (WarmDomain, {"band": "warm", "retention_mode": "COMPLIANCE"}),
        (ColdDomain, {"band": "cold", "retention_days": COLD_RETENTION_DAYS_MINIMUM - 1}),
        (ColdDomain, {"band": "cold", "expire_after_days": 1}),
    ],
)
def test_domain_out_of_limits_cannot_be_made(model: type[BaseModel], value: dict[str, object]) -> None:
    """The limits of a band are part of the type of its domains."""
    with pytest.raises(ValidationError):
        model.model_validate(value)


def test_other_problems_are_said_beside_limits(content: dict[str, Any]) -> None:
    """An exceeded limit does not hide an unknown domain or a malformed name."""
    content["domains"]["discovery-raw"]["expire_after_days"] = 1
    content["domains"]["media_raw2"] = {"band": "hot"}
    content["identities"]["worker"]["grants"]["nope"] = "read"

    message = refused(content)

    assert "3 problems" in message
    assert "90 to 365 d" in message
    assert "write: media-raw2:" in message
    assert "the grant names an unknown domain, 'nope'" in message


def test_all_problems_are_said_at_once(content: dict[str, Any]) -> None:
    """Two mistakes give two problems in one error."""
    content["domains"]["media-raw"]["retention_days"] = 1
    content["domains"]["discovery-raw"]["expire_after_days"] = 1

    with pytest.raises(InvalidInputError, match="2 problems in the input, nothing was sent") as caught:
        parse(content, "infra/taxonomy.yaml")

    assert [problem.where.rpartition(".")[2] for problem in caught.value.problems] == [
        "retention_days",
        "expire_after_days",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "domains:\n  a: {band: hot}\n  a: {band: warm}\n",
            "taxonomy.yaml:3:3: the key 'a' appears twice, first in line 2",
        ),
        ("domains: [", "taxonomy.yaml:1:11: a value that is missing"),
        ("- a\n- b\n", "is not a mapping"),
        ("", "is not a mapping"),
        ("domains:\n  a: {purpose: {{ x }}}\n", "taxonomy.yaml:2:17: a key that is a mapping or a list"),
        ("domains:\n  a: {purpose: \x07}\n", "taxonomy.yaml:2:16: the control character U+0007"),
        ("domains:\n\ta: {band: hot}\n", "taxonomy.yaml:2:1: a tab where YAML wants spaces"),
        ("domains:\n  ? [a, b]\n  : {band: hot}\n", "taxonomy.yaml:2:5: a key that is a mapping or a list"),
        ('domains:\n  a: {renamed_from: !!int "x"}\n', "taxonomy.yaml:2:21: a tag (!)"),
        ("domains: &a [*a]\n", "taxonomy.yaml:1:10: more than 32 levels"),
        ("domains: " + "{a: " * 2000, "taxonomy.yaml:1:133: more than 32 levels"),
        (f"domains: {{a: {{expire_after_days: {'9' * 5000}}}}}\n", "taxonomy.yaml:1:34: a number that not every"),
        ("domains: {123: {band: hot}}\n", "taxonomy.yaml:1:11: the key '123' is not text"),
    ],
)
def test_file_that_is_no_taxonomy_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """A duplicate domain, broken YAML, or a list is refused with the line."""
    path = tmp_path / "taxonomy.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InvalidInputError) as caught:
        load(path)

    assert expected in str(caught.value)


def test_date_is_text(tmp_path: Path) -> None:
    """A purpose that looks like a date, also like one that is none, is text."""
    text = taxonomy_file.TAXONOMY_FILE.read_text(encoding="utf-8")
    path = tmp_path / "taxonomy.yaml"
    for date in ("2026-12-31", "2026-02-30"):
        path.write_text(text.replace("original media, never rewritten", date), encoding="utf-8")
        assert load(path).domains["media-raw"].purpose == date


def test_other_encoding_is_named(tmp_path: Path) -> None:
    """A file in Latin-1 is refused with the place of the byte and the command that converts it."""
    path = tmp_path / "taxonomy.yaml"
    path.write_bytes("# é\n".encode("latin-1"))

    with pytest.raises(InvalidInputError) as caught:
        load(path)

    assert str(caught.value) == (
        "taxonomy.yaml:1:3: the byte 0xE9 is not UTF-8; the file may be in Latin-1\n"
        "  write: iconv -f ISO-8859-1 -t UTF-8 taxonomy.yaml > NEW_FILE"
    )


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A missing file is reported."""
    with pytest.raises(InvalidInputError, match="No such file"):
        load(tmp_path / "none.yaml")


class TestExtended:
    """What a stack may add and override."""

    def more(self, domains: dict[str, object], identities: dict[str, object] | None = None) -> Taxonomy:
        """The shipped taxonomy with a stack's additions."""
        return extended(load(), domains=domains, identities=identities or {}, where=WHERE)

    def test_adds_a_domain_and_grants_on_it(self) -> None:
        """A stack may add a domain, and a declared identity's grant on it."""
        found = self.more({"build-cache": {"band": "hot"}}, {"worker": {"grants": {"build-cache": "write"}}})

        assert found.domains["build-cache"].band is BandName.HOT
        assert found.identities["worker"].grants["build-cache"] is Access.WRITE
        assert found.identities["worker"].grants["media-raw"] is Access.APPEND

    def test_adds_an_identity(self) -> None:
        """A stack may add a complete identity."""
        found = self.more({}, {"registry": {"grants": {"media-raw": "read"}}})

        assert found.identities["registry"].grants == {"media-raw": Access.READ}

    def test_overrides_days_within_the_band(self) -> None:
        """A stack may override the days of a declared domain."""
        assert self.more({"discovery-raw": {"expire_after_days": 90}}).domains["discovery-raw"].expire_after_days == 90

    @pytest.mark.parametrize(
        ("domains", "identities", "expected"),
        [
            ({"media-raw": {"band": "cold"}}, {}, "the same domain twice"),
            ({"agent-loop-artifacts": {"band": "hot"}}, {}, "expire_after_days: 7"),
            ({"media-raw": 7}, {}, "is not a mapping"),
            ({"discovery-raw": {"expire_after_days": 366}}, {}, "90 to 365 d"),
            ({"build-cache": {"expire_after_days": 7}}, {}, "domains.build-cache.band: is missing"),
            ({}, {"worker": {"grants": {"media-raw": "write"}}}, "the same identity twice"),
            ({}, {"worker": {"purpose": "other"}}, "keys other than grants"),
            ({}, {"worker": 1}, "is not a mapping"),
            ({}, {"registry": {"grants": {"nope": "read"}}}, "the grant names an unknown domain, 'nope'"),
            ({}, {"second": {"verifies": True}}, "identities.second.verifies: verifier verifies already"),
        ],
    )
    def test_refuses_with_the_place_in_the_stack(
        self, domains: dict[str, object], identities: dict[str, object], expected: str
    ) -> None:
        """A stack's mistake is reported with the stack's file and key."""
        with pytest.raises(InvalidInputError) as caught:
            self.more(domains, identities)

        assert expected in str(caught.value)
        assert "Pulumi.local.yaml: object-store:" in str(caught.value)


class TestRenames:
    """`renamed_from`: a domain's former names."""

    def test_takes_one_name_or_several(self, content: dict[str, Any]) -> None:
        """One name needs no brackets; of several the oldest is first."""
        content["domains"]["media-raw"]["renamed_from"] = "raw"
        content["domains"]["docs-raw"]["renamed_from"] = ["papers", "docs"]
        taxonomy = parse(content, "test")

        assert taxonomy.domains["media-raw"].renamed_from == ("raw",)
        assert taxonomy.domains["docs-raw"].renamed_from == ("papers", "docs")

    def test_may_name_the_domain_itself_where_it_was_renamed_back(self, content: dict[str, Any]) -> None:
        """The oldest name may equal the current one."""
        content["domains"]["media-raw"]["renamed_from"] = ["media-raw", "raw"]

        assert parse(content, "test").domains["media-raw"].renamed_from == ("media-raw", "raw")

    @pytest.mark.parametrize(
        ("former", "expected"),
        [
            ("docs-raw", "'docs-raw' is a declared domain"),
            ("Docs", "the name 'Docs' is malformed"),
            ("twice", "'twice' is a former name of docs-derived"),
        ],
    )
    def test_refuses_a_name_that_is_anothers(self, content: dict[str, Any], former: str, expected: str) -> None:
        """A former name belongs to only one domain, and not to a declared one."""
        content["domains"]["docs-derived"]["renamed_from"] = "twice"
        content["domains"]["session-archive"]["renamed_from"] = former
        with pytest.raises(InvalidInputError) as caught:
            parse(content, "test")

        assert f"domains.session-archive.renamed_from: {expected}" in str(caught.value)

    def test_grant_on_a_former_name_is_answered_with_the_present_one(self, content: dict[str, Any]) -> None:
        """The line to paste has the renamed domain's current name."""
        content["domains"]["media-raw"]["renamed_from"] = "originals"
        content["identities"]["worker"]["grants"]["originals"] = "read"
        with pytest.raises(InvalidInputError) as caught:
            parse(content, "test")

        assert "write: media-raw: read" in str(caught.value)


@pytest.mark.parametrize("band", ["warm", "cold"])
@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_what_is_read_moves_to_no_archive_class(content: dict[str, Any], band: str, storage_class: str) -> None:
    """Each run reads packs back: from such a class S3 gives nothing. Other bands and classes are free."""
    read = {"band": band, "purpose": "read every day", "expire_after_days": 365}
    content["domains"] = {"session-archive": read, "records": {"band": "cold", "purpose": "read once in a while"}}
    identities = content["identities"]
    identities["session-archiver"]["grants"] = {"session-archive": "append", "records": "append"}
    content["identities"] = {name: identities[name] for name in ("session-archiver", "verifier")}
    content["bands"]["warm"]["transition"]["storage_class"] = "STANDARD_IA"
    content["bands"][band]["transition"]["storage_class"] = storage_class

    message = refused(content)

    assert f"bands.{band}.transition.storage_class: from {storage_class} nothing is read before" in message
    assert "session-archive is read every day" in message
    assert "legal: STANDARD_IA, ONEZONE_IA, GLACIER_IR, INTELLIGENT_TIERING" in message
    assert "write: transition: { storage_class: STANDARD_IA, after_days: 30 }" in message
    content["bands"][band]["transition"]["storage_class"] = "GLACIER_IR"
    assert parse(content, "test")
    content["domains"]["session-archive"]["band"] = "warm"
    content["bands"]["cold"]["transition"]["storage_class"] = "GLACIER"
    assert parse(content, "test")

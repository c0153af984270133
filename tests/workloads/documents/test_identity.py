"""The identity is that of docs-ingest, and the key keeps it."""

import json
import shutil
import subprocess
import unicodedata

import pytest

from workloads.documents.identity import document_id, id_of_key, key_of

SHA256 = "0123456789ab" + "c" * 52
#: Names, and the slug that the code of docs-ingest gives.
SLUGS = {
    "A Book (2nd ed.).pdf": "a-book-2nd-ed",
    "Report.pdf": "report",
    "report.PDF": "report",
    "Résumé.pdf": "r-sum",
    unicodedata.normalize("NFD", "Résumé.pdf"): "re-sume",
    "包天宇 72  2026.pdf": "72-2026",
    "日本語.pdf": "document",
    "a%20b.pdf": "a-20b",
    "trailing .pdf ": "trailing",
    "no suffix": "no-suffix",
    ".hidden": "hidden",
    "..x": "",
    "a.tar.gz": "a-tar",
    "a.": "a",
    "İstanbul K.md": "i-stanbul-k",
    "x" * 60 + ".txt": "x" * 48,
    "a" * 47 + " b.txt": "a" * 47 + "-",
}


@pytest.mark.parametrize(("name", "slug"), SLUGS.items(), ids=range(len(SLUGS)))
def test_identity_of_a_name(name: str, slug: str) -> None:
    """Letters, digits and hyphens of the name, at most 48, then twelve digits of the content; the key keeps both."""
    assert document_id(name, SHA256) == f"{slug or 'document'}-0123456789ab"
    for number in (1, 2):
        assert id_of_key(key_of(name, SHA256, number)) == document_id(name, SHA256)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js, whose functions docs-ingest calls")
def test_identity_is_that_of_node() -> None:
    """The three lines of docs-ingest, run by Node.js itself."""
    script = (
        "const {basename, extname} = require('path');"
        "const slug = v => v.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '') || 'document';"
        "const all = JSON.parse(process.argv[1]).map(n => slug(basename(n, extname(n))).slice(0, 48));"
        "console.log(JSON.stringify(all))"
    )
    found = subprocess.run(  # noqa: S603 - the script above
        ["node", "-e", script, json.dumps(list(SLUGS))],  # noqa: S607 - that of PATH
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert [f"{slug}-0123456789ab" for slug in json.loads(found)] == [document_id(name, SHA256) for name in SLUGS]


def test_name_with_a_space_in_place_of_a_sign() -> None:
    """What docs/documents.md advises for a name that no key can hold: the identity stays."""
    for name in ("a\\b.pdf", "a\nb.pdf"):
        assert document_id(name, SHA256) == document_id("a b.pdf", SHA256)


def test_key_of_something_else() -> None:
    """What is no key of a document has no identity."""
    with pytest.raises(ValueError, match="is not the key of a document"):
        id_of_key("docs/ab/short/x.pdf")

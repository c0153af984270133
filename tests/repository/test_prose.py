"""docs.prose: README, docs, help and messages hold no word that makes them hard to read."""

import pytest

from docs.prose import RULES, findings, main, prose_of_code, prose_of_page

BAD = (
    "nobody may delete it",
    "`x` is no bucket",
    "the user is told the name",
    "it tells of one object",
    "the engine is not to be had",
    "removed by the hand of the admin",
    "keys are made anew",
    "whatever the server says",
    "the admin is let in",
    "the stack stands",
    "its protection is taken off",
    "`pulumi up` puts it right",
)


def test_repository_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    """No page and no text of the code holds such a word."""
    status = main()

    assert (status, capsys.readouterr().out) == (0, "")


@pytest.mark.parametrize("sentence", BAD)
def test_sentence_is_found(sentence: str) -> None:
    """Each rule finds what it is for."""
    assert list(findings(sentence))


def test_every_rule_is_tried() -> None:
    """No rule is there that no sentence above needs."""
    assert {advice for sentence in BAD for _, advice in findings(sentence)} == set(RULES.values())


def test_code_is_not_prose() -> None:
    """Blocks and spans of code, and strings of one word, are left alone."""
    page = "a page\n```sh\nnobody may\n```\nwith `nobody` in it\n"

    assert [text for _, text in prose_of_page(page)] == ["a page", "with  in it"]
    assert [text for _, text in prose_of_code('holder = "nobody"\nsaid = "one may"')] == ["one may"]


@pytest.mark.parametrize("sentence", ["there is no bucket", "it is no longer there", "`*` stands for every domain"])
def test_plain_sentence_passes(sentence: str) -> None:
    """A rule finds no plain sentence that is like a hard one."""
    assert list(findings(sentence)) == []

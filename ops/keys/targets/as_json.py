"""JSON on standard output, for a program that reads it from a pipe.

The rule: never to a terminal. The target stores nothing, so `held` returns what was written. The CA is included as
text, because the adapter's `S3_CA_BUNDLE` may be text; `AWS_CA_BUNDLE`, which is always a path, is absent.
"""

import json
import sys
from collections.abc import Sequence
from typing import TextIO

from model.deployment import KeyPair
from model.handover import ACCESS_KEY_ID, CA_BUNDLE, SECRET_ACCESS_KEY, Handover
from model.secrecy.output_guard import reveal
from ops.keys.targets.outcome import CannotDeliverError, Outcome, UnfinishedDeliveryError, pair_of


class Pipe:
    """Standard output, if it is not a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Nothing is written yet."""
        self._stream = stream

    def check(self) -> None:
        """Check that standard output is not a terminal."""
        if (self._stream or sys.stdout).isatty():
            raise CannotDeliverError(
                "standard output is a terminal, and key pairs are never shown there; pipe them: … | PROGRAM"
            )

    def write(self, text: str) -> None:
        """Write the whole text.

        Raises:
            UnfinishedDeliveryError: The reader has closed the pipe.
        """
        try:
            if self._stream is None:
                reveal(text)
                sys.stdout.flush()
            else:
                self._stream.write(text)
                self._stream.flush()
        except OSError as error:
            raise UnfinishedDeliveryError(
                f"cannot write to standard output: {error.strerror}", [], ["standard output"]
            ) from None


class AsJson:
    """One JSON object: each identity's variables and buckets."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """To standard output, unless a stream is given."""
        self._pipe = Pipe(stream)
        self._text = "{}"

    def check(self) -> None:
        """Check that the output is a pipe."""
        self._pipe.check()

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Write everything at once."""
        self.check()
        content = {one.identity: _content(one) for one in given}
        self._text = json.dumps(content, indent=1) + "\n"
        self._pipe.write(self._text)
        return [Outcome(one.identity, "added") for one in given]

    def held(self, identity: str) -> KeyPair:
        """Return what was written."""
        one = json.loads(self._text).get(identity, {})
        return pair_of(one.get(ACCESS_KEY_ID), one.get(SECRET_ACCESS_KEY), f"the output for {identity}")


def _content(one: Handover) -> dict[str, object]:
    ca = {} if one.ca_pem is None else {CA_BUNDLE: one.ca_pem}
    return {**one.keys(), **one.settings(None), **ca, "buckets": dict(one.buckets)}

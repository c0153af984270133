"""JSON on standard output, for a program that takes it from a pipe.

The rule: never to a terminal. It leaves nothing behind, so what it holds is what was written; the CA stands in it as
text, which `S3_CA_BUNDLE` may be for the adapter.
"""

import json
import sys
from collections.abc import Sequence
from typing import TextIO

from model.deployment import KeyPair
from model.handover import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Handover
from model.secrecy.output_guard import reveal
from ops.keys.targets.outcome import CannotDeliverError, Outcome, UnfinishedDeliveryError, pair_of


class Pipe:
    """Standard output, where it is no terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Nothing is written yet."""
        self._stream = stream

    def check(self) -> None:
        """Somebody reads who is no person looking at a screen."""
        if (self._stream or sys.stdout).isatty():
            raise CannotDeliverError("key pairs are not shown on a terminal; pipe them: … | PROGRAM THAT READS THEM")

    def write(self, text: str) -> None:
        """Write it all.

        Raises:
            UnfinishedDeliveryError: The reader has gone.
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
                f"standard output could not be written: {error.strerror}", [], ["standard output"]
            ) from None


class AsJson:
    """One object: by identity, its variables and its buckets."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """To standard output, where no other stream is named."""
        self._pipe = Pipe(stream)
        self._text = "{}"

    def check(self) -> None:
        """It is a pipe."""
        self._pipe.check()

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Write it all at once."""
        self.check()
        content = {
            one.identity: {**one.keys(), **one.settings(one.ca_pem), "buckets": dict(one.buckets)} for one in given
        }
        self._text = json.dumps(content, indent=1) + "\n"
        self._pipe.write(self._text)
        return [Outcome(one.identity, "added") for one in given]

    def held(self, identity: str) -> KeyPair:
        """What was written."""
        one = json.loads(self._text).get(identity, {})
        return pair_of(one.get(ACCESS_KEY_ID), one.get(SECRET_ACCESS_KEY), f"what was written for {identity}")

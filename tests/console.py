"""The console command in this process, for the tests of one command."""

from collections.abc import Callable, Sequence

from cli.main import main


def command(*words: str) -> Callable[[Sequence[str]], int]:
    """A function that runs a command with further arguments and returns the exit status."""
    return lambda arguments: main([*words, *arguments])

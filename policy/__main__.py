"""What the engine starts: `python policy`, from any folder."""

import sys
from pathlib import Path


def main() -> None:
    """Serve the pack to the engine."""
    # Python puts the pack's own folder first; the checkout comes in its place, so that `model` is this checkout's.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from policy.pack import serve  # noqa: PLC0415 - only now can it be found

    serve()


if __name__ == "__main__":
    main()

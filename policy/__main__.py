"""The entry point that the engine starts: `python policy`, from any folder."""

import sys
from pathlib import Path


def main() -> None:
    """Serve the pack to the engine."""
    # Python puts the pack's folder first; replace it with the checkout's, so that `model` comes from this checkout.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from policy.pack import serve  # noqa: PLC0415 - it cannot be found before

    serve()


if __name__ == "__main__":
    main()

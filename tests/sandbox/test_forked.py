"""A forked process is this checkout's, with the environment and the folder of its own start."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from tests.documented import ROOT

_USE = """
    import os
    from pathlib import Path
    from sandbox import forked

    def main():
        forked.load("model.taxonomy_file")
        os.environ["TOLD"] = "first"
        forked.started(print, "the server of forks is up", flush=True).join()
        os.environ["TOLD"] = "second"
        os.chdir("..")
        process = forked.started(asked.tell)
        process.join()
        assert not process.exitcode

    if __name__ == "__main__":
        import asked
        main()
"""
_ASKED = """
    import os
    from model import taxonomy_file

    def tell():
        print(taxonomy_file.__file__, os.environ["TOLD"], os.getcwd(), flush=True)
"""


def test_modules_environment_and_folder(tmp_path: Path) -> None:
    """Also if the first process starts in the folder of another checkout, with other variables."""
    other = tmp_path / "checkout"
    (other / "model").mkdir(parents=True)
    for name in ("__init__", "taxonomy_file"):
        (other / "model" / f"{name}.py").touch()
    for name, text in (("use", _USE), ("asked", _ASKED)):
        (tmp_path / f"{name}.py").write_text(dedent(text), encoding="utf-8")

    # S603: this interpreter, on a script that the test has written.
    told = subprocess.run(  # noqa: S603
        [sys.executable, str(tmp_path / "use.py")],
        cwd=other,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert told.splitlines() == [
        "the server of forks is up",
        f"{ROOT / 'model' / 'taxonomy_file.py'} second {tmp_path}",
    ]

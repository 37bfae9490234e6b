"""For suites that are a program of their own: cases, a private folder for each, and the line of counts."""

import pathlib
import sys
import tempfile

CASES = []


class Skipped(Exception):
    """Raised by a case that cannot run here, with why."""


def case(function):
    """Adds the function, which takes a pathlib.Path, as a case: its docstring is the rule that it shows."""
    CASES.append(function)
    return function


def main(name):
    """Runs the cases, or those with the words of the command line in their rule, and ends the program."""
    words = " ".join(a for a in sys.argv[1:] if not a.startswith("--"))
    passed = failed = skipped = 0
    for run in CASES:
        if words not in run.__doc__:
            continue
        with tempfile.TemporaryDirectory(prefix=f"chats-{name}-") as folder:
            try:
                run(pathlib.Path(folder))
                passed += 1
                print(f"ok     {name}: {run.__doc__}", flush=True)
            except Skipped as why:
                skipped += 1
                print(f"skipped {name}: {run.__doc__}\n       {why}", flush=True)
            except Exception as error:  # any of them fails the case, none ends the run
                failed += 1
                print(f"not ok {name}: {run.__doc__}\n       {error!r}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed else 0)


def build_folder():
    """The build under test: --build=FOLDER, else build/ at the top."""
    for argument in sys.argv[1:]:
        if argument.startswith("--build="):
            return pathlib.Path(argument.removeprefix("--build=")).resolve()
    return pathlib.Path(__file__).resolve().parents[2] / "build"

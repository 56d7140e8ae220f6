"""Checks datasets, and uses networks that the workflow has trained: `wsss check --help`."""

import argparse
import sys
from collections.abc import Callable, Sequence

from wsss_core.runtime.errors import UserError, run_command
from wsss_core.runtime.version import package_version

COMMANDS = {
    "check": "tell all that is wrong with a folder of pictures and labels",
    "verify": "compare a results folder with the digests that are noted of its files",
    "predict": "segment pictures",
    "export": "write a network for use without this package: ONNX, TorchScript, torch.export",
}


def main() -> None:
    """Runs the command that is the first word of the command line."""
    parser = argparse.ArgumentParser(
        prog="wsss",
        description=__doc__,
        epilog="\n".join(f"{name:10}{text}" for name, text in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wsss {package_version()}")
    parser.add_argument("command", choices=COMMANDS, help="see below")
    args = parser.parse_args(sys.argv[1:2])
    if args.command == "predict" and not {"-h", "--help"} & set(sys.argv):
        sys.stderr.write("loading\n")
    run_command(lambda: _tell_system_errors(_import(args.command), sys.argv[2:]))


def _import(command: str) -> Callable[[Sequence[str]], None]:
    """Imports a command now: torch takes seconds, which `wsss --help` need not."""
    if command == "check":
        from wsss_core.cli.check import main as run
    elif command == "verify":
        from wsss_core.cli.verify import main as run
    elif command == "predict":
        from wsss_core.cli.predict import main as run
    else:
        try:
            from wsss_core.cli.export import main as run
        except ModuleNotFoundError as error:
            raise UserError(f"{error.name} is not installed; install wsss-core[export]") from error
    return run


def _tell_system_errors(command: Callable[[Sequence[str]], None], argv: Sequence[str]) -> None:
    """Tells a disk that is full, a folder that may not be written and the like in one line."""
    try:
        command(argv)
    except OSError as error:
        if error.strerror is None:  # not from the operating system
            raise
        raise UserError(f"{error.filename or 'while writing'}: {error.strerror}") from error

"""Checks datasets and results, and applies trained networks. See `wsss <command> --help`."""

import argparse
import sys
from collections.abc import Callable, Sequence

from wsss_core.runtime.errors import UserError, run_command
from wsss_core.runtime.version import package_version

COMMANDS = {
    "check": "check a folder of pictures and labels, or the config of an experiment",
    "verify": "check the files of a results folder against their stored checksums",
    "predict": "segment pictures with a trained network",
    "export": "export a network for use without this package: ONNX, TorchScript, torch.export",
}


def main() -> None:
    """Runs the command that the first argument names."""
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
    """Imports a command only when it is called, since importing torch takes seconds."""
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
    """Reports an error of the operating system, such as a full disk, in one line."""
    try:
        command(argv)
    except OSError as error:
        if error.strerror is None:  # not from the operating system
            raise
        raise UserError(f"{error.filename or 'while writing'}: {error.strerror}") from error

"""Which project code a stage really runs, and a digest of it.

A stage's script is a program of its own, so what it imports from the package, less what a table
here exempts, is all of our code that can change its result. The digest is taken over the syntax of
those files: comments, docstrings, help texts and layout do not enter, and neither do times of
modification.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from wsss_core.runtime.errors import UserError

PACKAGE = "wsss_core"
PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTATION = ("description", "help")  # keyword arguments that only tell, as docstrings do

# Files that run with programs but cannot change what a program that ends well has written, and why.
# What decides numbers, formats or their order does not belong here: loss_monitor.py, for one, also
# takes the means of the loss curve.
CANNOT_CHANGE_RESULTS = {
    "wsss_core/download/disk.py": "refuses full disks; writes no content",
    "wsss_core/losses/shapes.py": "refuses tensors of wrong shapes; changes none that it accepts",
    "wsss_core/runtime/checked_text.py": "refuses tables that were changed; changes none",
    "wsss_core/runtime/errors.py": "words mistakes, and ends the programs that meet them",
    "wsss_core/runtime/lock.py": "lets others wait; changes nothing of what is made",
    "wsss_core/runtime/profiling.py": "hands on each item as it is; the trace is no result",
    "wsss_core/runtime/progress.py": "hands on each item as it is, and writes to the log",
    "wsss_core/runtime/readers.py": "how readers of images hand them over, not what they read",
    "wsss_core/training/broken_gradients.py": "refuses networks; changes none that it accepts",
    "wsss_core/training/inputs.py": "names what a training reads; the training reads it by itself",
    "wsss_core/training/signals.py": "when a training pauses; it goes on as if it had not",
    "wsss_core/training/store.py": "gives back, byte for byte, what an equal training has written",
    "wsss_core/training/waiting.py": "hands on each item as it is; waiting times go to the log",
    "wsss_core/workflow/gpu_lease.py": "which of equal GPUs a training is done on",
}


def closure(
    script: str | Path,
    *,
    modules: Sequence[str] = (),
    project: Path = PROJECT,
) -> tuple[Path, ...]:
    """Lists the files that decide what a script makes: itself and what it imports, transitively.

    Those of `CANNOT_CHANGE_RESULTS` are left out, and what they alone import.

    Args:
        script: The program, relative to `project`.
        modules: Files that it imports by a name that only its arguments tell: relative to
            `project`, or a user's, absolute.
        project: Directory that holds the package.

    Returns:
        Paths relative to `project`, those of a user absolute, sorted.
    """
    left_out = set(map(Path, CANNOT_CHANGE_RESULTS))
    found: set[Path] = set()
    waiting = [Path(script), *map(Path, modules)]
    while waiting:
        path = waiting.pop()
        if path not in found and path not in left_out:
            found.add(path)
            waiting += _imported_files(project, path)
    return tuple(sorted(found))


@functools.cache
def code_digest(
    script: str | Path,
    *,
    modules: tuple[str, ...] = (),
    project: Path = PROJECT,
) -> str:
    """Digest of the code in a script's closure, 16 hexadecimal digits.

    Args:
        script: The program, relative to `project`.
        modules: See `closure`.
        project: Directory that holds the package.
    """
    files = file_digests(script, modules=modules, project=project)
    return _digest("\n".join(f"{path} {digest}" for path, digest in files.items()))


def file_digests(
    script: str | Path,
    *,
    modules: Sequence[str] = (),
    project: Path = PROJECT,
) -> dict[str, str]:
    """Digest of each file of a closure by its path, the arguments as of `code_digest`."""
    paths = closure(script, modules=modules, project=project)
    # A user's files by their names alone: their folder may move.
    return {
        path.name if path.is_absolute() else path.as_posix(): _file_digest(project / path)
        for path in paths
    }


@functools.cache
def _file_digest(path: Path) -> str:
    return _digest(_canonical(_tree(path)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except SyntaxError as error:  # in a module of the user's
        raise UserError(f"{path}: line {error.lineno}: {error.msg}; expected Python") from error


@functools.cache
def _imported_files(project: Path, path: Path) -> tuple[Path, ...]:
    """Files of the package that run when the statements of one file are executed."""
    found: dict[Path, None] = {}
    for name in _imported_names(path, _tree(project / path)):
        parts = name.split(".")
        root = _root_of(project, path, parts[0])
        if root is None:
            continue
        for length in range(1, len(parts) + 1):  # importing a.b.c runs a and a.b too
            stem = Path(*parts[:length])
            for candidate in (stem / "__init__.py", stem.with_suffix(".py")):
                if (project / root / candidate).is_file():
                    found[root / candidate] = None
    return tuple(found)


def _root_of(project: Path, path: Path, package: str) -> Path | None:
    """Folder that a package which a file imports lies in; None for those of others.

    Ours lies in the project, which is said by an empty path, and a user's in a folder above the
    file.
    """
    if package == PACKAGE:
        return Path()
    if not path.is_absolute():
        return None
    places = (parent for parent in path.parents if parent != project)
    return next(
        (p for p in places if (p / package).is_dir() or (p / f"{package}.py").is_file()), None
    )


def _imported_names(path: Path, tree: ast.Module) -> Iterator[str]:
    """Dotted names that a file imports; `from a import b` gives both `a` and `a.b`."""
    # Of a user's file only the folder's own name is known to be part of the dotted name.
    package = (path.parent.name,) if path.is_absolute() else path.with_suffix("").parts[:-1]
    for node in _executed_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*parents, *filter(None, [node.module])))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _executed_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`, which never run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            child = ast.Module(body=child.orelse, type_ignores=[])
        yield child
        yield from _executed_nodes(child)


def _canonical(node: object) -> str:
    """Text of a syntax tree without documentation and empty fields.

    `ast.dump` will not do: it writes docstrings, and its text changes between Python versions.
    """
    if isinstance(node, ast.AST):
        fields = (f"{name}={_canonical(value)}" for name, value in _meaning(node))
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(_canonical, node))}]"
    return repr(node)


def _meaning(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Fields of a node that matter to what it does."""
    for name, value in ast.iter_fields(node):
        if name in ("kind", "type_comment"):
            continue
        if name == "body" and _has_docstring(node):
            yield name, value[1:]
        elif name == "keywords":
            yield name, [keyword for keyword in value if keyword.arg not in DOCUMENTATION]
        elif value != [] and (value is not None or isinstance(node, ast.Constant)):
            yield name, value


def _has_docstring(node: ast.AST) -> bool:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None

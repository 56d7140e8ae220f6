"""Finds the project code that a stage runs, and computes a digest of it.

A stage's script is a program of its own. The files that it imports from this package, except those
listed in CANNOT_CHANGE_RESULTS, are all of our code that can change its result. The digest is
computed from the syntax trees of these files. Comments, docstrings, help texts, layout and times
of modification do not change it.
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
DOCUMENTATION = ("description", "help")  # keyword arguments that only document, like docstrings

# Files that cannot change the results of a program that ends successfully, and the reasons. Files
# that decide numbers, formats or their order do not belong here. For example, loss_monitor.py also
# computes the means of the loss curve.
CANNOT_CHANGE_RESULTS = {
    "wsss_core/download/disk.py": "stops if the disk is full; writes no content",
    "wsss_core/losses/shapes.py": "refuses tensors of wrong shapes; changes no tensor",
    "wsss_core/runtime/checked_text.py": "refuses tables that were changed; changes no table",
    "wsss_core/runtime/errors.py": "reports errors and ends the program",
    "wsss_core/runtime/lock.py": "makes other runs wait; does not change what is made",
    "wsss_core/runtime/profiling.py": "passes items on unchanged; the trace is not a result",
    "wsss_core/runtime/progress.py": "passes items on unchanged; writes to the log",
    "wsss_core/runtime/readers.py": "decides how images are passed on, not which images",
    "wsss_core/training/broken_gradients.py": "refuses networks; changes no network",
    "wsss_core/training/inputs.py": "computes digests of inputs; the training reads the inputs",
    "wsss_core/training/signals.py": "decides when a training pauses; the result is the same",
    "wsss_core/training/store.py": "returns the files of an identical training, byte for byte",
    "wsss_core/training/waiting.py": "passes items on unchanged; waiting times go to the log",
    "wsss_core/workflow/gpu_lease.py": "chooses one of several equal GPUs",
}


def closure(
    script: str | Path,
    *,
    modules: Sequence[str] = (),
    project: Path = PROJECT,
) -> tuple[Path, ...]:
    """Lists the files that decide a script's results: the script and its imports, transitively.

    Files in `CANNOT_CHANGE_RESULTS`, and files that only these import, are left out.

    Args:
        script: Path of the program, relative to `project`.
        modules: Further files that the program imports, chosen by its arguments. Paths are relative
            to `project`, or absolute for a user's own files.
        project: Directory that contains the package.

    Returns:
        Sorted paths, relative to `project`, or absolute for a user's own files.
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
    """Computes a digest of the code in a script's closure: 16 hexadecimal digits.

    Args:
        script: Path of the program, relative to `project`.
        modules: See `closure`.
        project: Directory that contains the package.
    """
    files = file_digests(script, modules=modules, project=project)
    return _digest("\n".join(f"{path} {digest}" for path, digest in files.items()))


def file_digests(
    script: str | Path,
    *,
    modules: Sequence[str] = (),
    project: Path = PROJECT,
) -> dict[str, str]:
    """Returns the digest of each file of a closure by path; arguments as for `code_digest`."""
    paths = closure(script, modules=modules, project=project)
    # A user's files count by name only, because their folder may move.
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
    except SyntaxError as error:  # in a user's module
        raise UserError(f"{path}: line {error.lineno}: {error.msg}; expected Python") from error


@functools.cache
def _imported_files(project: Path, path: Path) -> tuple[Path, ...]:
    """Lists the project's files that run when one file is imported."""
    found: dict[Path, None] = {}
    for name in _imported_names(path, _tree(project / path)):
        parts = name.split(".")
        root = _root_of(project, path, parts[0])
        if root is None:
            continue
        for length in range(1, len(parts) + 1):  # importing a.b.c also runs a and a.b
            stem = Path(*parts[:length])
            for candidate in (stem / "__init__.py", stem.with_suffix(".py")):
                if (project / root / candidate).is_file():
                    found[root / candidate] = None
    return tuple(found)


def _root_of(project: Path, path: Path, package: str) -> Path | None:
    """Returns the folder that contains an imported package; None for packages of others.

    For our package it is the empty path, which stands for the project. For a user's package it is a
    folder above the importing file.
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
    """Yields the dotted names that a file imports; `from a import b` gives both `a` and `a.b`."""
    # For a user's file, only the name of its folder is known to be part of the dotted name.
    package = (path.parent.name,) if path.is_absolute() else path.with_suffix("").parts[:-1]
    for node in _executed_statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*parents, *filter(None, [node.module])))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _executed_statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yields all statements except those under `if TYPE_CHECKING:`, which never run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue  # it has no statements
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            child = ast.Module(body=child.orelse, type_ignores=[])
        yield child
        yield from _executed_statements(child)


def _canonical(node: object) -> str:
    """Converts a syntax tree to text, without documentation and empty fields.

    `ast.dump` is not suitable: it includes docstrings, and its format depends on the Python
    version.
    """
    if isinstance(node, ast.AST):
        fields = (f"{name}={_canonical(value)}" for name, value in _meaning(node))
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(_canonical, node))}]"
    return repr(node)


def _meaning(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Yields the fields of a node that affect what it does."""
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

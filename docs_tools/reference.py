"""Writes the pages of the site that are generated from the code, into docs/reference.

    python -m docs_tools.reference

config.md lists the keys of the config models; commands.md has the help texts of the commands.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import yaml

from wsss_core.cli import check, export, predict, verify
from wsss_core.config.methods import MethodEntry
from wsss_core.methods.schema import KINDS, config_schema
from wsss_core.training import program

PROJECT = Path(__file__).parents[1]
REFERENCE = PROJECT / "docs/reference"
ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def main() -> None:
    """Writes both pages."""
    REFERENCE.mkdir(exist_ok=True)
    (REFERENCE / "config.md").write_text(config_page(), encoding="utf-8")
    (REFERENCE / "commands.md").write_text(commands_page(), encoding="utf-8")


def config_page() -> str:
    """Builds the page of all config keys: accepted values, value in config.yaml, meaning."""
    schema = config_schema()
    paper = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    comments = comments_of(PROJECT / "config.yaml")
    lines = [
        "# Config keys",
        "",
        "This page is generated from the config models. The column *config.yaml* has the value of "
        "the paper's experiment; for methods, that of `sb`. Your config replaces values key by "
        "key. An unknown key is an error.",
    ]
    for key, node in schema["properties"].items():
        lines += _section((key,), node, schema["$defs"], paper, comments)
    return "\n".join(_with_top_level(lines, schema, paper, comments)) + "\n"


def _with_top_level(
    lines: list[str], schema: Mapping[str, Any], paper: Any, comments: Mapping[str, str]
) -> list[str]:
    """Inserts the keys without a section of their own before the sections."""
    plain = {k: v for k, v in schema["properties"].items() if not models_of(v)}
    rows = [row(k, accepts(v), _value(paper, (k,)), comments[k]) for k, v in plain.items()]
    return [*lines[:3], "", "## Top level", "", *TABLE, *rows, *lines[3:]]


SHARED_MODELS = ("BackboneConfig", "OptimConfig", "CrfConfig", "ColorJitter")  # of several sections
TABLE = ("| key | meaning | accepts | config.yaml |", "|---|---|---|---|")


def _section(
    path: tuple[str, ...],
    node: Mapping[str, Any],
    models: Mapping[str, Any],
    paper: Any,
    comments: Mapping[str, str],
) -> Iterator[str]:
    """Yields heading and table of each model at or below a key."""
    for name in models_of(node):
        model = models[name]
        told = described(model)
        title = ".".join(path).replace("methods", "methods.<name>")
        yield from ["", f"## `{title}`", "", _summary(model, name), "", *TABLE]
        for key, child in model.get("properties", {}).items():
            meaning = comment(comments, (*path, key), name) or child.get("description")
            cells = accepts(child), _value(paper, (*path, key)), meaning or told.get(key, "")
            yield row(key, *cells, note=_kinds(name, key))
        for key, child in model.get("properties", {}).items():
            if name != "InitFile":
                yield from _section((*path, key), child, models, paper, comments)


def _summary(model: Mapping[str, Any], name: str) -> str:
    if name == "Method":
        return "How the classifier of a method is trained. Which keys there are depends on `kind`."
    text = str(model.get("description", "")).partition("\n\nAttributes:")[0]
    return " ".join(text.split())


def _kinds(model: str, key: str) -> str:
    """Names the kinds of methods that have a key; empty if all have it."""
    if model != "Method" or key in MethodEntry.model_fields:
        return ""
    names = [name for name, kind in KINDS.items() if key in kind.Config.model_fields]
    return f" (kind {' or '.join(f'`{name}`' for name in names)})"


def row(key: str, accepted: str, value: str, meaning: str, *, note: str = "") -> str:
    """Formats a row of the table of keys."""
    meaning = " ".join(meaning.split()).replace("<", "&lt;") + note
    cells = (f"`{key}`", meaning, accepted, value)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def comment(comments: Mapping[str, str], path: Sequence[str], model: str) -> str:
    """Returns the comment of config.yaml on a key, or on the same key of another section."""
    if path[0] == "methods":
        names = [f"methods.{name}.{'.'.join(path[1:])}" for name in ("cam", "seam", "sb")]
        return next((comments[name] for name in names if comments.get(name)), "")
    if found := comments.get(".".join(path), ""):
        return found
    if model not in SHARED_MODELS:
        return ""
    others = (text for name, text in comments.items() if name.split(".")[-2:] == list(path[-2:]))
    return next(filter(None, others), "")


def accepts(node: Mapping[str, Any]) -> str:
    """Describes types, choices and limits of a key in words."""
    if choices := node.get("anyOf"):
        return ", or ".join(dict.fromkeys(accepts(choice) for choice in choices))
    if "enum" in node:
        return ", ".join(f"`{yaml_text(value)}`" for value in node["enum"])
    if "const" in node:
        return f"`{yaml_text(node['const'])}`"
    if models_of(node):
        return "section" if node.get("type") != "array" else "list of entries"
    kind = node.get("type")
    if kind == "array":
        items: Any = node.get("items") or next(iter(node.get("prefixItems", [{}])), {})
        return f"list of {accepts(items)}"
    words = {"string": "text", "number": "number", "integer": "integer", "boolean": "true, false"}
    limits = [f"{sign} {node[name]}" for name, sign in LIMITS.items() if name in node]
    return " ".join([words.get(str(kind), "`null`" if kind == "null" else "map"), *limits])


def models_of(node: Any) -> list[str]:
    """Lists the models that a key's value may be or contain."""
    if isinstance(node, list):
        return list(dict.fromkeys(name for item in node for name in models_of(item)))
    if not isinstance(node, Mapping):
        return []
    if "$ref" in node:
        return [node["$ref"].rpartition("/")[2]]
    inner = [node.get(k) for k in ("anyOf", "items", "additionalProperties")]
    return models_of([*inner, *node.get("patternProperties", {}).values()])


def described(model: Mapping[str, Any]) -> dict[str, str]:
    """Returns the meaning of each key, from the section "Attributes" of the model's docstring."""
    text = str(model.get("description", "")).partition("Attributes:\n")[2]
    return dict(ATTRIBUTE.findall(text))


def comments_of(path: Path) -> dict[str, str]:
    """Returns the comment of each key of a YAML file, by dotted key."""
    found: dict[str, str] = {}
    keys: list[tuple[int, str]] = []
    above: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.match(r" *# (.*)", line):
            above.append(match[1])
            continue
        if match := re.match(r"( *)(\w+):(?: [^#]*)?(?:# (.*))?$", line):
            keys = [(indent, key) for indent, key in keys if indent < len(match[1])]
            keys.append((len(match[1]), match[2]))
            found[".".join(key for _, key in keys)] = " ".join([*above, match[3] or ""]).strip()
        above = []
    return found


def _value(paper: Any, path: Sequence[str]) -> str:
    """Returns the value of config.yaml at a key; for methods, the value of sb."""
    if path[0] == "methods":
        methods = paper["methods"]
        return _at(methods["seam"] | methods["sb"], path[1:])
    return _at(paper, path)


def _at(value: Any, path: Sequence[str]) -> str:
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return ""
        value = value[key]
    return "" if isinstance(value, Mapping) or _is_table(value) else f"`{yaml_text(value)}`"


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, Mapping) for item in value)


def yaml_text(value: Any) -> str:
    """Formats a value as in a config file."""
    return json.dumps(value) if not isinstance(value, str) else value


def commands_page() -> str:
    """Builds the page with the help texts of the commands."""
    make = (PROJECT / "Makefile").read_text(encoding="utf-8").partition("\n\nPYTHON")[0]
    targets = re.sub(r"^# ?", "", make, flags=re.MULTILINE)
    parts = [
        "# Commands",
        "",
        "This page is generated from the parsers of the commands.",
        *("", "## make", "", "```text", targets, "```"),
    ]
    for name, parse in {
        "wsss check": check.parse,
        "wsss verify": verify.parse,
        "wsss predict": predict.parse,
        "wsss export": export.parse,
    }.items():
        parts += ["", f"## {name}", "", "```text", help_of(parse), "```"]
    trainings = program.training_parser("Options of the programs workflow_scripts/train_*.py.")
    trainings.prog = "python -m workflow_scripts.train_<what>"
    parts += ["", "## Training programs", "", "```text", trainings.format_help().rstrip(), "```"]
    return "\n".join(parts) + "\n"


def help_of(parse: Callable[[Sequence[str]], Any]) -> str:
    """Returns the output of a command's --help."""
    text = io.StringIO()
    try:
        with redirect_stdout(text):
            parse(["--help"])
    except SystemExit:
        pass
    return text.getvalue().rstrip()


if __name__ == "__main__":
    main()

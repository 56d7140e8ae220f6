"""Explains why the jobs of a dry run would run, and names what has changed since they last ran.

Snakemake only knows that a parameter has changed, such as the digest of the code or a section of
the config. Each run therefore records, beside its results, which files belong to each digest. This
module uses the records to name the changed files.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss_core.runtime.atomic import atomic_file
from wsss_core.workflow.code_digest import PROJECT, code_digest, file_digests

DIGESTS = "code"  # folder in results/<name>; <digest>.json there lists the files of a digest
STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
RULE = re.compile(r"^ *(?:rule|checkpoint) (?=\w+:$)", re.M)
SECTION = re.compile(r'config=section_json\("([\w.]+)"')
DIGEST = re.compile(r"[0-9a-f]{16}")
FOLLOWS = "Input files updated by another job: "
MISSING = "Missing output files: "
PARAMS = "Params have changed since last execution"
NAMED = 3  # largest number of new jobs that are listed; more are only counted
PHRASES = {
    FOLLOWS: "needs files that other jobs make again: ",
    MISSING: "missing: ",
    "Updated input files: ": "changed: ",
    "Set of input files has changed since last execution": "reads other files than before",
    "Code has changed since last execution": "its command in rules/ changed",
    "Software environment definition has changed since last execution": "envs/ changed",
}

Files = dict[str, str]  # path -> digest of the file


@dataclass(frozen=True)
class Job:
    """A job of a dry run: its rule with wildcards, and Snakemake's reason."""

    title: str
    reason: str

    @property
    def only_follows(self) -> bool:
        """Whether the only reason is that other jobs will make its inputs.

        Snakemake then gives no other reason, even if there is one.
        """
        return self._has_only(FOLLOWS)

    @property
    def is_new(self) -> bool:
        """Whether the only reason is that its outputs do not exist yet."""
        return not self.only_follows and self._has_only(FOLLOWS, MISSING)

    def _has_only(self, *reasons: str) -> bool:
        return all(part.startswith(reasons) for part in self.reason.split("; "))


def current_code() -> dict[str, Files]:
    """Returns, for each digest that a job of any config has now, the files of the digest."""
    scripts = sorted(PROJECT.glob("workflow_scripts/[a-z]*.py"))
    kinds = sorted(PROJECT.glob("wsss_core/methods/[a-z]*.py"))
    choices = [(), *((kind.relative_to(PROJECT).as_posix(),) for kind in kinds)]
    arguments = [(script.relative_to(PROJECT), part) for script in scripts for part in choices]
    return {code_digest(s, modules=part): file_digests(s, modules=part) for s, part in arguments}


def record_code_digests(directory: Path) -> None:
    """Records the files of each present digest, for explanations of later runs.

    Args:
        directory: results/<name>.
    """
    for digest, files in current_code().items():
        path = directory / DIGESTS / f"{digest}.json"
        if not path.is_file():
            with atomic_file(path) as temporary:
                temporary.write_text(json.dumps(files, indent=1))


def recorded_code(results: Path) -> dict[str, Files]:
    """Returns the files of each digest, as recorded by any experiment or as of now.

    Args:
        results: The folder of all experiments.
    """
    found = {
        path.stem: json.loads(path.read_text()) for path in results.glob(f"*/{DIGESTS}/*.json")
    }
    return found | current_code()


def sections_of_rules() -> dict[str, str]:
    """Returns the config section that each rule reads, for rules that read a single section."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(PROJECT.glob("rules/*.smk"))]
    rules = [rule for text in texts for rule in RULE.split(text)[1:]]
    found = ((rule.partition(":")[0], SECTION.search(rule)) for rule in rules)
    return {name: section[1] for name, section in found if section}


def _whole_key(key: str, job: Job) -> str:
    """Converts a key to that of the config file: a classifier's `method` is one of `methods`."""
    method = re.search(r"\bmethod=(\w+)", job.title)
    if method and (key == "method" or key.startswith("method.")):
        return f"methods.{method[1]}{key.removeprefix('method')}"
    return key


def explain(jobs: Sequence[Job], known: Callable[[], Mapping[str, Files]]) -> Iterator[str]:
    """Explains why jobs would run.

    Args:
        jobs: The jobs of a dry run.
        known: Returns the files of each past or present digest; called only if a digest changed.

    Yields:
        Lines: each job that runs because of a change, with the reasons; the number of new jobs; the
        number of jobs that only depend on these.
    """
    sections = sections_of_rules()
    new = [job for job in jobs if job.is_new]
    for job in jobs:
        if not job.only_follows and (not job.is_new or len(new) <= NAMED):
            yield job.title
            files = known() if PARAMS in job.reason else {}
            yield from (f"    {text}" for text in _causes(job, sections, files))
    if len(new) > NAMED:
        yield f"{len(new)} jobs whose results do not exist yet"
    following = [job.title for job in jobs if job.only_follows]
    if following:
        num_trainings = sum(title.startswith("train_") for title in following)
        trainings = f"; {num_trainings} of them are trainings" if num_trainings else ""
        yield f"{len(following)} more that depend on these{trainings}"


def _causes(job: Job, sections: Mapping[str, str], known: Mapping[str, Files]) -> Iterator[str]:
    section = sections.get(job.title.partition(":")[0], "")
    for part in job.reason.split("; "):
        if part.startswith(PARAMS):
            before, _, now = part.partition(" now: ")
            for key, text in _changed_params(_strings(before), _strings(now), known, section):
                yield f"config: {_whole_key(key, job)}: {text}" if key else text
            continue
        for phrase, words in PHRASES.items():
            if part.startswith(phrase):
                yield words + (part.removeprefix(phrase) if phrase.endswith(": ") else "")
                break
        else:
            yield part


def _strings(text: str) -> list[str]:
    return [str(ast.literal_eval(quoted)) for quoted in STRING.findall(text)]


def _changed_params(
    before: Sequence[str], now: Sequence[str], known: Mapping[str, Files], section: str
) -> Iterator[tuple[str, str]]:
    """Compares the parameter values of the last run with the present ones.

    Snakemake gives the values without names. Each is compared with the value of the same kind.

    Yields:
        The key of the config (or "" for other values), and the change.
    """
    (old_code, old_sections, old_rest), (code, sections, rest) = (
        _sorted_by_kind(values) for values in (before, now)
    )
    for one, other in zip(old_code, code, strict=False):
        yield from (("", line) for line in _changed_files(known.get(one), known.get(other, {})))
    for one, other in zip(old_sections, sections, strict=False):
        yield from _changed_keys(one, other, section)
    if old_rest or rest:
        yield "", f"{' '.join(old_rest) or 'nothing'} -> {' '.join(rest) or 'nothing'}"


def _sorted_by_kind(values: Sequence[str]) -> tuple[list[str], list[Any], list[str]]:
    """Sorts values into digests, sections of the config, and others."""
    digests = [value for value in values if DIGEST.fullmatch(value)]
    sections = [json.loads(value) for value in values if value.startswith("{")]
    rest = [value for value in values if value not in digests and not value.startswith("{")]
    return digests, sections, rest


def _changed_files(before: Files | None, now: Files) -> Iterator[str]:
    if before is None or not now:
        yield "the code or the pictures of the dataset changed; there is no record of the files"
        return
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path):
            verb = "changed" if path in before and path in now else "was added"
            yield f"code: {path} {verb if path in now else 'was removed'}"


def _changed_keys(before: Any, now: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yields each key that differs between two versions of a section, with text like `1 -> 2`."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted(before.keys() | now.keys()):
            inner = f"{key}.{name}" if key else name
            yield from _changed_keys(before.get(name), now.get(name), inner)
    elif before != now:
        yield key, f"{json.dumps(before)} -> {json.dumps(now)}"

"""Says in words why stages would run, with what changed since they last ran.

    python -m wsss_core.workflow.why --configfile configs/demo.yaml

Snakemake knows that a parameter changed, be it the digest of the code or a section of the config. A
run leaves beside its results which files each digest was of, so that here they can be named.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.workflow.code_digest import PROJECT, code_digest, file_digests

DIGESTS = "code"  # below results/<name>: <digest>.json, the files of a digest
STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
JOB = (
    r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?: {4}.*\n)+)"  # of a dry run: its rule, and fields
)
RULE = re.compile(r"^ *(?:rule|checkpoint) (?=\w+:$)", re.M)
SECTION = re.compile(r'config=section_json\("([\w.]+)"')
DIGEST = re.compile(r"[0-9a-f]{16}")
FOLLOWS = "Input files updated by another job: "
PARAMS = "Params have changed since last execution"
PHRASES = {
    FOLLOWS: "reads what is made anew: ",
    "Missing output files: ": "not there yet: ",
    "Updated input files: ": "changed: ",
    "Set of input files has changed since last execution": "reads other files than before",
    "Code has changed since last execution": "its command in rules/ changed",
    "Software environment definition has changed since last execution": "envs/ changed",
}

Files = dict[str, str]  # digest of each file by its path


@dataclass(frozen=True)
class Job:
    """A job that would run: its rule and wildcards, and Snakemake's reason."""

    title: str
    reason: str

    @property
    def only_follows(self) -> bool:
        """Whether it reads what other jobs will make.

        Snakemake tells no other reason then, though there may be one.
        """
        return all(part.startswith(FOLLOWS) for part in self.reason.split("; "))


def current_code() -> dict[str, Files]:
    """The files of each digest that any job of any config has now."""
    scripts = sorted(PROJECT.glob("workflow_scripts/[a-z]*.py"))
    kinds = sorted(PROJECT.glob("wsss_core/methods/[a-z]*.py"))
    choices = [(), *((kind.relative_to(PROJECT).as_posix(),) for kind in kinds)]
    arguments = [(script.relative_to(PROJECT), part) for script in scripts for part in choices]
    return {code_digest(s, modules=part): file_digests(s, modules=part) for s, part in arguments}


def record_code_digests(directory: Path) -> None:
    """Records which files each digest is of, for a later `why`.

    Args:
        directory: results/<name>.
    """
    for digest, files in current_code().items():
        path = directory / DIGESTS / f"{digest}.json"
        if not path.is_file():
            with atomic_file(path) as temporary:
                temporary.write_text(json.dumps(files, indent=1))


def read_jobs(dry_run: str) -> list[Job]:
    """Reads the jobs that a dry run of Snakemake tells of."""
    jobs = []
    for rule, text in re.findall(JOB, dry_run, re.M):
        fields = dict(re.findall(r"^ {4}(\w+): (.*)$", text, re.M))
        if "output" in fields:  # the rules that only name targets have none
            wildcards = fields.get("wildcards")
            title = f"{rule}: {wildcards}" if wildcards else rule
            jobs.append(Job(title, fields.get("reason", "").strip()))
    return jobs


def sections_of_rules() -> dict[str, str]:
    """The section of the config that each rule reads, as far as it is a single one."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(PROJECT.glob("rules/*.smk"))]
    rules = [rule for text in texts for rule in RULE.split(text)[1:]]
    found = ((rule.partition(":")[0], SECTION.search(rule)) for rule in rules)
    return {name: section[1] for name, section in found if section}


def _whole_key(key: str, job: Job) -> str:
    """A key as a config file has it: a classifier's `method` is one of `methods`."""
    method = re.search(r"\bmethod=(\w+)", job.title)
    if method and (key == "method" or key.startswith("method.")):
        return f"methods.{method[1]}{key.removeprefix('method')}"
    return key


def explain(jobs: Sequence[Job], known: Mapping[str, Files]) -> Iterator[str]:
    """Says for each job that would run by itself why, and how many follow.

    Args:
        jobs: Those of a dry run.
        known: Files of each digest of code, of past and present.

    Yields:
        Lines.
    """
    sections = sections_of_rules()
    if not jobs:
        yield "nothing would run: results are those of the code, config and data that are there"
    for job in jobs:
        if not job.only_follows:
            yield job.title
            yield from (f"    {text}" for text in _causes(job, sections, known))
    followers = [job.title for job in jobs if job.only_follows]
    if followers:
        yield f"{len(followers)} more, which read what these make:"
        yield from (f"    {title}" for title in followers)


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
    """Says what changed from the values that only the past has to those that only the present has.

    They have no names, so each is compared with one of its kind.

    Yields:
        The key of the config, or "" for anything else, and what changed.
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
    """Digests, sections of the config, other values."""
    digests = [value for value in values if DIGEST.fullmatch(value)]
    sections = [json.loads(value) for value in values if value.startswith("{")]
    rest = [value for value in values if value not in digests and not value.startswith("{")]
    return digests, sections, rest


def _changed_files(before: Files | None, now: Files) -> Iterator[str]:
    if before is None or not now:
        yield "its code, or the pictures of the dataset, changed; which files is not on record"
        return
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path):
            verb = "changed" if path in before and path in now else "came in"
            yield f"code: {path} {verb if path in now else 'was dropped'}"


def _changed_keys(before: Any, now: Any, key: str) -> Iterator[tuple[str, str]]:
    """Keys with the words `1 -> 2`, for two versions of what lies at a key."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted(before.keys() | now.keys()):
            inner = f"{key}.{name}" if key else name
            yield from _changed_keys(before.get(name), now.get(name), inner)
    elif before != now:
        yield key, f"{json.dumps(before)} -> {json.dumps(now)}"


def _mistake(stdout: str, stderr: str) -> str:
    """What a dry run that failed says: our own line, or the last of Snakemake's."""
    ours = [line for line in stderr.splitlines() if line.startswith("error: ")]
    last = (stdout.strip() or stderr.strip()).splitlines()[-1]
    return ours[0].removeprefix("error: ") if ours else last


def main() -> None:
    """Runs a dry run with the arguments of this program, and explains it."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        usage="%(prog)s [-h] [target ...] [any other option of snakemake, such as --configfile]",
        epilog="Without a target: all that the config asks for.",
        allow_abbrev=False,
    )
    parser.add_argument("-d", "--directory", type=Path, help="where the run works; default: here")
    place = parser.parse_known_args()[0].directory or Path()
    command = [sys.executable, "-m", "snakemake", "--dry-run", *sys.argv[1:]]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise UserError(_mistake(run.stdout, run.stderr))
    recorded = place.glob(f"results/*/{DIGESTS}/*.json")
    known = {path.stem: json.loads(path.read_text()) for path in recorded} | current_code()
    sys.stdout.write("\n".join(explain(read_jobs(run.stdout + run.stderr), known)) + "\n")


if __name__ == "__main__":
    run_command(main)

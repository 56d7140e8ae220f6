"""The last words of a run that failed: what was wrong, below all that Snakemake says of its jobs."""

import re
from pathlib import Path

FAILED = r"^Error in \w+ (\w+):$(?:\n    .*)*?\n    log: (.+?) \(check log file"


def last_words(run_log):
    """Lines with which the programs of failed jobs ended, each once, or where to look for them."""
    text = Path(run_log).read_text(encoding="utf-8", errors="replace")
    return "".join(
        dict.fromkeys(
            line for rule, log in re.findall(FAILED, text, re.M) for line in error_lines(rule, log)
        )
    )


def error_lines(rule, log):
    path = Path(log)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    lines = [line for line in text.splitlines(keepends=True) if line.startswith("error: ")]
    return lines or [f"error: {rule} failed; {log} tells more\n"]

"""The errors of failed jobs, printed again below all of Snakemake's messages."""

import re
from pathlib import Path

FAILED = r"^Error in \w+ (\w+):$(?:\n    .*)*?\n    log: (.+?) \(check log file"


def last_words(run_log):
    """Collects the error lines of the logs of failed jobs, each once."""
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
    return lines or [f"error: {rule} failed; see {log}\n"]

"""The shell prefix of all jobs: handling of signals, and the path of our package."""

# All processes of a job receive a scheduler's SIGTERM, like Ctrl-C, at the same time. A training
# program then saves its state, which takes seconds. The shell must not end before: the scheduler
# would take this for the end of the job and kill the program. `tee`, to which the program writes,
# must not end before, either. The shell therefore traps the signals. Programs do not inherit these
# traps, so that programs without signal handling still end. Only `tee` ignores the signals, and
# ends when its input ends.
SIGNALS = "trap : INT TERM; tee() {{ trap '' INT TERM; exec tee \"$@\"; }}"
# Snakemake removes PYTHONPATH from jobs in conda environments, so we set it from our own variable.
PACKAGE = 'export PYTHONPATH="${{PYTHONPATH-${{WSSS_PYTHONPATH-}}}}"'

shell.prefix(f"set -euo pipefail; {SIGNALS}; {PACKAGE}; ")

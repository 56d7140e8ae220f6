"""How the shell of a job meets signals, and finds our package."""

# A scheduler's SIGTERM, like Ctrl-C, reaches all processes of a job at once. A program that trains
# saves its state then, within seconds. Its shell must not be gone before, since the scheduler takes
# the end of the shell for the end of the job and kills what is left; nor must tee, into which the
# program writes what it has to say. What is trapped is handed on to no program, so that one which
# knows nothing of signals still ends with them; only tee, of which each job has one, ignores them
# and ends with its input.
SIGNALS = "trap : INT TERM; tee() {{ trap '' INT TERM; exec tee \"$@\"; }}"
# Snakemake takes PYTHONPATH from jobs in environments of conda, for what a user may have in it.
PACKAGE = 'export PYTHONPATH="${{PYTHONPATH-${{WSSS_PYTHONPATH-}}}}"'

shell.prefix(f"set -euo pipefail; {SIGNALS}; {PACKAGE}; ")

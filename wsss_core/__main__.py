"""`python -m wsss_core` is the command `wsss`."""

from wsss_core.cli.main import main

main()

"""The programs of the stages, one per rule: `python -m workflow_scripts.<rule>`.

Garbage collection is off until `run_command`. Imported objects stay until a program ends. Garbage
collections that go through all of them would take two of the four seconds that a torch program
takes to start.
"""

import gc
import sys

if sys.argv[0] == "-m":  # only while Python starts such a program, not for other importers
    gc.disable()

"""Programs of the stages, one for each rule: `python -m workflow_scripts.<rule>`.

What they import stays until they end. Garbage collection that goes through all of it again and
again, and once more at the end, would take two of the four seconds that torch's programs take to
start; so it is off until `run_command`.
"""

import gc
import sys

if sys.argv[0] == "-m":  # Python is looking for the program; others may import from here
    gc.disable()

"""Set-up for all rules. The functions for inputs and parameters are in common/."""

import os
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from wsss_core.workflow.job_environment import prepare_environment
from wsss_core.workflow.stale_lock import warn_of_stale_lock
from wsss_core.workflow.why import record_code_digests


def prepend_path(variable, directory):
    """Adds a directory to the front of a PATH-like variable, which jobs inherit."""
    paths = [str(directory), os.environ.get(variable)]
    os.environ[variable] = os.pathsep.join(filter(None, paths))


def append_path(variable, *directories):
    """Adds directories to the end of a PATH-like variable, so that they hide nothing of ours."""
    paths = [os.environ.get(variable), *map(str, directories)]
    os.environ[variable] = os.pathsep.join(filter(None, paths))


# Jobs use this interpreter even if its environment is not activated, and find our package from any
# working directory.
prepend_path("PATH", Path(sys.executable).parent)
prepend_path("PYTHONPATH", workflow.basedir)
# Without this, `python -m` would first look in the working directory, perhaps another checkout.
os.environ.update(PYTHONSAFEPATH="1")
os.environ.update(WSSS_PYTHONPATH=workflow.basedir)
# A job ends when the Snakemake process that started it ends; this is its process id.
os.environ.update(WSSS_RUN=str(os.getpid()))
prepare_environment()
if workflow.is_main_process:  # not in jobs, which may run on other machines
    warn_of_stale_lock(Path())


include: "common/shell.smk"
include: "common/failures.smk"
include: "common/resources.smk"
include: "common/config.smk"
include: "common/paths.smk"
include: "common/commands.smk"
include: "common/dataset.smk"
include: "common/weights.smk"
include: "common/networks.smk"
include: "common/targets.smk"
include: "common/paper.smk"
include: "common/report.smk"
include: "common/ends.smk"
include: "common/plan.smk"

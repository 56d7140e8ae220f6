"""What all rules stand on; functions that choose their inputs and parameters are in common/."""

import os
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from wsss_core.workflow.job_environment import prepare_environment
from wsss_core.workflow.stale_lock import warn_of_stale_lock
from wsss_core.workflow.why import record_code_digests


def prepend_path(variable, directory):
    """Puts a directory before the others of a PATH-like variable, which jobs inherit."""
    paths = [str(directory), os.environ.get(variable)]
    os.environ[variable] = os.pathsep.join(filter(None, paths))


def append_path(variable, *directories):
    """Puts directories behind the others: nothing of ours is hidden by what is in them."""
    paths = [os.environ.get(variable), *map(str, directories)]
    os.environ[variable] = os.pathsep.join(filter(None, paths))


# This interpreter also where its environment is not activated, and our package from whatever
# directory the workflow is run in.
prepend_path("PATH", Path(sys.executable).parent)
prepend_path("PYTHONPATH", workflow.basedir)
# `python -m` would look in the working directory first, which may be another checkout of this.
os.environ.update(PYTHONSAFEPATH="1")
os.environ.update(WSSS_PYTHONPATH=workflow.basedir)
# A job ends with the Snakemake that has started it: here, this process.
os.environ.update(WSSS_RUN=str(os.getpid()))
prepare_environment()
if workflow.is_main_process:  # and not a job, perhaps on another machine than its run
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

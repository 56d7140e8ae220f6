"""The summary of a dry run on one screen: jobs per rule, reasons, and expected duration."""

import atexit
import sys
from functools import cache

from snakemake_interface_logger_plugins.common import LogEvent
from wsss_core.runtime.duration import duration
from wsss_core.workflow.plan import PlannedJob, expect
from wsss_core.workflow.why import Job, explain, recorded_code

MAX_LINES = 20  # largest number of lines with reasons


def tells_of_single_jobs(record):
    """Tells whether a message is about single jobs or their reasons, which `say_plan` sums up."""
    is_job = getattr(record, "event", None) in (LogEvent.JOB_INFO, LogEvent.GROUP_INFO)
    return is_job or record.funcName in ("print_reasons", "log_provenance_info")


def hide_single_jobs():
    """Hides Snakemake's messages about single jobs, and repeated messages."""
    told = set()
    for handler in workflow.logger_manager.logger.handlers:
        handler.addFilter(
            lambda record: not tells_of_single_jobs(record)
            and not (record.msg in told or told.add(record.msg))
        )


def jobs_to_run():
    """Lists the jobs to run in a possible order, without those that only name targets."""
    jobs = {job for job in workflow.dag.needrun_jobs(exclude_finished=False) if job.output}
    return [job for level in workflow.dag.toposorted(jobs) for job in level]


def planned(jobs):
    places = {job: place for place, job in enumerate(jobs)}
    for job in jobs:
        needs = {"cores": job.threads, "gpu": job.resources.get("gpu", 0)}
        after = [places[other] for other in workflow.dag.dependencies[job] if other in places]
        record, records = (
            place / str(it.benchmark) if it.benchmark else None for it in (job, job.rule)
        )
        yield PlannedJob(job.rule.name, record, records, needs, after)


def reasons(jobs):
    for job in jobs:
        named = ", ".join(f"{name}={value}" for name, value in job.wildcards_dict.items())
        title = f"{job.rule.name}: {named}" if named else job.rule.name
        # At this point, a dry run has marked all its jobs as finished.
        text = str(workflow.dag.reason(job)).removeprefix("Finished (was: ").removesuffix(")")
        yield Job(title, text)


def available_resources():
    """Returns the resources of this machine; those of a scheduler have no limit."""
    if not workflow.local_exec:
        return {}
    found = {"cores": workflow.cores, "gpu": workflow.global_resources["gpu"].value}
    return {name: amount for name, amount in found.items() if amount}


def time_line(jobs):
    expected = expect(list(planned(jobs)), available_resources())
    if not expected.seconds:
        return "expected duration: unknown, since no such jobs have run here (docs/cost.md)"
    known = f"expected duration: about {duration(expected.seconds)}, from earlier jobs"
    unknown = f"; not including {', '.join(expected.unknown)}, which have not run here"
    return known + (unknown if expected.unknown else "")


def say_plan():
    if workflow.scheduler is None or not (jobs := jobs_to_run()):
        return  # Snakemake has reported an error, or that there is nothing to do
    lines = list(explain(list(reasons(jobs)), cache(lambda: recorded_code(place / "results"))))
    if len(lines) > MAX_LINES and hides_jobs:
        rest = f"{len(lines) - MAX_LINES} more lines; --printshellcmds shows all lines and all jobs"
        lines[MAX_LINES:] = [rest]
    sys.stdout.write("\n".join(["", *lines, time_line(jobs), ""]))


settings = workflow.output_settings
place = Path.cwd()  # Snakemake changes the working directory before it exits
hides_jobs = not (settings.printshellcmds or settings.verbose)
if settings.dryrun and workflow.is_main_process and not settings.quiet:
    if hides_jobs:
        hide_single_jobs()
    atexit.register(say_plan)

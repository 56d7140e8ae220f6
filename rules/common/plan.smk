"""What a dry run shows, on one screen: how many jobs of each rule, why, and for how long."""

import atexit
import sys
from functools import cache

from snakemake_interface_logger_plugins.common import LogEvent
from wsss_core.runtime.duration import duration
from wsss_core.workflow.plan import PlannedJob, expect
from wsss_core.workflow.why import Job, explain, recorded_code

MAX_LINES = 20  # of reasons


def tells_of_single_jobs(record):
    """Of jobs, or of which of them run for which kind of reason, which `say_plan` tells in words."""
    is_job = getattr(record, "event", None) in (LogEvent.JOB_INFO, LogEvent.GROUP_INFO)
    return is_job or record.funcName in ("print_reasons", "log_provenance_info")


def hide_single_jobs():
    """Leaves what Snakemake says of the whole, and once where it says it twice."""
    told = set()
    for handler in workflow.logger_manager.logger.handlers:
        handler.addFilter(
            lambda record: not tells_of_single_jobs(record)
            and not (record.msg in told or told.add(record.msg))
        )


def jobs_to_run():
    """In an order in which they could run, without those that only name targets."""
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
        # A dry run has finished all its jobs.
        text = str(workflow.dag.reason(job)).removeprefix("Finished (was: ").removesuffix(")")
        yield Job(title, text)


def available_resources():
    """Of this machine; a scheduler's are without limit."""
    if not workflow.local_exec:
        return {}
    found = {"cores": workflow.cores, "gpu": workflow.global_resources["gpu"].value}
    return {name: amount for name, amount in found.items() if amount}


def time_line(jobs):
    expected = expect(list(planned(jobs)), available_resources())
    if not expected.seconds:
        return "how long it takes is not known: no such jobs have run here (docs/cost.md)"
    known = f"about {duration(expected.seconds)}, by what such jobs took before"
    unknown = f"; without {', '.join(expected.unknown)}, which have not run here"
    return known + (unknown if expected.unknown else "")


def say_plan():
    if workflow.scheduler is None or not (jobs := jobs_to_run()):
        return  # Snakemake has told a mistake, or that there is nothing to be done
    lines = list(explain(list(reasons(jobs)), cache(lambda: recorded_code(place / "results"))))
    if len(lines) > MAX_LINES and hides_jobs:
        rest = f"{len(lines) - MAX_LINES} more lines; --printshellcmds shows all, and each job"
        lines[MAX_LINES:] = [rest]
    sys.stdout.write("\n".join(["", *lines, time_line(jobs), ""]))


settings = workflow.output_settings
place = Path.cwd()  # which it no more is when Snakemake ends
hides_jobs = not (settings.printshellcmds or settings.verbose)
if settings.dryrun and workflow.is_main_process and not settings.quiet:
    if hides_jobs:
        hide_single_jobs()
    atexit.register(say_plan)

#!/bin/sh
# Prints whether a job of Slurm is running, or how it ended. Where the scheduler does not answer, the
# job is thought to run; where it answers that it knows of no such job, to have failed.
if answer=$(scontrol --oneliner show job "$1" 2>&1); then
    state=$(printf '%s' "$answer" | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p')
else
    case $answer in
        *"Invalid job id"*) state=FORGOTTEN ;;
        *) state=UNKNOWN ;;
    esac
fi
case $state in
    COMPLETED) echo success ;;
    PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | REQUEUED | UNKNOWN) echo running ;;
    *) echo failed ;;
esac

#!/bin/sh
# Prints the status of a Slurm job: running, success or failed. If the scheduler does not answer,
# the job counts as running. If the scheduler does not know the job, it counts as failed.
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

#!/bin/sh
# Prints the status of a Kubernetes job: running, success or failed. If the cluster does not answer,
# the job counts as running. If the cluster does not know the job, it counts as failed.
if answer=$(kubectl get "$1" --output='jsonpath={.status.conditions[?(@.status=="True")].type}' 2>&1)
then
    case " $answer " in
        *" Complete "*) echo success ;;
        *" Failed "*) echo failed ;;
        *) echo running ;;
    esac
else
    case $answer in
        *NotFound*) echo failed ;;
        *) echo running ;;
    esac
fi

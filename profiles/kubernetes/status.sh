#!/bin/sh
# Prints whether a job of Kubernetes is running, or how it ended. Where the cluster does not answer,
# the job is thought to run; where it answers that there is none, to have failed.
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

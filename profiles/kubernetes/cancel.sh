#!/bin/sh
# Deletes Kubernetes jobs, which stops them.
exec kubectl delete --wait=false "$@"

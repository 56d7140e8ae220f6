#!/bin/sh
# Stops jobs of Kubernetes.
exec kubectl delete --wait=false "$@"

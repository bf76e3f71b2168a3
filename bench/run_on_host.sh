#!/bin/sh
# Run a command on a host of links.py, as mpiexec lets ssh do it: run_on_host.sh [-x] 10.77.0.HOST COMMAND...
while [ "${1#-}" != "$1" ]; do shift; done
host=${1##*.}
shift
process=$(echo "$HOST_PROCESSES" | cut -d " " -f "$host")
exec nsenter --target "$process" --net sh -c "$*"

#!/bin/sh
# Every ring of tests, in two halves of about one length at once: one waits for Holdfast's processes,
# the other for restic, and together they fill two cores.  Arguments are pytest's, and then it is one run.
set -u
python=$1
shift
if [ "$#" -gt 0 ]; then
    exec "$python" -m pytest "$@"
fi

# Of the integration tests those that make the halves of one length.
some="tests/integration/bus tests/integration/catalog tests/integration/devices tests/integration/embedded"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$python" -m pytest tests/unit tests/architecture tests/contract tests/e2e $some >"$log" 2>&1 </dev/null &
other=$!
# Whoever breaks it off ends both.
trap 'kill "$other" 2>/dev/null; exit 130' INT TERM

"$python" -m pytest tests/integration $(printf -- "--ignore=%s " $some)
here=$?
wait "$other"
there=$?
cat "$log"
[ "$here" -eq 0 ] && [ "$there" -eq 0 ]

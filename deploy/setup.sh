#!/bin/sh
# setup.sh run|dev : makes .venv from the lock files and fetches restic.
#
# Needs python3 (3.11 or newer) and pip, no root and no python3-venv: the environment is made
# without pip inside, and filled from outside.  Safe to interrupt: the stamp is written last.
set -eu
cd "$(dirname "$0")/.."
KIND=${1:-run}
PIP="python3 -m pip --disable-pip-version-check"

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $(python3 --version) is too old; Holdfast needs Python 3.11 or newer." >&2
    exit 1
}

stamp_of() { { python3 --version; pwd; cat pyproject.toml "$@"; } | sha256sum | cut -d' ' -f1; }
fill() { # name, lock files…
    name=$1
    shift
    want=$(stamp_of "$@")
    if [ "$(cat ".venv/.$name" 2>/dev/null)" = "$want" ]; then return; fi
    if [ ! -x .venv/bin/python ]; then
        rm -rf .venv
        python3 -m venv --without-pip .venv
    fi
    echo "setup: packages ($name) into .venv" >&2
    for lock in "$@"; do
        $PIP --python .venv/bin/python install --quiet --require-hashes --only-binary=:all: -r "$lock"
    done
    $PIP --python .venv/bin/python install --quiet --no-deps --no-build-isolation --editable .
    echo "$want" >".venv/.$name"
}

if [ "$KIND" = dev ]; then fill dev requirements/run.txt requirements/dev.txt; else fill run requirements/run.txt; fi
sh deploy/install-restic.sh .tools
ln -sf ../../.tools/bin/restic .venv/bin/restic

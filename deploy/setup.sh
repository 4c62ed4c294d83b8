#!/bin/sh
# setup.sh run|dev : makes .venv from the lock files and fetches restic.  Quick when it is done already.
#
# Needs python3 (3.11 or newer) with pip; no root and no python3-venv: the environment is made
# without pip inside, and filled by the pip outside.  An interrupted run is started over.
set -eu
cd "$(dirname "$0")/.."
KIND=${1:-run}
# The python3 of the machine: the one in our own environment has no pip.
PATH=$(printf '%s' "$PATH" | sed "s|$PWD/\.venv/bin:||g")

say() { echo "setup: $*" >&2; }
give_up() {
    say "$*"
    exit 1
}
command -v python3 >/dev/null || give_up "there is no python3. On Debian: apt-get install python3 python3-pip"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    give_up "$(python3 --version) is too old; Holdfast needs Python 3.11 or newer."

mkdir -p .tools
exec 9>.tools/lock
flock 9 # one at a time; the next one finds it done

# A moved folder or another Python makes every script in the environment wrong, and a pip that
# was killed half-way leaves packages that it takes for whole.  Both begin anew.
home="$(python3 -c 'import sys; print(sys.version, sys.prefix)') $PWD"
if [ -e .venv/.unfinished ] || [ "$(cat .venv/.home 2>/dev/null)" != "$home" ]; then
    rm -rf .venv
    python3 -m venv --without-pip .venv
    echo "$home" >.venv/.home
fi

digest() { cat pyproject.toml "$@" | sha256sum; }
install() { python3 -m pip --disable-pip-version-check --python .venv/bin/python install --quiet "$@"; }
fill() { # kind, lock files…
    kind=$1
    shift
    want=$(digest "$@")
    if [ "$(cat ".venv/.$kind" 2>/dev/null)" = "$want" ]; then return; fi
    python3 -m pip --version >/dev/null 2>&1 ||
        give_up "python3 has no pip. On Debian: apt-get install python3-pip"
    say "packages ($kind) into .venv"
    touch .venv/.unfinished
    for lock in "$@"; do install --require-hashes --only-binary=:all: -r "$lock"; done
    install --no-deps --no-build-isolation --editable .
    echo "$want" >".venv/.$kind"
    rm .venv/.unfinished
}
case $KIND in
run) [ "$(cat .venv/.dev 2>/dev/null)" = "$(digest requirements/run.txt requirements/dev.txt)" ] ||
    fill run requirements/run.txt ;;
dev) fill dev requirements/run.txt requirements/dev.txt ;;
*) give_up "run or dev, not $KIND" ;;
esac

if sh deploy/install-tool.sh restic .tools; then
    ln -sfn ../../.tools/bin/restic .venv/bin/restic
else
    # Not a Debian, or no pin for its processor: take the machine's own; 'doctor' looks at its version.
    restic=$(command -v "${HOLDFAST_RESTIC:-restic}") || exit 1
    say "taking $restic instead"
    ln -sfn "$restic" .venv/bin/restic
fi

# For the test of docker-compose.yml; without it that test says so and reads the file itself.
if [ "$KIND" = dev ] && ! docker compose version >/dev/null 2>&1; then
    sh deploy/install-tool.sh docker-compose .tools && ln -sfn ../../.tools/bin/docker-compose .venv/bin/docker-compose || true
fi

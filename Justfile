# Everything one does with Holdfast's tree.  './just' lists it; './just' needs nothing but Python and pip.

python := justfile_directory() / ".venv/bin/python"
export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

[private]
default:
    @just --list

[doc("Make .venv/bin/holdfast and fetch restic; quick when it is done already")]
[group("set up")]
setup:
    @sh deploy/setup.sh run

[doc("The same, with what the tests and checks need")]
[group("set up")]
setup-dev:
    @sh deploy/setup.sh dev

[doc("Back up a folder, lose it, restore it, compare every byte")]
[group("run")]
demo *arguments: setup
    @holdfast demo {{ arguments }}

[doc("Run everything on this machine")]
[group("run")]
up *arguments: setup
    @holdfast up {{ arguments }}

[doc("Say what is there and what is missing")]
[group("run")]
doctor: setup
    @holdfast doctor

[doc("Style")]
[group("check")]
lint: setup-dev
    ruff check .
    ruff format --check .

[doc("Types, strict")]
[group("check")]
types: setup-dev
    mypy

[doc("The dependency rule")]
[group("check")]
imports: setup-dev
    lint-imports

[doc("Unit and architecture tests: seconds, no server")]
[group("check")]
test *arguments: setup-dev
    {{ python }} -m pytest tests/unit tests/architecture {{ arguments }}

[doc("Everything: style, types, imports, every ring of tests on real servers")]
[group("check")]
test-all *arguments: lint types imports
    @sh deploy/test-all.sh {{ python }} {{ arguments }}

[doc("Kill everything at random while backups run, then see that nothing is lost or doubled")]
[group("check")]
chaos *arguments: setup-dev
    PYTHONPATH=tests {{ python }} tests/chaos/storm.py {{ arguments }}

[doc("Speed and memory beside plain restic; 'bench schedule', 'bench fanout', 'bench relay', 'bench limits', 'bench browse': what those cost")]
[group("check")]
bench name="main_job" *arguments: setup-dev
    PYTHONPATH=tests {{ python }} tests/bench/{{ name }}.py {{ arguments }}

[doc("Write proto-events/ and docs/reference/openapi.json anew")]
[group("make")]
contracts: setup-dev
    {{ python }} -m holdfast contracts

[doc("Format the code")]
[group("make")]
format: setup-dev
    ruff check --fix .
    ruff format .

[doc("Pin the packages anew (needs the network)")]
[group("make")]
lock:
    #!/bin/sh
    set -eu
    # The python3 of the machine: the one in .venv has no pip.  And pip's own index, if it has one.
    PATH=$(printf '%s' "$PATH" | sed 's|^[^:]*/\.venv/bin:||')
    rm -rf .tools/uv
    python3 -m pip install --quiet --disable-pip-version-check --target .tools/uv uv
    index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
    for name in run dev just; do
        .tools/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
            --no-emit-index-url --no-header "requirements/$name.in" -o "requirements/$name.txt"
    done

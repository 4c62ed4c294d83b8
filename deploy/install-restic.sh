#!/bin/sh
# install-restic.sh [PREFIX] : puts restic into PREFIX/bin, pinned by digest.  Quick when it is there.
#
# It comes from Debian's archive, through the mirror that this machine's own apt uses, and leaves apt's
# configuration alone.  The binary needs only libc 2.34, so a newer suite's package runs on Debian 12.
set -eu
PREFIX=${1:-/usr/local}
ARCH=$(dpkg --print-architecture)

# architecture  version  sha256 of the package  sha256 of the binary  suite; the first that can be had wins.
# A package leaves sid when a newer one comes; the one in trixie stays.
PINS="amd64 0.19.1-1 97711c3125b5a65788a7e99fce8eb25f9a543fa8d83c4d7e54a5febe939a0f9e 4c25eaae891339f6da0e58f14f5074df7a5668ed93e480c1c2256804f565eeee sid
amd64 0.18.0-1+b4 4888fb20b272a28b84ac39171b7d7f0d9a58c2aeae51ec28e54684648d66e12c 7135345e471b64fe43356f8cc665d33d9e52fb042ba39e5cff77310c46d46857 trixie"

is_pinned() { # digest
    [ -x "$PREFIX/bin/restic" ] && echo "$1  $PREFIX/bin/restic" | sha256sum -c --status 2>/dev/null
}
echo "$PINS" | { while read -r arch version package binary suite; do
    if [ "$arch" = "$ARCH" ] && is_pinned "$binary"; then exit 0; fi
done; exit 1; } && exit 0

# apt knows its mirror once it has lists; before that its source files tell.
mirror() {
    apt-get indextargets --format '$(SITE)' 2>/dev/null | head -n 1 | grep . && return
    sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1 | grep . && return
    sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        head -n 1 | grep .
}
MIRROR=$(mirror) || {
    echo "install-restic: apt names no mirror on this machine. Put restic 0.18 or newer on PATH, or set HOLDFAST_RESTIC." >&2
    exit 1
}
grep -q " $ARCH \|^$ARCH " <<EOF || { echo "install-restic: no pin for $ARCH yet; put restic 0.18 or newer on PATH." >&2; exit 1; }
$PINS
EOF

T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
chmod 755 "$T"
mkdir -p "$T/lists/partial" "$T/cache/archives/partial"
echo "setup: restic into $PREFIX/bin" >&2
echo "$PINS" | while read -r arch version package binary suite; do
    [ "$arch" = "$ARCH" ] || continue
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $MIRROR $suite main" >"$T/sources.list"
    # Check-Valid-Until: a mirror may be a frozen copy; both digests are pinned, so this costs no safety.
    set -- -o "Dir::Etc::sourcelist=$T/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o "Dir::State::lists=$T/lists" -o "Dir::Cache=$T/cache" -o Dir::Etc::preferencesparts=/dev/null \
        -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 \
        -o Acquire::Check-Valid-Until=false
    (cd "$T" && apt-get "$@" -qq update && apt-get "$@" -qq download "restic=$version") >"$T/log" 2>&1 || {
        echo "install-restic: restic $version is not to be had from $suite, trying the next" >&2
        continue
    }
    file=$(ls "$T"/restic_*.deb)
    echo "$package  $file" | sha256sum -c --status || {
        echo "install-restic: $version has another digest than the one pinned; not used" >&2
        rm -f "$file"
        continue
    }
    dpkg-deb -x "$file" "$T/x"
    echo "$binary  $T/x/usr/bin/restic" | sha256sum -c --status || continue
    install -D -m 0755 "$T/x/usr/bin/restic" "$PREFIX/bin/.restic.new"
    mv -f "$PREFIX/bin/.restic.new" "$PREFIX/bin/restic"
    touch "$T/ok"
    break
done
[ -e "$T/ok" ] || {
    cat "$T/log" >&2
    echo "install-restic: no pinned restic could be installed" >&2
    exit 1
}

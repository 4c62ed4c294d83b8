#!/bin/sh
# install-tool.sh NAME [PREFIX] : puts restic or docker-compose into PREFIX/bin, pinned by digest.
#
# It comes from Debian's archive, through the mirror that this machine's own apt uses, and leaves apt's
# configuration alone; no root; quick when it is there.  The binaries need only libc 2.34, so a newer
# suite's package runs on Debian 12.
set -eu
NAME=$1
PREFIX=${2:-/usr/local}
case $NAME in
restic) REMEDY="Put restic 0.18 or newer on PATH, or name one with HOLDFAST_RESTIC" MEMBER=usr/bin/restic ;;
docker-compose) REMEDY="Put docker compose on PATH" MEMBER=usr/libexec/docker/cli-plugins/docker-compose ;;
*) echo "install-tool: restic or docker-compose, not $NAME" >&2 && exit 1 ;;
esac
give_up() {
    echo "install-tool: $*. $REMEDY." >&2
    exit 1
}
for program in dpkg dpkg-deb apt-get sha256sum; do
    command -v "$program" >/dev/null || give_up "this machine has no $program"
done
ARCH=$(dpkg --print-architecture)

# name  architecture  version  sha256 of the package  sha256 of the binary  suite; the first that can be
# had wins.  A package leaves sid when a newer one comes; the one in trixie stays.
PINS="restic amd64 0.19.1-1 97711c3125b5a65788a7e99fce8eb25f9a543fa8d83c4d7e54a5febe939a0f9e 4c25eaae891339f6da0e58f14f5074df7a5668ed93e480c1c2256804f565eeee sid
restic amd64 0.18.0-1+b4 4888fb20b272a28b84ac39171b7d7f0d9a58c2aeae51ec28e54684648d66e12c 7135345e471b64fe43356f8cc665d33d9e52fb042ba39e5cff77310c46d46857 trixie
restic arm64 0.19.1-1 37f474371bf411d7b14dbc5d607d93beda117af94a7192a6bcecc7f81e3f8ff5 7c37376a8d0a45500ddfad66630b842c1fdfbb2ac99aaf93e56ea5cfc72f4325 sid
restic arm64 0.18.0-1+b4 3877c6ef8efe052e80a6417b0ac0a672e644fd8bf5ef14e8b803ab6744e43be2 80d615c1c49b7ccd8121e9ce4e1944da274d3d2f28c24f8d54ec70d9d8957803 trixie
docker-compose amd64 2.26.1-4 47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea c0ef2e286ba1c45bf1868b70a1c71d30a802bb3996888f2f986c3166f9e45f57 trixie"
PINS=$(echo "$PINS" | sed -n "s/^$NAME $ARCH //p" | grep .) || give_up "no version is pinned for $ARCH"

digest_is() { echo "$1  $2" | sha256sum --check --status 2>/dev/null; }
while read -r _ _ binary _; do
    if [ -x "$PREFIX/bin/$NAME" ] && digest_is "$binary" "$PREFIX/bin/$NAME"; then exit 0; fi
done <<EOT
$PINS
EOT

# apt knows Debian's mirrors once it has lists; before that its source files tell.
mirrors() {
    apt-get indextargets --format '$(LABEL)|$(SITE)' 2>/dev/null | sed -n 's/^Debian|//p'
    sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null | tr ' ' '\n'
    sed -n 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null
}
# Each once; the archive of security updates has neither suite.
MIRRORS=$(mirrors | grep . | grep -v security | awk '!seen[$0]++')
[ -n "$MIRRORS" ] || give_up "apt names no mirror of Debian on this machine"

T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$T" # apt drops its rights when root runs it

fetch() { # mirror version digest suite: leaves $T/x/package.deb
    rm -rf "$T/x" "$T/lists" "$T/cache"
    mkdir -p "$T/x" "$T/lists/partial" "$T/cache/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $1 $4 main" >"$T/sources.list"
    # Check-Valid-Until: a mirror may be a frozen copy; both digests are pinned, so this costs no safety.
    options="-qq -o Dir::Etc::sourcelist=$T/sources.list -o Dir::Etc::sourceparts=/dev/null
        -o Dir::State::lists=$T/lists -o Dir::Cache=$T/cache -o Dir::Etc::preferencesparts=/dev/null
        -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3
        -o Acquire::Check-Valid-Until=false"
    # shellcheck disable=SC2086 # a list of words
    (cd "$T/x" && apt-get $options update && apt-get $options download "$NAME=$2") >>"$T/log" 2>&1 || {
        echo "install-tool: $NAME $2 is not to be had from $4, trying the next" >&2
        return 1
    }
    mv "$T/x/$NAME"_*.deb "$T/x/package.deb"
    digest_is "$3" "$T/x/package.deb" || {
        echo "install-tool: the package of $NAME $2 has another digest than the one pinned; not used" >&2
        return 1
    }
}

echo "setup: $NAME into $PREFIX/bin" >&2
for mirror in $MIRRORS; do
    while read -r version package binary suite; do
        fetch "$mirror" "$version" "$package" "$suite" </dev/null || continue
        dpkg-deb -x "$T/x/package.deb" "$T/x"
        digest_is "$binary" "$T/x/$MEMBER" || continue
        # Moved into place whole: a restic that runs right now keeps its own file.
        install -D -m 0755 "$T/x/$MEMBER" "$PREFIX/bin/.$NAME.$$"
        mv -f "$PREFIX/bin/.$NAME.$$" "$PREFIX/bin/$NAME"
        exit 0
    done <<EOT
$PINS
EOT
done
cat "$T/log" >&2
give_up "none of the pinned versions of $NAME could be had"

# A directory of a drill's own: made, looked through, taken away.  Any POSIX shell.
# Arguments: what to do, the directory.  Whatever it holds goes, so it must have a name of ours.
set -eu
what=$1 scratch=$2
umask 077

case ${scratch##*/} in
.holdfast-drill-?*) ;;
*)
    echo "$scratch is no scratch directory of ours" >&2
    exit 3
    ;;
esac

clear() {
    [ -d "$scratch" ] && [ ! -L "$scratch" ] || { rm -f -- "$scratch"; return; }
    # What was restored may let nobody in, its owner neither.
    find "$scratch" -xdev -type d ! -perm -700 -exec chmod u+rwx {} \;
    rm -rf -- "$scratch"
}

case $what in
clear) clear ;;
make) # it is there, and empty; says who we are and how many KiB are free
    clear
    mkdir -- "$scratch"
    echo "$(id -u) $(df -Pk -- "$scratch" | awk 'NR == 2 { print $4 }')"
    ;;
parent) # the directory above, if it is ours to make
    mkdir -p -- "${scratch%/*}"
    ;;
list) # a word that no name has: a line each with it, type and mode in hex, size, owner, group, seconds, path
    cd -- "$scratch"
    find . -xdev ! -name . -exec stat -c "$3 %f %s %u %g %Y %n" {} +
    ;;
esac

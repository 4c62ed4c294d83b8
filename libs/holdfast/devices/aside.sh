# Sets what an app has aside, and puts it back.  Any POSIX shell.
# Arguments: what to do, the journal's folder, then what it is done to.
# Every word may be cut off anywhere and said again: the marks in the journal tell how far it is.
set -eu
what=$1 journal=$2
shift 2
umask 077

durable() { # files and folders: on disk before what follows
    sync -- "$@" 2>/dev/null || sync
}
mark() { # a name: from now on it is so
    touch "$journal/$1"
    durable "$journal"
}
there() {
    [ -e "$1" ] || [ -L "$1" ]
}
is_folder() {
    [ -d "$1" ] && [ ! -L "$1" ]
}
entries() { # what to do with each, a folder; not with what was set aside in it
    for entry in "$2"/* "$2"/.[!.]* "$2"/..?*; do
        there "$entry" || continue
        case ${entry##*/} in .holdfast-before-*) continue ;; esac
        "$1" "$entry"
    done
}
mounted() { # a path: whether a file system is at it or below; the table writes names in octal
    is_folder "$(dirname -- "$1")" || return 1
    # The table has names without links.
    PLACE=$(cd -P -- "$(dirname -- "$1")" && pwd -P)/${1##*/} awk '
        function plain(name, out, at) {
            while (at = match(name, /\\[0-7][0-7][0-7]/)) {
                out = out substr(name, 1, at - 1) sprintf("%c", substr(name, at + 1, 1) * 64 \
                    + substr(name, at + 2, 1) * 8 + substr(name, at + 3, 1))
                name = substr(name, at + 4)
            }
            return out name
        }
        index(plain($5) "/", ENVIRON["PLACE"] "/") == 1 { found = 1 }
        END { exit !found }' /proc/self/mountinfo 2>/dev/null
}
out() { # an entry
    mv -- "$1" "$aside/${1##*/}"
}
back() { # an entry of what was set aside
    if there "$place/${1##*/}"; then
        echo "$place/${1##*/} is in the way of $1" >&2
        exit 3
    fi
    mv -- "$1" "$place/${1##*/}"
}
gone() {
    rm -rf -- "$1"
}

case $what in
begin) # standard input: the journal
    if [ -e "$journal/undone" ]; then
        # What is without its beginning is never put back, whatever else is left of it.
        rm -f -- "$journal/begun"
        durable "$journal"
        rm -rf -- "$journal"
    fi
    mkdir -p "$journal"
    cat >"$journal/new"
    durable "$journal/new"
    mv -f -- "$journal/new" "$journal/journal"
    durable "$journal"
    ;;
mark)
    mark "$1"
    ;;
unfinished) # the folder above: journals of runs that neither came to their end nor were put back
    for each in "$journal"/*/journal; do
        folder=${each%/journal}
        [ -e "$each" ] && [ ! -e "$folder/done" ] && [ ! -e "$folder/undone" ] || continue
        echo "${folder##*/}"
    done
    ;;
read) # the marks, one a line, an empty line, the journal; nothing where there is none
    [ -e "$journal/journal" ] || exit 0
    ls "$journal"
    echo
    cat "$journal/journal"
    ;;
look) # paths: for each its kind, "mount" where it is one's root, KiB free, the file system
    for place; do
        kind=absent
        if [ -L "$place" ]; then kind=link
        elif [ -d "$place" ]; then
            kind=empty
            for entry in "$place"/* "$place"/.[!.]* "$place"/..?*; do
                there "$entry" && kind=folder && break
            done
        elif [ -e "$place" ]; then kind=file
        fi
        own=inside
        mountpoint -q "$place" 2>/dev/null && own=mount
        PLACE=$place awk 'index($5, ENVIRON["PLACE"] "/") == 1 { found = 1 } END { exit !found }' \
            /proc/self/mountinfo 2>/dev/null && own=holds
        above=$place
        while [ ! -d "$above" ]; do above=$(dirname -- "$above"); done
        echo "$kind $own $(df -Pk -- "$above" | awk 'NR == 2 { print $4, $1 }')"
    done
    ;;
aside) # a number, a path, where what is there goes
    number=$1 place=$2 aside=$3
    [ ! -e "$journal/$number.aside" ] || exit 0
    if [ ! -e "$journal/$number.kind" ]; then
        if is_folder "$place"; then stat -c 'folder %u:%g %a' -- "$place"
        elif there "$place"; then echo file
        else echo absent
        fi >"$journal/kind"
        durable "$journal/kind"
        mv -f -- "$journal/kind" "$journal/$number.kind"
        durable "$journal"
    fi
    read -r kind _ <"$journal/$number.kind"
    case $kind in
    folder)
        mkdir -p -- "$aside"
        entries out "$place"
        durable "$aside" "$place"
        ;;
    file)
        mkdir -p -- "$(dirname -- "$aside")"
        ! there "$place" || mv -- "$place" "$aside"
        durable "$(dirname -- "$aside")" "$(dirname -- "$place")"
        ;;
    esac
    mark "$number.aside"
    echo "$kind"
    ;;
back) # the same three: what is there now goes, and what was set aside is there again
    number=$1 place=$2 aside=$3
    [ -e "$journal/$number.kind" ] && [ ! -e "$journal/$number.back" ] || exit 0
    read -r kind owner mode <"$journal/$number.kind" || :
    # Until all of it was aside, what is there is what was there.
    if [ -e "$journal/$number.aside" ] && [ ! -e "$journal/$number.returning" ]; then
        case $kind in
        folder) [ ! -d "$place" ] || entries gone "$place" ;;
        *) gone "$place" ;;
        esac
        mark "$number.returning"
    fi
    case $kind in
    folder)
        if [ -d "$aside" ]; then
            mkdir -p -- "$place"
            entries back "$aside"
            rmdir -- "$aside"
        fi
        chown -- "$owner" "$place"
        chmod -- "$mode" "$place"
        durable "$place"
        ;;
    file) ! there "$aside" || mv -- "$aside" "$place" ;;
    esac
    rmdir -- "$(dirname -- "$aside")" 2>/dev/null || :
    durable "$(dirname -- "$place")"
    mark "$number.back"
    ;;
discard) # a number, where what was there lies: it goes for good, and its bytes are told
    number=$1 aside=$2 above=$(dirname -- "$2")
    if [ ! -e "$journal/done" ]; then
        echo "that restore did not come to its good end" >&2
        exit 3
    fi
    if [ ! -e "$journal/$number.gone" ]; then
        # Somebody else's folder may be behind a link, and behind a mount there is one.
        if there "$above" && ! is_folder "$above"; then
            echo "$above is no folder of Holdfast's" >&2
            exit 3
        fi
        if mounted "$aside"; then
            echo "a file system is mounted at or below $aside" >&2
            exit 3
        fi
        # Before the first of it goes: whoever goes on finds only the rest.
        if [ ! -e "$journal/$number.size" ]; then
            kib=0
            if there "$aside"; then kib=$(du -sk -- "$aside"); fi
            echo $((${kib%%[!0-9]*} * 1024)) >"$journal/size"
            durable "$journal/size"
            mv -f -- "$journal/size" "$journal/$number.size"
            durable "$journal"
        fi
        gone "$aside"
        rmdir -- "$above" 2>/dev/null || :
        durable "$(dirname -- "$above")"
        mark "$number.gone"
    fi
    cat "$journal/$number.size"
    ;;
empty) # a directory: what is in it goes
    [ ! -d "$1" ] || [ -h "$1" ] || entries gone "$1"
    ;;
like) # a path, its owner, its mode
    mkdir -p -- "$1"
    chown -- "$2" "$1"
    chmod -- "$3" "$1"
    ;;
esac

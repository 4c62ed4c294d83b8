# Starts one program for Holdfast, and ends it when Holdfast is gone.  Any POSIX shell.
#
# Arguments: seconds of silence, seconds of grace, where to start, how many secrets, the names
# of their variables; then assignments of variables, the program and its arguments.
# Standard input: a line for each secret and one for the program's own input, as printf's %b
# reads them; after that a line now and then, as a sign of life.
silence=$1 grace=$2 folder=$3 count=$4
shift 4
exec 9<&0

i=0
while [ "$i" -lt "$count" ]; do
    i=$((i + 1))
    IFS= read -r line <&9 || exit 126
    eval "name_$i=\$1 value_$i=\$line"
    shift
done
IFS= read -r input <&9 || exit 126
unset line

[ -z "$folder" ] || cd -- "$folder" || exit 126
for word; do
    case $word in *=*) ;; *) break ;; esac
done
if ! command -v "$word" >/dev/null 2>&1; then
    echo "holdfast missing" >&2
    exit 127
fi
descriptors=/proc/self/fd
[ -e "$descriptors/0" ] || descriptors=/dev/fd

# A descriptor for each secret from the I-th on, then the program.  A secret is in no argument
# and no environment, for what writes it is a builtin.  Where there is memory with the face of a
# directory it goes into a file there that has lost its name before it gets its content: restic
# opens some secrets more than once.  Elsewhere it is a pipe.
next() {
    i=$1
    shift
    if [ "$i" -gt "$count" ]; then
        if [ -z "$input" ]; then
            exec 8</dev/null
            go "$@"
        fi
        printf %b "$input" | {
            exec 8<&0
            go "$@"
        }
        exit
    fi
    eval "name=\$name_$i value=\$value_$i"
    set -- "$name=$descriptors/$((i + 2))" "$@"
    file=/dev/shm/holdfast.$$.$i
    if (umask 077 && set -C && : >"$file") 2>/dev/null; then
        eval "exec $((i + 2))<>\"\$file\""
        rm -f "$file"
        eval "printf %b \"\$value\" >&$((i + 2))"
        next "$((i + 1))" "$@"
    fi
    printf %b "$value" | {
        eval "exec $((i + 2))<&0"
        next "$((i + 1))" "$@"
    }
    exit
}

# Nothing of this machine's own variables decides what the program does, but where its
# container engine is.
go() {
    sh -c 'echo "holdfast $$" >&2; exec env -i "$@"' sh \
        HOME="$HOME" PATH="$PATH" ${TMPDIR:+TMPDIR="$TMPDIR"} \
        ${DOCKER_HOST:+DOCKER_HOST="$DOCKER_HOST"} "$@" <&8 9<&- &
    program=$!
    exec 8<&-
    watch &
    watcher=$!
    wait "$program"
    code=$?
    kill "$watcher" 2>/dev/null
    exit "$code"
}

watch() {
    if command -v timeout; then
        while timeout "$silence" sh -c 'IFS= read -r sign' <&9; do :; done
    else
        cat <&9
    fi
    kill -TERM "$program"
    sleep "$grace"
    kill -KILL "$program"
} >/dev/null 2>&1

next 1 "$@"

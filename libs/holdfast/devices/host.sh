# What Holdfast asks of a device around a program.  Any POSIX shell; needs Linux's /proc.
# Arguments: what to do, and what it is done to.
case $1 in
missing) # paths: those that are not there, a number of an argument a line, from 1
    shift
    number=0
    for path; do
        number=$((number + 1))
        [ -e "$path" ] || [ -L "$path" ] || echo "$number"
    done
    ;;
target) # a path: what is there for somebody who wants to write below it
    if [ -d "$2/" ]; then
        [ -n "$(find "$2/" ! -path "$2/" 2>/dev/null | head -n 1)" ] && echo full || echo free
    elif [ -e "$2" ] || [ -L "$2" ]; then
        echo other
    else
        echo free
    fi
    ;;
end) # the mark of a run, seconds of grace: says how many it ended; 1: some do not end
    mark=$2 grace=$3 all=
    marked() {
        grep -Fls -- "$mark" /proc/[0-9]*/environ | sed 's|/proc/\([0-9]*\)/.*|\1|'
    }
    for signal in TERM KILL; do
        waited=0
        while found=$(marked); [ -n "$found" ]; do
            for pid in $found; do
                case " $all " in *" $pid "*) ;; *) all="$all $pid" ;; esac
                # Asked once only: restic takes a second request for impatience.
                case " $asked$signal " in *" $pid$signal "*) ;; *)
                    kill -s "$signal" "$pid" 2>/dev/null
                    asked="$asked $pid$signal "
                    ;;
                esac
            done
            [ "$waited" -ge "$grace" ] && break
            sleep 1
            waited=$((waited + 1))
        done
    done
    set -- $all
    echo "$#"
    [ -z "$(marked)" ]
    ;;
restics) # the machine's name, its pid namespace, what pid 1 is; then each restic and its run
    uname -n
    readlink /proc/self/ns/pid || echo
    { read -r first </proc/1/comm && echo "$first"; } 2>/dev/null || echo
    grep -Flsi restic /proc/[0-9]*/comm /proc/[0-9]*/cmdline | sed 's|/[a-z]*$||' | sort -u |
        while read -r process; do
            grep -q '^State:[[:space:]]*[ZX]' "$process/status" 2>/dev/null && continue
            # By its name: others have the word somewhere in their arguments.
            { tr '\0' '\n' <"$process/cmdline" | sed -n 1p; cat "$process/comm"; } 2>/dev/null |
                sed 's|.*/||' | grep -iq restic || continue
            run=$(tr '\0' '\n' <"$process/environ" 2>/dev/null | sed -n 's/^HOLDFAST_RUN=//p')
            for pid in "${process#/proc/}" $(sed -n 's/^NSpid://p' "$process/status" 2>/dev/null); do
                echo "$pid $run"
            done
        done
    ;;
esac

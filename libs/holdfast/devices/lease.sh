# A lease on an app that is stopped or paused: it comes back by itself when nobody renews it.
# Any POSIX shell.  Arguments: "begin", "renew", "look" or "end"; the lease's directory; and to begin:
# seconds without a sign of life, how often it then looks after the app, the engine's command, its verb that brings a container back,
# and the containers, those that others need first.
# A lease is a directory with what brings the app back.  Who renames it has the app in hand.
lease=$2
case $1 in
begin)
    seconds=$3 watched=$4 engine=$5 verb=$6
    shift 6
    umask 077
    mkdir -p "$lease" || exit 1
    {
        for word in "$engine" "$verb" "$@"; do printf '%s\n' "$word"; done
    } >"$lease/app" || exit 1
    # Of a session of its own, holding nothing of ours: no end of a link or a program reaches it.
    setsid sh -c '
        lease=$1 seconds=$2 watched=$3 silent=0
        : >"$lease/watched"
        while [ -d "$lease" ]; do
            if [ "$silent" -ge "$seconds" ] && mv "$lease" "$lease.over" 2>/dev/null; then
                { read -r engine; read -r verb; ids=$(cat); } <"$lease.over/app"
                # For a while: somebody who is late, or a stop that takes its time, may still
                # be about to stop it.  What is there already is left as it is.
                tries=0
                while [ "$tries" -lt "$watched" ]; do
                    for id in $ids; do "$engine" "$verb" "$id"; done
                    tries=$((tries + 1))
                    sleep 1
                done
                rm -rf "$lease.over"
                exit
            fi
            sleep 1
            silent=$((silent + 1))
            rm "$lease/sign" && silent=0
        done' holdfast-lease "$lease" "$seconds" "$watched" </dev/null >/dev/null 2>&1 &
    tries=0
    until [ -e "$lease/watched" ]; do
        [ "$tries" -lt 10 ] || exit 1
        tries=$((tries + 1))
        sleep 1
    done
    ;;
renew) [ -d "$lease" ] && : >"$lease/sign" ;;
look) # prints what brings the app back; 1: it is over, the app is back already
    cat "$lease/app" 2>/dev/null
    ;;
end) # only when the app is back: until then the loop has to answer for it
    mv "$lease" "$lease.ended" 2>/dev/null || exit 1
    rm -rf "$lease.ended"
    ;;
esac

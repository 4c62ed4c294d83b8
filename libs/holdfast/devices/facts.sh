# What a machine is, a line for each fact.  Any POSIX shell; nothing is changed.
# Arguments: the program to look for.
say() { printf '%s=%s\n' "$1" "$2"; }

say user "$(id -un)"
say uid "$(id -u)"
say hostname "$(uname -n)"
say system "$(uname -s)"
say machine "$(uname -m)"
say clock "$(date +%s)"
say program "$(command -v "$1")"
sudo -n true 2>/dev/null && say sudo yes
for socket in "${DOCKER_HOST#unix://}" "/run/user/$(id -u)/docker.sock" /run/docker.sock \
    /var/run/docker.sock; do
    [ -S "$socket" ] && [ -r "$socket" ] && [ -w "$socket" ] && say docker "$socket" && break
done
for socket in "/run/user/$(id -u)/podman/podman.sock" /run/podman/podman.sock; do
    [ -S "$socket" ] && [ -r "$socket" ] && [ -w "$socket" ] && say podman "$socket" && break
done
cache=${XDG_CACHE_HOME:-$HOME/.cache}
say cache "$cache/holdfast"
while [ ! -d "$cache" ] && [ "$cache" != / ]; do cache=$(dirname "$cache"); done
say free_kib "$(df -Pk "$cache" | { read -r _; read -r _ _ _ free _; echo "$free"; })"

#!/bin/bash
# Installs PACKAGES, Debian's names, by the machine's own package manager, and writes FILES: texts with a line
# `==> path` before each. Writes down in os.env what the other steps have to know about this family of systems.
set -euo pipefail

# ---- the families: all that differs between them is here ----

# shellcheck disable=SC1091 # a file of the machine
. /etc/os-release
case " $ID ${ID_LIKE-} " in
    *' debian '* | *' ubuntu '*)
        family=debian
        os='APACHE_SERVICE=apache2
APACHE_CONF=/etc/apache2/conf-enabled'
        ;;
    *' fedora '* | *' rhel '*)
        family=el
        os='APACHE_SERVICE=httpd
APACHE_CONF=/etc/httpd/conf.d'
        ;;
    *)
        echo "${PRETTY_NAME-$ID} is of no family that this program knows: Debian and Ubuntu, or Fedora and the EL family." >&2
        exit 1
        ;;
esac

# el_name NAME: what the EL family calls a package of Debian's
el_name() {
    case $1 in
        apache2) echo httpd ;;
        glusterfs-client) echo glusterfs-fuse ;;
        mariadb-client) echo mariadb ;;
        php) echo php-cli ;;
        php-curl) echo php-common ;;
        php-mysql) echo php-mysqlnd ;;
        php-zip) echo php-pecl-zip ;;
        *) echo "$1" ;;
    esac
}

# missing_FAMILY NAME...: those that are not installed, in the family's own names
missing_debian() {
    comm -23 <(printf '%s\n' "$@" | sort -u) \
        <(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
            sed -n 's/^installed //p' | sort -u)
}
missing_el() {
    local name
    for name; do
        name=$(el_name "$name")
        rpm --query --quiet "$name" || echo "$name"
    done
}

# install_FAMILY NAME...: configuration that somebody changed is kept, nothing is asked, and no service is restarted
install_debian() {
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    # no new service runs before its own step has configured it: deb-systemd-invoke(1p) asks this file
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\n# of ha-wordpress, while it installs\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    # apt waits for dpkg's lock by itself, for that of its lists it does not
    until apt-get update --quiet=2; do
        [ "$SECONDS" -lt "$lock_limit" ] || return 1
        grep -q 'Could not get lock' "$output" || return 1
        : >"$output"
        sleep 1
    done
    apt-get install --quiet=2 --no-install-recommends --option DPkg::Lock::Timeout="$lock_limit" \
        --option Dpkg::Options::=--force-confdef --option Dpkg::Options::=--force-confold "$@"
}
install_el() {
    # dnf waits for its lock without a limit of its own
    timeout "$lock_limit" dnf --quiet --assumeyes --setopt=install_weak_deps=False install "$@" && return
    echo "GlusterFS for EL9 is in the CentOS Storage SIG's repository: dnf install centos-release-gluster11." \
        "Neither EL10 nor Fedora from 42 on has it."
    return 1
}

# ---- the same for all ----

lock_limit=300
policy=/usr/sbin/policy-rc.d
output=$(mktemp)
files=$(mktemp --directory)
tidy() {
    rm -rf "$output" "$files"
    ! grep -qs '^# of ha-wordpress' "$policy" || rm "$policy"
}
trap tidy EXIT
trap 'exit 143' HUP INT TERM

# shellcheck disable=SC2153 # a parameter
read -ra packages <<<"$PACKAGES"
mapfile -t missing < <([ "${#packages[@]}" -eq 0 ] || "missing_$family" "${packages[@]}")

# put TEXT-FILE PATH: only where it differs
put() {
    if ! cmp -s "$1" "$2"; then
        mkdir -p "$(dirname "$2")"
        install --mode 644 "$1" "$2.new"
        mv "$2.new" "$2"
    fi
}
printf '%s\n' "$os" >"$files/os.env"
put "$files/os.env" /etc/ha-wordpress/os.env
# before the packages, as cloud-init does
if [ -n "$FILES" ]; then
    awk -v to="$files" '/^==> / { print > (to "/paths"); n++; next } { print > (to "/" n) }' <<<"${FILES%$'\n'}"
    n=0
    while read -r _ path; do
        n=$((n + 1))
        # the settings of a package manager that this machine has not
        [[ $family != debian && $path = /etc/apt/* ]] || put "$files/$n" "$path"
    done <"$files/paths"
fi

[ "${#missing[@]}" -gt 0 ] || exit 0
if ! "install_$family" "${missing[@]}" >"$output" 2>&1; then
    echo "These packages could not be installed: ${missing[*]}" >&2
    tail -n 20 "$output" >&2
    exit 1
fi
mapfile -t missing < <("missing_$family" "${packages[@]}")
if [ "${#missing[@]}" -gt 0 ]; then
    echo "The package manager is content, but these packages are not installed: ${missing[*]}" >&2
    exit 1
fi

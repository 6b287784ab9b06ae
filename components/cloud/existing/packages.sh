#!/bin/bash
# Installs PACKAGES, a list of Debian's package names, with the machine's own package manager. Writes FILES: texts, each
# after a line `==> path`. Writes os.env, from which other steps read the names that differ between families of systems.
# When an archive lacks a package, the step names it and changes nothing.
set -euo pipefail

# ---- the families of systems, and everything that differs between them ----

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
        fail "${PRETTY_NAME-$ID} is not a system that this program supports: use Debian, Ubuntu, Fedora or EL."
        ;;
esac

# el_name NAME: prints the EL family's name of a Debian package.
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

# archive_of NAME: prints which systems of the family have a package that others lack.
archive_of() {
    case $family/$1 in
        debian/glusterfs-*) echo "Debian 12 and 13 have GlusterFS, and Ubuntu 24.04 in its component universe." ;;
        debian/uacme) echo "Debian has uacme, and Ubuntu in its component universe." ;;
        el/glusterfs-*)
            echo "GlusterFS for EL9 is in the CentOS Storage SIG's repository: dnf install centos-release-gluster11." \
                "Fedora has it up to 41, EL10 does not."
            ;;
        el/uacme)
            echo "Fedora has uacme. Where no repository for EL has it, set tls.certificate in place of tls.acme."
            ;;
    esac
}

# missing_FAMILY NAME...: prints the packages that are not installed, by the family's own names.
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

# absent_FAMILY NAME...: prints the packages that no archive of the machine has, by the family's own names.
absent_debian() {
    # apt waits for dpkg's lock by itself, but not for the lock of its lists
    until apt-get update --quiet=2; do
        [ "$SECONDS" -lt "$lock_limit" ] || return 1
        grep -q 'Could not get lock' "$log" || return 1
        : >"$log"
        sleep 1
    done
    comm -23 <(printf '%s\n' "$@" | sort -u) \
        <(apt-cache show --no-all-versions "$@" | sed -n 's/^Package: //p' | sort -u)
}
absent_el() {
    local name available
    for name; do
        # dnf waits for its lock without a limit of its own
        available=$(timeout "$lock_limit" dnf --quiet repoquery --available "$name") || return
        [ -n "$available" ] || echo "$name"
    done
}

# install_FAMILY NAME...: installs packages without asking; keeps changed configuration files, restarts no service.
install_debian() {
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    # no new service starts before its own step has configured it: deb-systemd-invoke(1p) runs this file
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\n# of ha-wordpress, while it installs\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    apt-get install --quiet=2 --no-install-recommends --option DPkg::Lock::Timeout="$lock_limit" \
        --option Dpkg::Options::=--force-confdef --option Dpkg::Options::=--force-confold "$@"
}
install_el() {
    timeout "$lock_limit" dnf --quiet --assumeyes --setopt=install_weak_deps=False install "$@"
}

# ---- the same for all families ----

lock_limit=300
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
files=$(mktemp --directory)
clean_up() {
    rm -rf "$log" "$files"
    ! grep -qs '^# of ha-wordpress' "$policy" || rm "$policy"
}
trap clean_up EXIT
trap 'exit 143' HUP INT TERM

# shellcheck disable=SC2153 # a parameter
read -ra packages <<<"$PACKAGES"
mapfile -t missing < <([ "${#packages[@]}" -eq 0 ] || "missing_$family" "${packages[@]}")
if [ "${#missing[@]}" -gt 0 ]; then
    absent=$("absent_$family" "${missing[@]}" 2>"$log") ||
        fail "The package manager cannot read its archives. Nothing was changed." "$(tail -n 20 "$log")"
    if [ -n "$absent" ]; then
        mapfile -t archives < <(for name in $absent; do archive_of "$name"; done | sort -u)
        fail "No archive of this machine has ${absent//$'\n'/, }. Nothing was changed." "${archives[@]}"
    fi
fi

write_if_changed /etc/ha-wordpress/os.env 644 "$os"$'\n'
# before the packages, as cloud-init does
if [ -n "$FILES" ]; then
    awk -v to="$files" '/^==> / { print > (to "/paths"); n++; next } { print > (to "/" n) }' <<<"${FILES%$'\n'}"
    n=0
    while read -r _ path; do
        n=$((n + 1))
        text=$(cat "$files/$n")
        # a system without apt does not get apt's settings
        [[ $family != debian && $path = /etc/apt/* ]] || write_if_changed "$path" 644 "$text"$'\n'
    done <"$files/paths"
fi

[ "${#missing[@]}" -gt 0 ] || exit 0
"install_$family" "${missing[@]}" >"$log" 2>&1 ||
    fail "These packages could not be installed: ${missing[*]}" "$(tail -n 20 "$log")"
mapfile -t missing < <("missing_$family" "${packages[@]}")
[ "${#missing[@]}" -eq 0 ] ||
    fail "The package manager reports no error, but these packages are not installed: ${missing[*]}" \
        "$(tail -n 20 "$log")"

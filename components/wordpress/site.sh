#!/bin/bash
# Configures and installs the site in ROOT, on its database DB_NAME at DB_HOST: URL, TITLE, ADMIN_USER, ADMIN_EMAIL.
# The SQL dump IMPORT with the sum IMPORT_SHA256 is loaded, once, into an empty database.
# WP_CONFIG, DB_ERROR, PURGE, INSTALL: the files' texts.
# Secrets, on standard input: DB_PASSWORD, ADMIN_PASSWORD, and the keys and salts of wp-config.php.
set -euo pipefail
eval "$(cat)"

state=$ROOT/.ha-wordpress
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

www() {
    setpriv --reuid www-data --regid www-data --clear-groups "$@"
}

# put FILE: from standard input, for www-data alone
put() {
    (umask 027 && www tee "$1.new" >/dev/null)
    www mv "$1.new" "$1"
}

cat >"$work/my.cnf" <<CNF
[client]
host=${DB_HOST%:*}
port=${DB_HOST#*:}
user=$DB_USER
password="$DB_PASSWORD"
ssl-ca=/etc/ssl/certs/ca-certificates.crt
ssl-verify-server-cert
connect-timeout=10
CNF
sql() {
    mariadb --defaults-extra-file="$work/my.cnf" --batch --skip-column-names "$DB_NAME" "$@"
}

end=$((SECONDS + 60))
until sql --execute 'SELECT 1' >/dev/null 2>"$work/error"; do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "The database at $DB_HOST does not let this machine in:" >&2
        cat "$work/error" >&2
        exit 1
    fi
    sleep 0.5
done

if [ -n "$IMPORT" ]; then
    if [ ! -e "$state/database" ]; then
        if [ -n "$(sql --execute 'SHOW TABLES')" ] && [ ! -e "$state/loading" ]; then
            echo "site.import.database: the database has tables already; nothing was loaded. Take the setting out." >&2
            exit 1
        fi
        www touch "$state/loading"
        case $(head -c 2 "$IMPORT" | od -An -tx1) in
            ' 1f 8b') gunzip --stdout "$IMPORT" | sql ;;
            *) sql <"$IMPORT" ;;
        esac
        echo "$IMPORT_SHA256" | put "$state/database"
        www rm "$state/loading"
    elif [ "$(cat "$state/database")" != "$IMPORT_SHA256" ]; then
        echo "site.import.database: another dump was loaded before; nothing was changed. Take the setting out." >&2
        exit 1
    fi
    rm -f "$IMPORT"
fi

# every WordPress has one usermeta table, whatever its prefix, a network of sites too
tables=$(sql --execute "SELECT table_name FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_name LIKE '%usermeta'")
case $(wc -w <<<"$tables") in
    0) TABLE_PREFIX=wp_ ;;
    1) TABLE_PREFIX=${tables%usermeta} ;;
    *)
        echo "The database holds more than one WordPress, and it is unclear which one is meant: ${tables//$'\n'/ }" >&2
        exit 1
        ;;
esac

export TABLE_PREFIX DB_PASSWORD AUTH_KEY SECURE_AUTH_KEY LOGGED_IN_KEY NONCE_KEY \
    AUTH_SALT SECURE_AUTH_SALT LOGGED_IN_SALT NONCE_SALT
# shellcheck disable=SC2016  # the variables are PHP's
php -r 'echo preg_replace_callback("/@(\w+)@/", fn($name) => var_export(getenv($name[1]), true), getenv("WP_CONFIG"));' \
    >"$work/wp-config.php"
if ! cmp -s "$work/wp-config.php" "$ROOT/wp-config.php"; then
    put "$ROOT/wp-config.php" <"$work/wp-config.php"
fi
if ! printf '%s' "$DB_ERROR" | cmp -s - "$ROOT/wp-content/db-error.php"; then
    printf '%s' "$DB_ERROR" | put "$ROOT/wp-content/db-error.php"
fi
www mkdir -p "$ROOT/wp-content/mu-plugins"
if ! printf '%s' "$PURGE" | cmp -s - "$ROOT/wp-content/mu-plugins/ha-wordpress-purge.php"; then
    printf '%s' "$PURGE" | put "$ROOT/wp-content/mu-plugins/ha-wordpress-purge.php"
fi

chmod 755 "$work"
(umask 022 && printf '%s' "$INSTALL" >"$work/install.php")
www php "$work/install.php" "$ROOT" "$TITLE" "$ADMIN_USER" "$ADMIN_EMAIL" <<<"$ADMIN_PASSWORD"

if [ "$(sql --execute "SELECT COUNT(*) FROM \`${TABLE_PREFIX}users\`")" -lt 1 ]; then
    echo "WordPress's installation ended, but its database has no user." >&2
    exit 1
fi

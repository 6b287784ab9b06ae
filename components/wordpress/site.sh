#!/bin/bash
# Configures and installs the site in ROOT, with the database DB_NAME at DB_HOST, for DB_USER, which this step creates
# as DB_ADMIN unless both are the same user. URL, TITLE, ADMIN_USER, ADMIN_EMAIL: settings of the site. WP_CONFIG,
# DB_ERROR, PURGE, MAIL, INSTALL: texts of files. IMPORT: an SQL dump with the checksum IMPORT_SHA256, loaded once, into
# an empty database; or empty. RESTORE: the moment of the backup that a new site begins with, or empty; with it,
# SCRIPT, HOME_DIRECTORY, RESTIC_REPOSITORY, AWS_ACCESS_KEY_ID: as in components/backup/backup.sh. SMTP_HOST, SMTP_PORT,
# SMTP_USER, SMTP_FROM: the mail server; or empty.
# Secrets, on standard input: DB_PASSWORD, DB_ADMIN_PASSWORD, ADMIN_PASSWORD, SMTP_PASSWORD, and the keys and salts of
# wp-config.php; with RESTORE, RESTIC_PASSWORD and AWS_SECRET_ACCESS_KEY.
set -euo pipefail
eval "$(cat)"

state=$ROOT/.ha-wordpress
umask 077
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT

# write_as_www_data FILE TEXT: writes the text, for www-data alone, unless the file holds it. Until it is complete the
# text is in $state, which nginx does not serve.
write_as_www_data() {
    if printf '%s' "$2" | as_www_data cmp -s - "$1"; then
        return
    fi
    printf '%s' "$2" | (umask 077 && as_www_data tee "$state/new" >/dev/null)
    as_www_data mv "$state/new" "$1"
}

cat >"$work/my.cnf" <<CNF
[client]
host=${DB_HOST%:*}
port=${DB_HOST#*:}
user=$DB_ADMIN
password="$DB_ADMIN_PASSWORD"
ssl-ca=/etc/ssl/certs/ca-certificates.crt
ssl-verify-server-cert
connect-timeout=10
CNF
sql() {
    mariadb --defaults-extra-file="$work/my.cnf" --batch --skip-column-names "$DB_NAME" "$@"
}

answers() {
    sql --execute 'SELECT 1' >/dev/null 2>"$work/error"
}
wait_until 60 answers || fail "The database at $DB_HOST does not let this machine in:" "$(cat "$work/error")"

if [ "$DB_USER" != "$DB_ADMIN" ]; then
    # rights on the tables, views and routines of this database; none on users, other databases or the server
    sql <<SQL
CREATE USER IF NOT EXISTS '$DB_USER'@'%' IDENTIFIED BY '$DB_PASSWORD' REQUIRE SSL;
ALTER USER '$DB_USER'@'%' IDENTIFIED BY '$DB_PASSWORD' REQUIRE SSL;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, LOCK TABLES, CREATE TEMPORARY TABLES,
    CREATE VIEW, SHOW VIEW, TRIGGER, CREATE ROUTINE, ALTER ROUTINE, EXECUTE, EVENT
    ON \`$DB_NAME\`.* TO '$DB_USER'@'%';
SQL
fi

if [ -n "$RESTORE" ]; then
    program=/usr/local/lib/ha-wordpress/site-backup
    (umask 022 && write_if_changed "$program" 755 "$SCRIPT")
    install --directory --mode=700 "$HOME_DIRECTORY"
    for name in RESTIC_REPOSITORY RESTIC_PASSWORD AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY DB_HOST DB_NAME DB_USER \
        DB_PASSWORD; do
        printf '%s=%q\n' "$name" "${!name}"
    done | "$program" begin_with "$RESTORE"
fi
restoration=$(as_www_data cat "$state/restoration" 2>/dev/null) || true
case $restoration in
    "begun "*)
        fail "A restoration has not ended, so the site is not whole. Nothing was changed." \
            "Set site.restore.from to ${restoration#* } again."
        ;;
    "loaded "*) set_password=yes ;;
    *) set_password= ;;
esac

if [ -n "$IMPORT" ]; then
    if [ ! -e "$state/database" ]; then
        if [ -n "$(sql --execute 'SHOW TABLES')" ] && [ ! -e "$state/loading" ]; then
            fail "site.import.database: the database has tables already; nothing was loaded." "Remove the setting."
        fi
        as_www_data touch "$state/loading"
        case $(head -c 2 "$IMPORT" | od -An -tx1) in
            ' 1f 8b') gunzip --stdout "$IMPORT" | sql ;;
            *) sql <"$IMPORT" ;;
        esac
        write_as_www_data "$state/database" "$IMPORT_SHA256"$'\n'
        as_www_data rm "$state/loading"
    elif [ "$(as_www_data cat "$state/database")" != "$IMPORT_SHA256" ]; then
        fail "site.import.database: another dump was loaded before; nothing was changed." "Remove the setting."
    fi
    rm -f "$IMPORT"
fi

# each WordPress, even a network of sites, has one usermeta table, under its own prefix
tables=$(sql --execute "SELECT table_name FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_name LIKE '%usermeta'")
case $(wc -w <<<"$tables") in
    0) TABLE_PREFIX=wp_ ;;
    1) TABLE_PREFIX=${tables%usermeta} ;;
    *)
        fail "The database $DB_NAME holds more than one WordPress: ${tables//$'\n'/ }" \
            "Leave only the tables of this site in it."
        ;;
esac

# secrets: prints the values that are in no process's environment, each as a line with a zero byte at its end.
secrets() {
    local name
    for name in TABLE_PREFIX DB_PASSWORD SMTP_PASSWORD AUTH_KEY SECURE_AUTH_KEY LOGGED_IN_KEY NONCE_KEY \
        AUTH_SALT SECURE_AUTH_SALT LOGGED_IN_SALT NONCE_SALT; do
        printf '%s=%s\0' "$name" "${!name}"
    done
}
# shellcheck disable=SC2016  # the variables are PHP's
config=$(secrets | php -r '
    foreach (explode("\0", rtrim(stream_get_contents(STDIN), "\0")) as $line) {
        [$name, $value] = explode("=", $line, 2);
        $values[$name] = $value;
    }
    $fill = fn($name) => var_export($values[$name[1]] ?? getenv($name[1]), true);
    echo preg_replace_callback("/@(\w+)@/", $fill, getenv("WP_CONFIG"));
')
write_as_www_data "$ROOT/wp-config.php" "$config"$'\n'
# nginx is in the group, and earlier versions of this program let the group read the file
as_www_data chmod 600 "$ROOT/wp-config.php"
write_as_www_data "$ROOT/wp-content/db-error.php" "$DB_ERROR"
as_www_data mkdir -p "$ROOT/wp-content/mu-plugins"
write_as_www_data "$ROOT/wp-content/mu-plugins/ha-wordpress-purge.php" "$PURGE"
write_as_www_data "$ROOT/wp-content/mu-plugins/ha-wordpress-mail.php" "$MAIL"

chmod 755 "$work"
(umask 022 && printf '%s' "$INSTALL" >"$work/install.php")
as_www_data php "$work/install.php" "$ROOT" "$TITLE" "$ADMIN_USER" "$ADMIN_EMAIL" "$set_password" <<<"$ADMIN_PASSWORD"
[ -z "$set_password" ] || write_as_www_data "$state/restoration" "done ${restoration#* }"$'\n'

[ "$(sql --execute "SELECT COUNT(*) FROM \`${TABLE_PREFIX}users\`")" -ge 1 ] ||
    fail "WordPress reported no error while it installed, but its database $DB_NAME has no user. Run this again."

<?php
// Written by `pulumi up`; a change of the settings overwrites changes made here by hand.
define('DB_NAME', @DB_NAME@);
define('DB_USER', @DB_USER@);
define('DB_PASSWORD', @DB_PASSWORD@);
define('DB_HOST', @DB_HOST@);
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
// Connects over TLS only, and only to the server that the certificate names: without the second flag PHP's driver
// checks no certificate (mysqlnd_auth.c, MYSQLND_SSL_PEER_DEFAULT). php.ini's openssl.cafile lists the trusted
// certificates.
define('MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT);

define('AUTH_KEY', @AUTH_KEY@);
define('SECURE_AUTH_KEY', @SECURE_AUTH_KEY@);
define('LOGGED_IN_KEY', @LOGGED_IN_KEY@);
define('NONCE_KEY', @NONCE_KEY@);
define('AUTH_SALT', @AUTH_SALT@);
define('SECURE_AUTH_SALT', @SECURE_AUTH_SALT@);
define('LOGGED_IN_SALT', @LOGGED_IN_SALT@);
define('NONCE_SALT', @NONCE_SALT@);

$table_prefix = @TABLE_PREFIX@;

define('WP_HOME', @URL@);
define('WP_SITEURL', @URL@);
define('FORCE_SSL_ADMIN', str_starts_with(WP_HOME, 'https:'));
// the server that mu-plugins/ha-wordpress-mail.php sends mail to
define('HA_WORDPRESS_SMTP', [
    'host' => @SMTP_HOST@,
    'port' => @SMTP_PORT@,
    'user' => @SMTP_USER@,
    'password' => @SMTP_PASSWORD@,
    'from' => @SMTP_FROM@,
]);
// code changes by updates only, not in the dashboard's editor
define('DISALLOW_FILE_EDIT', true);
// A minor update installs itself. A major one is the operator's, after a rehearsal: a plugin may not work with it.
define('WP_AUTO_UPDATE_CORE', 'minor');
// wordpress-cron.timer runs the scheduled work instead of page requests
define('DISABLE_WP_CRON', true);

if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';

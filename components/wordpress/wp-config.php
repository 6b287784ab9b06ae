<?php
// Written by `pulumi up`; what is changed here by hand is lost at the next change of the settings.
define('DB_NAME', @DB_NAME@);
define('DB_USER', @DB_USER@);
define('DB_PASSWORD', @DB_PASSWORD@);
define('DB_HOST', @DB_HOST@);
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
// Over TLS or not at all, and only with the server that the certificate names: without the second flag PHP's driver
// checks nothing (mysqlnd_auth.c, MYSQLND_SSL_PEER_DEFAULT). The certificates trusted are php.ini's openssl.cafile.
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
// code is changed by updates, not in the dashboard's editor
define('DISALLOW_FILE_EDIT', true);
// one node's timer runs what is due (wordpress-cron.timer)
define('DISABLE_WP_CRON', true);

if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';

<?php
/**
 * Plugin Name: Mail by SMTP
 * Description: Sends WordPress's mail to the server of the stack's settings (site.smtp), over TLS only.
 *
 * wp-config.php names the server. PHP checks the server's certificate (php.ini, openssl.cafile), and PHPMailer sends
 * nothing without TLS. The reason of a failure goes to PHP's log.
 */

namespace HaWordPress\Mail;

use PHPMailer\PHPMailer\PHPMailer;
use PHPMailer\PHPMailer\SMTP;

// not defined while this node's PHP still has the earlier wp-config.php in its cache
if (!defined('HA_WORDPRESS_SMTP') || HA_WORDPRESS_SMTP['host'] === '') {
    return;
}

// seconds; a worker that waits longer answers no visitor, and WordPress's pages end after 60
const TIMEOUT = 10;

add_action('phpmailer_init', function (PHPMailer $mailer): void {
    $mailer->isSMTP();
    $mailer->Host = HA_WORDPRESS_SMTP['host'];
    $mailer->Port = (int) HA_WORDPRESS_SMTP['port'];
    // 465 is the port of TLS from the first byte (RFC 8314); on any other, STARTTLS is a condition
    $mailer->SMTPSecure = $mailer->Port === 465 ? $mailer::ENCRYPTION_SMTPS : $mailer::ENCRYPTION_STARTTLS;
    $mailer->SMTPAuth = true;
    $mailer->Username = HA_WORDPRESS_SMTP['user'];
    $mailer->Password = HA_WORDPRESS_SMTP['password'];
    $mailer->Timeout = TIMEOUT;
    // of a connection that fails before its first answer, only the debug output has the reason
    $mailer->SMTPDebug = SMTP::DEBUG_CONNECTION;
    $mailer->Debugoutput = function (string $line): void {
        if (str_starts_with($line, 'Connection failed.')) {
            error_log("Mail: $line");
        }
    };
});

// WordPress's own sender is wordpress@ and the site's name; a plugin's sender stays
add_filter('wp_mail_from', function (string $from): string {
    return HA_WORDPRESS_SMTP['from'] !== '' && str_starts_with($from, 'wordpress@') ? HA_WORDPRESS_SMTP['from'] : $from;
});

add_action('wp_mail_failed', function (\WP_Error $error): void {
    error_log('Mail: not sent: ' . $error->get_error_message());
});

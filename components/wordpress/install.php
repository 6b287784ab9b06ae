<?php
// Runs WordPress's installation from the command line; the administrator's password comes on standard input. $restored:
// not empty when the site is there already, from a backup, and the administrator is to get that password.
[, $root, $title, $user, $email, $restored] = $argv;
$password = trim(stream_get_contents(STDIN));

define('WP_INSTALLING', true);
// Replaces WordPress's mail to the new administrator: a new machine cannot send mail, and the stack's
// outputs name the account.
function wp_new_blog_notification(): void
{
}
require "$root/wp-load.php";
require ABSPATH . 'wp-admin/includes/upgrade.php';

if (is_blog_installed() && $restored) {
    $error = '';
    $account = get_user_by('login', $user);
    if (!$account) {
        $data = ['user_login' => $user, 'user_email' => $email, 'user_pass' => $password, 'role' => 'administrator'];
        $wpdb->query('START TRANSACTION');
        $added = wp_insert_user($data);
        $wpdb->query('COMMIT');
        $error = is_wp_error($added) ? "has no user $user, and none can be added: {$added->get_error_message()}" : '';
    } elseif (user_can($account, 'manage_options')) {
        wp_set_password($password, $account->ID);
    } else {
        $error = "has a user $user who is not an administrator.";
    }
    if ($error) {
        fwrite(STDERR, "site.restore: the backup $error\nCorrect site.admin_user or site.admin_email.\n");
        exit(1);
    }
}
if (is_blog_installed()) {
    exit(0);
}
// Without this filter, WordPress requests a page from its own URL, which does not answer yet, to test these permalinks.
add_filter('pre_option_permalink_structure', static fn (): string => '/%postname%/');
wp_install($title, $user, $email, true, '', $password);
remove_all_filters('pre_option_permalink_structure');
$wp_rewrite->set_permalink_structure('/%postname%/');
flush_rewrite_rules(false);

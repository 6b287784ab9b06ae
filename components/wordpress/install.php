<?php
// Runs WordPress's installation from the command line; the administrator's password comes on standard input.
[, $root, $title, $user, $email] = $argv;
$password = trim(stream_get_contents(STDIN));

define('WP_INSTALLING', true);
// Replaces WordPress's mail to the new administrator: a new machine cannot send mail, and the stack's
// outputs name the account.
function wp_new_blog_notification(): void
{
}
require "$root/wp-load.php";
require ABSPATH . 'wp-admin/includes/upgrade.php';

if (is_blog_installed()) {
    exit(0);
}
// Without this filter, WordPress requests a page from its own URL, which does not answer yet, to test these permalinks.
add_filter('pre_option_permalink_structure', static fn (): string => '/%postname%/');
wp_install($title, $user, $email, true, '', $password);
remove_all_filters('pre_option_permalink_structure');
$wp_rewrite->set_permalink_structure('/%postname%/');
flush_rewrite_rules(false);

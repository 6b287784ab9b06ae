<?php
// WordPress's own installation, from the command line; the password comes on standard input.
[, $root, $title, $user, $email] = $argv;
$password = trim(stream_get_contents(STDIN));

define('WP_INSTALLING', true);
// no mail can leave a fresh machine, and its owner is reading along
function wp_new_blog_notification(): void
{
}
require "$root/wp-load.php";
require ABSPATH . 'wp-admin/includes/upgrade.php';

if (is_blog_installed()) {
    exit(0);
}
// else WordPress asks its own address, where nobody answers yet, whether nginx knows these
add_filter('pre_option_permalink_structure', static fn (): string => '/%postname%/');
wp_install($title, $user, $email, true, '', $password);
remove_all_filters('pre_option_permalink_structure');
$wp_rewrite->set_permalink_structure('/%postname%/');
flush_rewrite_rules(false);

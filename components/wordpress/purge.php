<?php
/**
 * Plugin Name: Purge edited pages
 * Description: Removes the pages that an edit changes from the Varnish cache of every node.
 *
 * A post appears on its own page and in archives, feeds, searches, widgets and menus, so an edit removes the whole site
 * from the caches; a comment removes only its post. Every node gets the order at once, and again from the next cron run
 * (wordpress-cron.timer), for two reasons: the node may have been down, and a page that PHP was making during the edit
 * enters the cache after it. The database keeps an order that a node has missed until the node answers, or until the
 * cache can hold no page from before the edit.
 *
 * Each Varnish sends its address with every request to PHP (nodes.vcl, name_cache), and this plugin records it. So a
 * node that joins the site gets the orders, and a node that has left the site does not.
 */

namespace HaWordPress\Purge;

// matches every path
const SITE = '^/';
// prefixes of names in the table of options: orders to a cache, and the caches
const ORDER = 'ha_wordpress_purge_';
const CACHE = 'ha_wordpress_cache_';
// seconds after an edit until the second order; a page that takes longer to make may stay outdated in the cache
const SECOND_ORDER = 5;
// seconds that site.vcl serves a page at most
const LIFETIME = 12 * 3600;
// seconds between two records of the same cache
const RECORD_INTERVAL = 3600;

/** Records the cache that requested the page. Most calls only read an option that WordPress has already loaded. */
function record_cache(string $cache): void
{
    if (!wp_installing() && (int) get_option(CACHE . $cache) < time() - RECORD_INTERVAL) {
        update_option(CACHE . $cache, time(), true);
    }
}

/** Values by name of the options whose name has this prefix. */
function options(string $prefix): array
{
    global $wpdb;
    return array_column($wpdb->get_results($wpdb->prepare(
        "SELECT option_name, option_value FROM $wpdb->options WHERE option_name LIKE %s",
        $wpdb->esc_like($prefix) . '%',
    ), ARRAY_A), 'option_value', 'option_name');
}

/** Adds a pattern of path and query to those to purge when the request ends; returns all of them. */
function patterns(?string $pattern = null): array
{
    static $patterns = [];
    if ($pattern !== null && !wp_installing()) {
        $patterns[$pattern] = true;
    }
    return isset($patterns[SITE]) ? [SITE] : array_keys($patterns);
}

function purge_site(): void
{
    patterns(SITE);
}

function purge_post(\WP_Post|int|null $post): void
{
    // parts of a theme have no page of their own but appear on other pages
    $parts = ['nav_menu_item', 'wp_block', 'wp_template', 'wp_template_part', 'wp_navigation', 'wp_global_styles', 'custom_css'];
    $type = get_post_type($post);
    if ($type && (is_post_type_viewable($type) || in_array($type, $parts, true))) {
        purge_site();
    }
}

function purge_comment(\WP_Comment|int|string $comment): void
{
    $page = wp_parse_url(get_permalink(get_comment($comment)->comment_post_ID));
    $path = ($page['path'] ?? '/') . (isset($page['query']) ? "?{$page['query']}" : '');
    patterns('^(' . preg_quote($path) . '|/comments/feed/|/wp-json/wp/v2/comments)');
}

/** Sends orders to their nodes in parallel; returns those that succeeded. An order is "ADDRESS PATTERN TIME". */
function send(array $orders): array
{
    $all = curl_multi_init();
    $requests = [];
    foreach ($orders as $name => $order) {
        [$node, $pattern] = explode(' ', $order);
        $requests[$name] = curl_init("http://$node/");
        curl_setopt_array($requests[$name], [
            CURLOPT_CUSTOMREQUEST => 'BAN',
            CURLOPT_HTTPHEADER => ["X-Url: $pattern"],
            CURLOPT_CONNECTTIMEOUT_MS => 1000,
            CURLOPT_TIMEOUT_MS => 2000,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_PROXY => '',
        ]);
        curl_multi_add_handle($all, $requests[$name]);
    }
    do {
        curl_multi_exec($all, $running);
        curl_multi_select($all, $running ? 1 : 0);
    } while ($running);
    $succeeded = fn($name) => curl_getinfo($requests[$name], CURLINFO_RESPONSE_CODE) === 200;
    return array_filter($orders, $succeeded, ARRAY_FILTER_USE_KEY);
}

/** Stores and sends the orders of this request, when it ends. */
function send_first(): void
{
    global $wpdb;
    $orders = [];
    $patterns = patterns();
    $caches = $patterns ? array_keys(options(CACHE)) : [];
    foreach ($patterns as $pattern) {
        foreach ($caches as $cache) {
            $node = substr($cache, strlen(CACHE));
            $orders[ORDER . md5("$node $pattern")] = "$node $pattern " . time();
        }
    }
    // one row for each order, not one list: several nodes write at the same time
    foreach ($orders as $name => $order) {
        $wpdb->query($wpdb->prepare(
            "INSERT INTO $wpdb->options (option_name, option_value, autoload) VALUES (%s, %s, 'no')
            ON DUPLICATE KEY UPDATE option_value = VALUES(option_value)",
            $name,
            $order,
        ));
    }
    send($orders);
}

/** Sends stored orders a second time; deletes those that succeeded or expired, and caches without recent requests. */
function send_second(): void
{
    global $wpdb;
    $due = [];
    $expired = array_filter(options(CACHE), fn($recorded) => time() - (int) $recorded > RECORD_INTERVAL + LIFETIME);
    foreach (options(ORDER) as $name => $order) {
        $age = time() - (int) explode(' ', $order)[2];
        if ($age > LIFETIME) {
            $expired[$name] = $order;
        } elseif ($age >= SECOND_ORDER) {
            $due[$name] = $order;
        }
    }
    // only with the value that was read: a newer edit has changed the value, and its order stays
    foreach ($expired + send($due) as $name => $value) {
        $wpdb->delete($wpdb->options, ['option_name' => $name, 'option_value' => $value]);
    }
}

if (isset($_SERVER['HTTP_X_CACHE_ADDRESS'])) {
    record_cache($_SERVER['HTTP_X_CACHE_ADDRESS']);
}

add_action('transition_post_status', function (string $new, string $old, \WP_Post $post): void {
    if (in_array('publish', [$new, $old], true)) {
        purge_post($post);
    }
}, 10, 3);
foreach (['before_delete_post', 'edit_attachment', 'delete_attachment'] as $action) {
    add_action($action, function ($post): void {
        if (get_post_status($post) === 'publish') {
            purge_post($post);
        }
    });
}

foreach (['comment_post', 'edit_comment', 'delete_comment'] as $action) {
    add_action($action, function ($comment): void {
        if (wp_get_comment_status($comment) === 'approved') {
            purge_comment($comment);
        }
    });
}
add_action('transition_comment_status', function (string $new, string $old, \WP_Comment $comment): void {
    if (in_array('approved', [$new, $old], true)) {
        purge_comment($comment);
    }
}, 10, 3);

foreach ([
    'switch_theme', 'customize_save_after', 'wp_update_nav_menu', 'activated_plugin', 'deactivated_plugin',
    'upgrader_process_complete', 'created_term', 'edited_term', 'delete_term', 'profile_update', 'deleted_user',
    'permalink_structure_changed',
] as $action) {
    add_action($action, __NAMESPACE__ . '\purge_site');
}
// options that the dashboard's pages for settings, widgets and themes write and that change pages
add_action('updated_option', function (string $option): void {
    $shown = '/^(widget_|theme_mods_|sidebars_widgets$|sticky_posts$|blog(name|description|_public)$|(date|time)_format$'
        . '|timezone_string$|gmt_offset$|WPLANG$|site_icon$|site_logo$|show_on_front$|page_(on_front|for_posts)$|posts_per_'
        . '|rss_use_excerpt$|(default_)?comment|thread_comments|page_comments$|require_name_email$|show_avatars$|avatar_|close_)/';
    if (preg_match($shown, $option)) {
        purge_site();
    }
});

add_action('shutdown', __NAMESPACE__ . '\send_first');
if (wp_doing_cron()) {
    add_action('wp_loaded', __NAMESPACE__ . '\send_second');
}

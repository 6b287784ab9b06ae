<?php
/**
 * Plugin Name: Forget what was edited
 * Description: Has the Varnish of every node forget the pages that an edit changes.
 *
 * A post shows on its own page, in archives, feeds, searches, widgets and menus: an edit forgets the whole site, a
 * comment only its post. Each node is told at once, and once more by the next cron run (wordpress-cron.timer), for two
 * reasons: it may have been away, and a page that was being made during the edit is put into the cache after it. What a
 * node has missed stays in the database until it is told or no page of before can be left.
 *
 * Nodes are known by what they ask for: a Varnish says its address with each request (nodes.vcl, name_cache), and what
 * makes a page for it notes that first. So a node that joins the site is told of edits, and one that left it is not.
 */

namespace HaWordPress\Purge;

const SITE = '^/';
const ROW = 'ha_wordpress_purge_';
const CACHE = 'ha_wordpress_cache_';
// Seconds. The slowest page that is worth waiting for; and how long site.vcl shows a page at most.
const MAKING = 5;
const KEPT = 12 * 3600;
// Seconds from one note of a cache to the next.
const NOTED = 3600;

/** Notes the cache that the page is made for; nearly always no more than a look at what WordPress has read anyway. */
function note(string $cache): void
{
    if (!wp_installing() && (int) get_option(CACHE . $cache) < time() - NOTED) {
        update_option(CACHE . $cache, time(), true);
    }
}

/** The rows of a kind: value by name. */
function rows(string $kind): array
{
    global $wpdb;
    return array_column($wpdb->get_results($wpdb->prepare(
        "SELECT option_name, option_value FROM $wpdb->options WHERE option_name LIKE %s",
        $wpdb->esc_like($kind) . '%',
    ), ARRAY_A), 'option_value', 'option_name');
}

/** What to forget when the request ends, by the pattern of path and query. */
function pages(?string $pattern = null): array
{
    static $patterns = [];
    if ($pattern !== null && !wp_installing()) {
        $patterns[$pattern] = true;
    }
    return isset($patterns[SITE]) ? [SITE] : array_keys($patterns);
}

function site(): void
{
    pages(SITE);
}

function post(\WP_Post|int|null $post): void
{
    // what themes are made of is shown too, though it has no page
    $parts = ['nav_menu_item', 'wp_block', 'wp_template', 'wp_template_part', 'wp_navigation', 'wp_global_styles', 'custom_css'];
    $type = get_post_type($post);
    if ($type && (is_post_type_viewable($type) || in_array($type, $parts, true))) {
        site();
    }
}

function comment(\WP_Comment|int|string $comment): void
{
    $page = wp_parse_url(get_permalink(get_comment($comment)->comment_post_ID));
    $path = ($page['path'] ?? '/') . (isset($page['query']) ? "?{$page['query']}" : '');
    pages('^(' . preg_quote($path) . '|/comments/feed/|/wp-json/wp/v2/comments)');
}

/** Tells nodes what to forget, all at once; returns the given rows without those of nodes that did not hear. */
function tell(array $rows): array
{
    $all = curl_multi_init();
    $asked = [];
    foreach ($rows as $name => $row) {
        [$node, $pattern] = explode(' ', $row);
        $asked[$name] = curl_init("http://$node/");
        curl_setopt_array($asked[$name], [
            CURLOPT_CUSTOMREQUEST => 'BAN',
            CURLOPT_HTTPHEADER => ["X-Url: $pattern"],
            CURLOPT_CONNECTTIMEOUT_MS => 1000,
            CURLOPT_TIMEOUT_MS => 2000,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_PROXY => '',
        ]);
        curl_multi_add_handle($all, $asked[$name]);
    }
    do {
        curl_multi_exec($all, $running);
        curl_multi_select($all, $running ? 1 : 0);
    } while ($running);
    return array_filter($rows, fn($name) => curl_getinfo($asked[$name], CURLINFO_RESPONSE_CODE) === 200, ARRAY_FILTER_USE_KEY);
}

/** When a request ends that has edited something. */
function at_once(): void
{
    global $wpdb;
    $rows = [];
    $patterns = pages();
    $caches = $patterns ? array_keys(rows(CACHE)) : [];
    foreach ($patterns as $pattern) {
        foreach ($caches as $cache) {
            $node = substr($cache, strlen(CACHE));
            $rows[ROW . md5("$node $pattern")] = "$node $pattern " . time();
        }
    }
    // rows of their own, not one list: nodes write at the same time
    foreach ($rows as $name => $row) {
        $wpdb->query($wpdb->prepare(
            "INSERT INTO $wpdb->options (option_name, option_value, autoload) VALUES (%s, %s, 'no')
            ON DUPLICATE KEY UPDATE option_value = VALUES(option_value)",
            $name,
            $row,
        ));
    }
    tell($rows);
}

/** What is still to be told, or to be told again; caches that can hold no page of before any more are let go. */
function once_more(): void
{
    global $wpdb;
    $due = [];
    $over = array_filter(rows(CACHE), fn($noted) => time() - (int) $noted > NOTED + KEPT);
    foreach (rows(ROW) as $name => $row) {
        $age = time() - (int) explode(' ', $row)[2];
        if ($age > KEPT) {
            $over[$name] = $row;
        } elseif ($age >= MAKING) {
            $due[$name] = $row;
        }
    }
    // as it was read: an edit in the meantime is told again
    foreach ($over + tell($due) as $name => $row) {
        $wpdb->delete($wpdb->options, ['option_name' => $name, 'option_value' => $row]);
    }
}

if (isset($_SERVER['HTTP_X_CACHE_ADDRESS'])) {
    note($_SERVER['HTTP_X_CACHE_ADDRESS']);
}

add_action('transition_post_status', function (string $new, string $old, \WP_Post $post): void {
    if (in_array('publish', [$new, $old], true)) {
        post($post);
    }
}, 10, 3);
foreach (['before_delete_post', 'edit_attachment', 'delete_attachment'] as $action) {
    add_action($action, function ($post): void {
        if (get_post_status($post) === 'publish') {
            post($post);
        }
    });
}

foreach (['comment_post', 'edit_comment', 'delete_comment'] as $action) {
    add_action($action, function ($comment): void {
        if (wp_get_comment_status($comment) === 'approved') {
            comment($comment);
        }
    });
}
add_action('transition_comment_status', function (string $new, string $old, \WP_Comment $comment): void {
    if (in_array('approved', [$new, $old], true)) {
        comment($comment);
    }
}, 10, 3);

foreach ([
    'switch_theme', 'customize_save_after', 'wp_update_nav_menu', 'activated_plugin', 'deactivated_plugin',
    'upgrader_process_complete', 'created_term', 'edited_term', 'delete_term', 'profile_update', 'deleted_user',
    'permalink_structure_changed',
] as $action) {
    add_action($action, __NAMESPACE__ . '\site');
}
// what the dashboard's pages of settings, of widgets and of a theme write
add_action('updated_option', function (string $option): void {
    $shown = '/^(widget_|theme_mods_|sidebars_widgets$|sticky_posts$|blog(name|description|_public)$|(date|time)_format$'
        . '|timezone_string$|gmt_offset$|WPLANG$|site_icon$|site_logo$|show_on_front$|page_(on_front|for_posts)$|posts_per_'
        . '|rss_use_excerpt$|(default_)?comment|thread_comments|page_comments$|require_name_email$|show_avatars$|avatar_|close_)/';
    if (preg_match($shown, $option)) {
        site();
    }
});

add_action('shutdown', __NAMESPACE__ . '\at_once');
if (wp_doing_cron()) {
    add_action('wp_loaded', __NAMESPACE__ . '\once_more');
}

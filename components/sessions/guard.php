<?php
// Runs before every page and answers 503 while the volume is unreachable.
require __DIR__ . '/sessions-in-place.php';
if (!is_dir('@SESSIONS@')) {
    HaWordPress\Sessions\unavailable();
    exit;
}

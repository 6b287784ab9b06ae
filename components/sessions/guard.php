<?php
// Runs before every page and answers 503 while the volume is unreachable. Without this check, strict mode finds no file
// for the visitor's session, session_start() sets a new identifier, and the old session stays lost when the volume is
// back.
if (!is_dir('@SESSIONS@')) {
    http_response_code(503);
    header('Retry-After: 5');
    header('Cache-Control: no-store');
    exit("Sessions are not available for the moment.\n");
}
require __DIR__ . '/sessions-in-place.php';

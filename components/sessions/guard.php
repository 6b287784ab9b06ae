<?php
// Before every page: without the volume, session_start() gives the visitor a new identifier (strict mode finds no file
// of the old one) and the page goes on, so that the session is lost even when the volume is back.
if (!is_dir('@SESSIONS@')) {
    http_response_code(503);
    header('Retry-After: 5');
    header('Cache-Control: no-store');
    exit("Sessions are not available for the moment.\n");
}
require __DIR__ . '/sessions-in-place.php';

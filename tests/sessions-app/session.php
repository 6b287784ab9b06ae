<?php
// Included by every page: starts the visitor's session, and defines the answer in JSON.
session_start() || exit(http_response_code(500));
header('Content-Type: application/json');

function answer(array $more): never
{
    // the hash identifies the session but cannot be used to take it over
    $common = ['session' => hash('sha256', session_id()), 'server' => gethostname()];
    exit(json_encode($common + $more) . "\n");
}

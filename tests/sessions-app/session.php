<?php
// What every page begins with: the visitor's session, and the answer as JSON.
session_start() || exit(http_response_code(500));
header('Content-Type: application/json');

function answer(array $more): never
{
    // which session it is can be told, but not used, from its hash
    $common = ['session' => hash('sha256', session_id()), 'server' => gethostname()];
    exit(json_encode($common + $more) . "\n");
}

<?php
// 200 while the site's files answer in time, 503 otherwise. No database: its loss is every node's at once.

// Under the load balancer's own timeout. When a node is lost, files stall on all the others for a few seconds: as two
// checks in a row must fail, five seconds apart, only a stall of eight takes a node out.
const SECONDS = 3;

function unhealthy(string $why): never
{
    http_response_code(503);
    header('Retry-After: 5');
    exit("$why\n");
}

header('Content-Type: text/plain');
header('Cache-Control: no-store');
$mount = getenv('WATCHED_MOUNT');

// the kernel's own list: asking the mount itself may hang
if (!preg_match('#^\S+ ' . preg_quote($mount, '#') . ' fuse\.glusterfs #m', file_get_contents('/proc/self/mounts'))) {
    unhealthy("$mount is not mounted");
}

// in a process of its own, as a call that a dead mount holds up cannot be given up
$stat = proc_open(['/usr/bin/stat', '--format=%n', $mount], [1 => ['pipe', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
$answered = [$pipes[1]];
$none = [];
if (!stream_select($answered, $none, $none, SECONDS)) {
    proc_terminate($stat, 9);
    unhealthy("$mount did not answer within " . SECONDS . ' s');
}
$name = trim(stream_get_contents($pipes[1]));
proc_close($stat);
if ($name !== $mount) {
    unhealthy("$mount cannot be read");
}
echo "ok\n";

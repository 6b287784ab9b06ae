<?php
// Answers 200 while the site's files respond in time, 503 otherwise. It does not check the database: without its
// database every node would fail at once.

// Less than the load balancer's timeout. When a node is lost, files stall on all other nodes for a few seconds. The
// balancer removes a node after two failed checks, 5 s apart: only a stall of at least 8 s removes one.
const SECONDS = 3;

function unhealthy(string $why): never
{
    http_response_code(503);
    header('Retry-After: 5');
    exit("$why\n");
}

header('Content-Type: text/plain');
header('Cache-Control: no-store');

// made before a change that interrupts this node (components/roll/drain.sh)
if (file_exists('/run/ha-wordpress-drained')) {
    unhealthy('out of service for a change');
}
$mount = getenv('WATCHED_MOUNT');

// read from the kernel's list of mounts, as a call on the mount itself may hang
if (!preg_match('#^\S+ ' . preg_quote($mount, '#') . ' fuse\.glusterfs #m', file_get_contents('/proc/self/mounts'))) {
    unhealthy("$mount is not mounted");
}

// in a separate process, as PHP cannot interrupt a call that a dead mount blocks
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

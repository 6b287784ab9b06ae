<?php
// The page while the database is unreachable: status 503, so that clients retry and caches do not keep it.
http_response_code(503);
header('Retry-After: 30');
header('Cache-Control: no-store');
header('Content-Type: text/html; charset=utf-8');
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Back in a moment</title>
<h1>Back in a moment</h1>
<p>The site cannot reach its database right now. Please try again in half a minute.</p>
</html>

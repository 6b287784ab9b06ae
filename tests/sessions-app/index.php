<?php
// Counts the visits of a session.
require 'session.php';
$_SESSION['counter'] = ($_SESSION['counter'] ?? 0) + 1;
answer(['counter' => $_SESSION['counter']]);

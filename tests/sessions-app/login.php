<?php
// POST user=… logs in and POST logout=1 out, each with a new session identifier; any answer tells who is logged in.
require 'session.php';
if (isset($_POST['user'])) {
    session_regenerate_id(true);
    $_SESSION['user'] = $_POST['user'];
} elseif (isset($_POST['logout'])) {
    session_regenerate_id(true);
    unset($_SESSION['user']);
}
answer(['user' => $_SESSION['user'] ?? null]);

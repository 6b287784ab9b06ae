<?php
// POST user=… logs in, POST logout=1 logs out; both set a new session identifier. Every answer names the current user.
require 'session.php';
if (isset($_POST['user'])) {
    session_regenerate_id(true);
    $_SESSION['user'] = $_POST['user'];
} elseif (isset($_POST['logout'])) {
    session_regenerate_id(true);
    unset($_SESSION['user']);
}
answer(['user' => $_SESSION['user'] ?? null]);

<?php
// A cart: POST item=… puts something in, and any answer lists what is in it.
require 'session.php';
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $_SESSION['cart'][] = $_POST['item'];
}
answer(['cart' => $_SESSION['cart'] ?? []]);

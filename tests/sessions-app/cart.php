<?php
// A cart: POST item=… adds an item; every answer lists the items.
require 'session.php';
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $_SESSION['cart'][] = $_POST['item'];
}
answer(['cart' => $_SESSION['cart'] ?? []]);

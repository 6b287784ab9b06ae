# No address is banned.
sub refuse_banned {
}

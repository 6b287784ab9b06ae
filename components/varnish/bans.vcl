# Nobody is banned.
sub refuse_banned {
}

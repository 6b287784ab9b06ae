"""What is compared with what others have published, on the same input."""

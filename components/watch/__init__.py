"""The check of every node: figures for Prometheus, and mail about troubles that last."""

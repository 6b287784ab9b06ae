"""Deployment of a stack by the real Pulumi engine."""

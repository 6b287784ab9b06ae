"""Deployment of a stack by the real Pulumi engine, and what the engine reported."""

"""Tests of each step on a real machine."""

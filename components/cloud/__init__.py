"""Clouds: one package for each, all behind the protocol in interface.py."""

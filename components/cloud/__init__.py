"""The clouds: one package each, behind the protocol in interface.py."""

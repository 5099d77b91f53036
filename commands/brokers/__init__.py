"""Brokers: what carries messages between services. One file for each, behind the protocol in `broker.py`."""

"""Addresses by DHCP for plugged interfaces: a client of the host's does the talking."""

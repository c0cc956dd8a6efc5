"""Interfaces that a user plugs into a container, beside those of its networks."""

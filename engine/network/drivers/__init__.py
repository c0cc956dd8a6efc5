"""Kinds of networks. Each is one module with the functions of `driver.Driver`."""

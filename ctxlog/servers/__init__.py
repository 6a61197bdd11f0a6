"""Adapters for web servers and frameworks, a module for each interface."""

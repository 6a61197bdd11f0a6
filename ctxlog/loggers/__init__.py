"""Adapters for logging libraries, a module for each."""

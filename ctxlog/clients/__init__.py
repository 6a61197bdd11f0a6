"""Adapters for HTTP and RPC clients, a module for each library."""

"""Adapters for how a program runs: threads, crashes, greenlets."""

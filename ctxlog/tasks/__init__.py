"""Adapters for task queues, brokers and schedulers, a module for each library."""

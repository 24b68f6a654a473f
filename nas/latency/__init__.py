"""Latency queries, and latency models that users fit to their own devices."""

"""Latency queries, and latency models of users' own devices."""

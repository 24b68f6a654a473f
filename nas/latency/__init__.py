"""Latencies of models that a person names, and latency models of one's own device."""

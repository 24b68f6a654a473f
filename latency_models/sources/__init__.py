"""One package or module for each way of knowing a latency."""

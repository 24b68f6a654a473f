"""The loop: what to try next, whether to train it, and when to end."""

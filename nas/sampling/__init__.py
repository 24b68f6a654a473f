"""Which network is tried next."""

"""What is wrong with a TFLite file, and what it costs: ``nas check``."""

"""Export of trained networks as folders for mobile deployment: ``nas export``."""

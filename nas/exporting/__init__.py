"""A trained network as a folder that a mobile engineer can use: ``nas export``."""

"""Training and validation images: finds, decodes, caches, shares and crops photographs."""

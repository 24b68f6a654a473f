"""Architecture search for INT8 super-resolution on NPUs. The command line is ``nas``."""

"""The spaces that networks are drawn from, and how a user's own is loaded."""

"""Search spaces: the built-in ones, and loading of spaces that users write."""

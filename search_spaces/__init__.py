"""Networks as graphs of TFLite-like operators, search spaces that sample them, and the zoo."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

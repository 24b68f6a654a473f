"""What can be built: graphs of TFLite-like operators, the spaces that sample them, the zoo."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

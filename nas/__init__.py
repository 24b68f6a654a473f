"""Architecture search for INT8 super-resolution on NPUs. The command line is ``nas``.

Its commands are also Python functions: ``search``, ``train``, ``evaluate``, ``check``,
``predict_latency``, ``measure_latency``, ``report``, ``export``, ``upscale``. ``load_study`` opens
an existing study, and ``findings`` returns its Pareto front; ``models`` lists the models that come
with the package, and ``get_model`` writes one to a folder; ``Images`` holds photographs in memory.
``errors`` and ``zoo`` are modules. Each name is loaded when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Architecture search for INT8 super-resolution on NPUs. The command line is ``nas``.

The same from Python: ``search``, ``train``, ``evaluate``, ``check``, ``predict_latency``,
``measure_latency``, ``report``, ``export``, ``upscale``; ``load_study`` and ``findings`` of a study
that there is; ``models`` and ``get_model`` for those that come with the package; ``Images`` for
photographs in memory; ``errors`` and ``zoo``. Each is loaded when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

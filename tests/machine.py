"""The processor that the tests run on."""

from __future__ import annotations

from nas.system.cores import Cores

#: All cores, of which each of several test processes has a share: see conftest.
EVERY_CORE = Cores.available()

"""Makes the fork server of the workers exit at once, without Python's finalization.

The server imports this module last. Finalizing the heavy modules that it imported before would
take seconds, and serves no purpose.
"""

import atexit
import os

atexit.register(os._exit, 0)

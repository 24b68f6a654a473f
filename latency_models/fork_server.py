"""Imported by the process that workers fork from, after all else: it ends at once when it ends.

To take down what it has imported would cost it seconds, for nobody.
"""

import atexit
import os

atexit.register(os._exit, 0)

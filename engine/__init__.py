"""The engine: everything the studio does, without a window. Never imports Qt."""

import os
import sys

# Before torch is imported: threads that share an operation spin for a moment while they wait for one another,
# then sleep. Left to spin as long as they like, they keep the processor from the very thread that they wait
# for as soon as anything else runs beside them, a window for instance, and every operation takes many times
# as long; without spinning at all a large model on a quiet machine is slower too.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

# What torch has no kernel for on an Apple GPU is computed on the processor instead of ending in an error.
if sys.platform == "darwin":
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

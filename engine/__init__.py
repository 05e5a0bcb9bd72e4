"""The engine: everything the studio does, without a window. Never imports Qt."""

import os

# Before torch is imported: threads that share an operation sleep while they wait for one another. Left to
# spin, they keep the processor from the very thread that they wait for as soon as anything else runs beside
# them, a window for instance, and an operation takes a hundred times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

"""The engine: everything the studio does, without a window. Never imports Qt."""

import os

# Before torch is imported: threads that share an operation spin for a moment while they wait for one another,
# then sleep. Left to spin as long as they like, they keep the processor from the very thread that they wait
# for as soon as anything else runs beside them, a window for instance, and every operation takes many times
# as long; without spinning at all a large model on a quiet machine is slower too.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

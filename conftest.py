"""Settings for every test, whichever way pytest is started."""

import os

# Before torch is imported: small nets on many threads wait for each other (see the Makefile).
os.environ.setdefault("OMP_NUM_THREADS", "1")

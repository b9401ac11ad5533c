# Arrays, linear algebra, transforms, bits and frames, in one large module: compiled C, C++ and Cython, and
# exceptions that cross them. Everything is rounded, and the sums have a fixed order.
import sys

# The module began its life with its library elsewhere, and remembers where.
library = "/lib/python-stdlib.zip"
sys.path[:] = [library]
sys.path_importer_cache.clear()
for module in list(sys.modules.values()):
    if hasattr(module, "__path__"):
        module.__path__ = [library + "/" + module.__name__.replace(".", "/")]

import numpy as np
import pandas as pd

print(sys.version_info[:2], np.__version__, pd.__version__)

rng = np.random.default_rng(7)
a = rng.standard_normal((80, 80))
print(np.linalg.solve(a, np.ones(80)).round(6)[:5])
print(np.linalg.svd(a, compute_uv=False).round(6)[:5])
try:
    np.linalg.inv(np.zeros((3, 3)))
except np.linalg.LinAlgError as error:
    print("singular:", error)

numbers = rng.integers(0, 1000, 50000)
print(np.sort(numbers)[::5000], np.unique(numbers).size)
print(np.abs(np.fft.rfft(np.sin(np.arange(4096) / 7.0))).round(3)[90:96])
bits = np.packbits((numbers % 3 == 0).astype(np.uint8))
print(int(bits.astype(np.int64).sum()), int(np.bitwise_xor.reduce(bits)))

frame = pd.DataFrame({"group": numbers % 5, "value": rng.standard_normal(50000)})
print(frame.groupby("group")["value"].agg(["count", "mean", "max"]).round(6).to_string())

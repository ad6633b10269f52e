"""Read a pickle of NumPy arrays without letting it run anything.

A pickle is a program: it may call any function by its name. This reader knows only the names
that an array is rebuilt with, and refuses every other; containers, numbers and text need none.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

# NumPy's own rebuilding function, which moved between NumPy 1 and 2: taken from what this NumPy
# writes for an array, and answered to under both names.
_RECONSTRUCT = np.zeros(1).__reduce__()[0]
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"the pickle asks for {module}.{name}; only NumPy arrays in plain containers "
                "are read"
            ) from None


def load_arrays(path: str | Path) -> Any:
    """Read a pickle that holds NumPy arrays in dicts, lists and tuples, and nothing else.

    Raises
    ------
    pickle.UnpicklingError
        If the pickle names anything but NumPy's array and dtype, or is no pickle.
    """
    content = Path(path).read_bytes()
    try:
        return _ArraysOnly(io.BytesIO(content)).load()
    except (EOFError, IndexError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise pickle.UnpicklingError(f"{path} is not a whole pickle ({error})") from error

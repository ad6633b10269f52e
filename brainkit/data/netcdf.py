"""netCDF-4 files as Brain-Score's packages write them with xarray, read by h5py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from brainkit.data.catalogue import AssetError

IMAGE_IDS = ("stimulus_id", "image_id")  # today's name and that of the older files
DIMENSIONS = ("presentation", "neuroid", "time_bin")
BLOCK = 1 << 24  # values read at once: of a file of some GB, what memory holds


@contextmanager
def opened(path) -> Iterator[Assembly]:
    """An open file of Brain-Score's; AssetError says what another file is instead."""
    import h5py  # here, so that `import brainkit` does not wait for it

    path = Path(path)
    with path.open("rb") as stream:
        start = stream.read(64)
    if not h5py.is_hdf5(path):
        raise AssetError(f"{path} is no HDF5 file: {_kind(start)}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise AssetError(f"{path} is a damaged HDF5 file, perhaps cut short ({error}); "
                         "delete it and fetch it anew") from error
    with file:
        yield Assembly(file, path)


def _kind(start):
    """What a file that begins so is, and what to do."""
    if not start:
        return "it is empty; delete it and fetch it anew"
    if start[:3] == b"CDF":
        return ("it is a classic netCDF (version 3), and the published ones are "
                "netCDF-4; `nccopy -k nc4 OLD NEW` converts it")
    if start.lstrip()[:1] == b"<":
        shown = start[:40].decode(errors="replace")
        return (f"it is a page of XML or HTML ({shown!r}), such as a server's error "
                "message saved under the file's name; delete it and fetch it anew")
    return f"it begins with {start[:8]!r}; delete it and fetch it anew"


class Assembly:
    """A netCDF-4 file as xarray writes it, seen through h5py."""

    def __init__(self, file, path):
        import h5py

        self.path = path
        self.variables = {name: variable for name, variable in file.items()
                          if isinstance(variable, h5py.Dataset)}
        self.dims = {name: _dims(v) for name, v in self.variables.items()}

    def wrong(self, reason):
        """An AssetError that says what of the format the file does not have."""
        return AssetError(f"{self.path.name} is not in Brain-Score's format: {reason}")

    def values(self, name):
        """A variable's values; text as str, flags as bool."""
        variable = self.variables[name]
        if variable.dtype.kind == "O":
            return variable.asstr()[...]
        values = variable[...]
        if values.dtype.kind == "S":
            if values.ndim > 1:  # netCDF's older way: an array of characters
                length = values.shape[-1]
                values = np.ascontiguousarray(values).view(f"S{length}")[..., 0]
            return np.char.decode(values, "utf-8").astype(object)
        flags = variable.attrs.get("dtype") in ("bool", b"bool")
        return values.astype(bool) if flags else values

    def table(self, dim):
        """What is known along a dimension: its variables but the data, as columns."""
        data, columns = self.data_along(dim), {}
        for name, dims in self.dims.items():
            characters = self.variables[name].dtype.kind == "S" and len(dims) == 2
            if name == dim or name in data:
                continue
            if dims == (dim,) or (characters and dims[0] == dim):
                columns[name] = self.values(name)
        if not columns:
            raise self.wrong(f"it has no variable along a dimension {dim!r}; "
                             f"variables: {self._named()}")
        return pd.DataFrame(columns)

    def data_along(self, dim):
        """The variables of that one dimension that are data: xarray marks them so."""
        return [name for name, variable in self.variables.items()
                if self.dims[name] == (dim,) and "coordinates" in variable.attrs]

    def responses(self):
        """The name of the responses: it differs between files, not their dimensions."""
        names = [name for name, dims in self.dims.items()
                 if sorted(dims) == sorted(DIMENSIONS)]
        if len(names) != 1:
            raise self.wrong(f"one variable should have the dimensions "
                             f"{', '.join(DIMENSIONS)}, and {len(names)} have; "
                             f"variables: {self._named()}")
        return names[0]

    def image_id(self, trials):
        """The column that says which image a presentation showed."""
        for name in IMAGE_IDS:
            if name in trials:
                return name
        return self.need(" or ".join(IMAGE_IDS), trials, "presentation")

    def need(self, name, table, dim):
        """Raise an AssetError if the table of that dimension lacks the column."""
        if name not in table:
            raise self.wrong(f"it lacks the variable {name} along {dim}; there are "
                             f"{', '.join(table)}")

    def bins(self, window):
        """Indices of the time bins that make up the window (start, end) in ms."""
        times = self.table("time_bin")
        for name in ("time_bin_start", "time_bin_end"):
            self.need(name, times, "time_bin")
        starts, ends = (times[f"time_bin_{k}"].to_numpy() for k in ("start", "end"))
        inside = (starts >= window[0]) & (ends <= window[1])
        if not inside.any() or (ends - starts)[inside].sum() != window[1] - window[0]:
            raise ValueError(
                f"no bins make up {window[0]:g} to {window[1]:g} ms; {self.path.name} "
                f"has {len(times)} from {starts.min():g} to {ends.max():g} ms, the "
                f"first of {ends[0] - starts[0]:g} ms")
        return np.flatnonzero(inside)

    def trials_by_sites(self, name, sites, bins):
        """Responses (presentations, sites), the mean over the bins."""
        variable = self.variables[name]
        axes = [self.dims[name].index(dim) for dim in DIMENSIONS]
        trials = variable.shape[axes[0]]
        wanted = dict(zip(axes, (np.arange(trials), sites, bins), strict=True))
        fill = variable.attrs.get("_FillValue")
        out = np.zeros((trials, len(sites)))
        # Block by block of the file's first dimension, along which each is one piece.
        step = max(1, BLOCK // max(1, int(np.prod(variable.shape[1:]))))
        for begin in range(0, variable.shape[0], step):
            here = (wanted[0] >= begin) & (wanted[0] < begin + step)
            if not here.any():
                continue
            picked = np.ix_(wanted[0][here] - begin, wanted[1], wanted[2])
            block = variable[begin:begin + step][picked].transpose(axes).astype(float)
            if fill is not None:
                block[block == np.ravel(fill)[0]] = np.nan
            first = np.flatnonzero(here)
            place = tuple(first if axis == 0 else slice(None) for axis in axes[:2])
            out[place] += block.sum(2)  # added: the bins may lie in several blocks
        out /= len(bins)
        return out.astype(variable.dtype) if variable.dtype.kind == "f" else out

    def _named(self):
        return ", ".join(f"{k} ({', '.join(dims)})" for k, dims in self.dims.items())


def _dims(variable):
    """Names of a variable's dimensions: those of its axes' scales."""
    if variable.is_scale and variable.ndim == 1:  # itself that of its dimension
        return (variable.name.rsplit("/", 1)[-1],)
    return tuple(axis[0].name.rsplit("/", 1)[-1] if len(axis) else f"axis {number}"
                 for number, axis in enumerate(variable.dims))

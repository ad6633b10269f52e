"""Monkey motor cortex while the arm reaches: the sessions of Perich, Miller and colleagues."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from brainkit.data.catalogue import AssetError, check_name
from brainkit.data.ladder import fetch

__all__ = ["M1_SESSIONS", "M1Reaching", "m1_reaching"]

M1_SESSIONS = ("2013-10-03", "2013-10-22", "2013-10-23")
ALIGNMENTS = ("onset", "go")
SLOW = 0.2  # of a reach's peak speed: the hand has set out when it is faster


@dataclass(frozen=True, eq=False)
class M1Reaching:
    """Successful centre-out reaches of one session, trials in order, all arrays trial by trial."""

    session: str
    counts: np.ndarray  # (trials, bins, units) float64, spikes per bin
    target: np.ndarray  # (trials,) int, 0 to 7: multiples of 45 degrees anticlockwise from right
    velocities: np.ndarray  # (trials, bins, 2) cm/s of the hand, mean over the bin
    positions: np.ndarray  # (trials, bins, 2) cm of the hand from the centre, mid-bin
    times: np.ndarray  # (bins,) ms from the alignment to the middle of the bin
    width: float  # ms, of a bin
    align: str  # "onset" of the movement, or "go", the cue
    onset: np.ndarray  # (trials,) ms from the go cue to the onset of the movement
    units: np.ndarray  # (units,) str, the file's names

    @property
    def direction(self) -> np.ndarray:
        """(trials,) radians: that of the target."""
        return self.target * np.pi / 4

    def mean(self) -> np.ndarray:
        """(8, bins, units) float: counts averaged over the trials to each target."""
        return np.stack([self.counts[self.target == k].mean(0) for k in range(8)])

    def __repr__(self):
        trials, bins, units = self.counts.shape
        return (f"M1Reaching({self.session}: {trials} trials, {units} units, {bins} bins of "
                f"{self.width:g} ms around the {self.align})")


def m1_reaching(session: str = M1_SESSIONS[0], *, width: float = 20,
                window: tuple[float, float] = (-300, 500), align: str = "onset",
                path: str | PathLike | None = None) -> M1Reaching:
    """Spikes of primary motor cortex and the hand's movement in centre-out reaches, monkey C.

    Parameters
    ----------
    session : one of `M1_SESSIONS`
        71, 41 and 61 units; 154, 150 and 192 reaches.
    width : float, milliseconds
        Of a bin.
    window : (start, end), milliseconds from the alignment
        Cut into whole bins from its start.
    align : "onset" or "go"
        What is at 0 ms: the onset of the movement, or the go cue.
    path : path, optional
        A file in the same format, in place of the asset "m1-reaching".

    Returns
    -------
    M1Reaching
        The trials that the file calls valid and rewarded ("R"). Onset is this project's own
        definition: the last sample (100 a second) before the reach's peak speed that is slower
        than 20 % of it. Targets appear some 300 ms before the go cue, and in two of the sessions
        most reaches set out before it.

    Raises
    ------
    ValueError
        For a width, window or alignment that cannot be, or a window that leaves the recording.
    AssetError
        For an unknown session, if no source is within reach, or if a file is not in the published
        format.

    Notes
    -----
    Source: Perich, Gallego and Miller 2018, Neuron 100, 964 (DANDI 000688, CC-BY-4.0), as
    torch_brain carries three sessions. The file states no unit of length; that it is cm follows
    from its targets, 8 from the centre, as the paper has them.
    """
    check_name("session", session, M1_SESSIONS)
    if align not in ALIGNMENTS:
        raise ValueError(f"align is one of {', '.join(ALIGNMENTS)}, not {align!r}")
    bins = int((window[1] - window[0]) / width + 1e-9) if width > 0 else 0
    if bins < 1:
        raise ValueError(f"a window of {window[0]:g} to {window[1]:g} ms holds no bin of "
                         f"{width:g} ms")
    if path is None:
        path = fetch("m1-reaching") / f"c_{session.replace('-', '')}_center_out_reaching.h5"
    with _opened(Path(path)) as read:
        good = read("trials/is_valid").astype(bool) & (read("trials/result") == b"R")
        go, end, angle = (read(f"trials/{name}")[good]
                          for name in ("go_cue_time", "end", "target_dir"))
        clock, place, velocity = (read(f"cursor/{name}") for name in ("timestamps", "pos", "vel"))
        spikes, unit = read("spikes/timestamps"), read("spikes/unit_index")
        units = read("units/id").astype(str)
    onset = _onsets(clock, np.linalg.norm(velocity, axis=1), go, end)
    zero = onset if align == "onset" else go
    edges = zero[:, None] + (window[0] + width * np.arange(bins + 1)) / 1000
    if len(zero) and (edges.min() < clock[0] or edges.max() > clock[-1]):
        raise ValueError(f"the window {window[0]:g} to {window[1]:g} ms leaves the recording")
    middles = (edges[:, :-1] + edges[:, 1:]) / 2
    at_edges, positions = (_interpolated(t, clock, place) for t in (edges, middles))
    return M1Reaching(
        session, _counted(spikes, unit, edges, len(units)),
        np.round(angle / (np.pi / 4)).astype(int) % 8,
        np.diff(at_edges, axis=1) / (width / 1000), positions,
        window[0] + width * (np.arange(bins) + 0.5), width, align, (onset - go) * 1000, units)


def _onsets(clock, speed, go, end) -> np.ndarray:
    """The times (trials,) in seconds at which the hand sets out."""
    onsets = np.empty(len(go))
    for k, (first, last) in enumerate(zip(np.searchsorted(clock, go), np.searchsorted(clock, end),
                                          strict=True)):
        peak = first + np.argmax(speed[first:last])
        slow = np.flatnonzero(speed[:peak] < SLOW * speed[peak])
        onsets[k] = clock[slow[-1] if len(slow) else first]
    return onsets


def _interpolated(times, clock, values) -> np.ndarray:
    """Values (samples, 2) at other times: (*times.shape, 2)."""
    return np.stack([np.interp(times, clock, column) for column in values.T], axis=-1)


def _counted(spikes, unit, edges, units) -> np.ndarray:
    """Spikes (trials, bins, units) between neighbouring edges (trials, bins + 1)."""
    bins = edges.shape[1] - 1
    counts = np.zeros((len(edges), bins, units))
    order = np.argsort(spikes, kind="stable")
    spikes, unit = spikes[order], unit[order]
    for trial, row in enumerate(edges):
        here = slice(*np.searchsorted(spikes, row[[0, -1]]))
        bin_ = np.searchsorted(row, spikes[here], side="right") - 1
        np.add.at(counts[trial], (bin_, unit[here]), 1)
    return counts


@contextmanager
def _opened(path):
    """A function that reads a variable; AssetError where it is not there."""
    import h5py  # here, so that `import brainkit` does not wait for it

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise AssetError(f"{path} cannot be read as HDF5 ({error}); delete it and fetch it "
                         "anew") from error

    def read(name):
        if name not in file:
            raise AssetError(f"{path.name} is not in the published format: it lacks {name}")
        return file[name][()]

    with file:
        yield read

"""Brain-Score's public recordings: macaque V1, V2, V4 and IT, and people's choices.

The files are netCDF-4, and so HDF5: h5py alone reads them (netcdf.py). In them a trial
is a presentation, a recording site a neuroid; the levels of xarray's indices lie
flattened beside the data as variables of one dimension (image_id, repetition, region).
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

import numpy as np
import pandas as pd

from brainkit.data.catalogue import AssetError
from brainkit.data.ladder import fetch
from brainkit.data.netcdf import IMAGE_IDS, opened

__all__ = ["Recordings", "freeman_ziemba_2013", "majaj_hong_2015", "rajalingham_2018"]


@dataclass(frozen=True, eq=False)
class Recordings:
    """Responses of one area to images, ordered by the images' ids.

    responses : (n, sites) float64
        Mean over all repeats of an image, of those that are finite; NaN where none is.
    repeats : (repeats, n, sites)
        Single trials. Where images were shown unequally often, cut to the fewest: each
        image's first ones by their number (`repetition`). `image_table["repeats"]` says
        how many there are.
    groups : (n,) of str
        What Brain-Score's splits keep the proportions of.
    images : (n,) of str
        The images' ids.
    image_table : DataFrame, n rows, index `images`
        What is known of each image, and `repeats`, how often it was shown.
    site_table : DataFrame, one row a site
        What is known of each site: region, and animal, neuroid_id ... where the file
        has them.
    window : (float, float)
        Milliseconds from the image's onset over which the responses are averaged.
    """

    responses: np.ndarray
    repeats: np.ndarray
    groups: np.ndarray
    images: np.ndarray
    image_table: pd.DataFrame
    site_table: pd.DataFrame
    window: tuple[float, float]

    def __repr__(self):
        (repeats, n, sites), region = self.repeats.shape, self.site_table["region"][0]
        return (f"Recordings({region}: {n} images, {sites} sites, {repeats} repeats, "
                f"{self.window[0]:g}-{self.window[1]:g} ms)")


def majaj_hong_2015(region: str, *, variation: int | None = None,
                    window: tuple[float, float] = (70, 170),
                    path: str | PathLike | None = None) -> Recordings:
    """Responses of macaque V4 or IT to objects on natural backgrounds, the public part.

    Parameters
    ----------
    region : "V4" or "IT"
    variation : int, optional
        Only the images of that degree of variation in position, size and pose; the
        public file has 0 and 3. Without, all: but the two were shown unequally often,
        and `.repeats` has only as many as the fewest.
    window : (start, end), milliseconds from onset
        The public file has one bin, 70 to 170, which the benchmark takes.
    path : path, optional
        A file in the same format, in place of the asset "majaj-hong-2015".

    Returns
    -------
    Recordings
        Groups are `object_name` (64 objects). Of 3,200 images and 88 sites in V4, 168
        in IT, in 148,480 presentations, in the file's unit (negative values occur: a
        rate relative to something, not spikes/s).

    Raises
    ------
    ValueError
        For a region, variation or window that the file does not have; the message lists
        those it has.
    AssetError
        If no source is within reach, or a file is not in the published format.

    Notes ----- Not verified on the file itself, which was out of reach. Numbers of
    presentations, sites (256) and images: brainio's README; 88 and 168: Brain-Score's
    tests (of the private part, from the same sites). From memory: 28 repeats at
    variation 0 and 51 at 3, which fits 148,480; the 64 objects; the unit.

    Source: Majaj, Hong, Solomon and DiCarlo 2015, J. Neurosci. 35; brain-score/vision,
    benchmarks/majajhong2015.
    """
    return _recordings("majaj-hong-2015", path, region, window, "object_name",
                       variation)


def freeman_ziemba_2013(region: str, *, window: tuple[float, float] = (50, 200),
                        path: str | PathLike | None = None) -> Recordings:
    """Responses of macaque V1 or V2 to textures and matched noise, the public part.

    Parameters
    ----------
    region : "V1" or "V2"
    window : (start, end), milliseconds from onset
        The file has bins of 1 ms; the benchmark takes the mean of those from 50 to 200.
    path : path, optional
        A file in the same format, in place of the asset "freeman-ziemba-2013".

    Returns
    -------
    Recordings
        Groups are `texture_type`, "texture" or "noise". Of 102 sites in V1 and 103 in
        V2; the mean over bins is in the file's unit per bin.

    Raises
    ------
    ValueError, AssetError
        As in `majaj_hong_2015`.

    Notes ----- Not verified on the file itself, which was out of reach. Numbers of
    sites: Brain-Score's tests of this file. Bins of 1 ms and 20 repeats of an image:
    its packaging script. That the public part is the 135 of 450 images that the private
    one of 315 leaves: from those scripts, by subtraction.

    Source: Freeman, Ziemba, Heeger, Simoncelli and Movshon 2013, Nat. Neurosci. 16;
    brain-score/vision, benchmarks/freemanziemba2013.
    """
    return _recordings("freeman-ziemba-2013", path, region, window, "texture_type")


def rajalingham_2018(*, path: str | PathLike | None = None) -> pd.DataFrame:
    """Single trials of people choosing which of two objects they saw, the public part.

    Parameters
    ----------
    path : path, optional
        A file in the same format, in place of the asset "rajalingham-2018".

    Returns
    -------
    DataFrame, one row a trial, in the order of the file
        stimulus_id; truth, the object in the image; dist_obj, the other one offered;
        choice: the form that `brainscore.i2n` takes. Then what else the file says of
        trials.

    Raises
    ------
    AssetError
        If no source is within reach, or a file is not in the published format.

    Notes ----- Not verified on the file itself, which was out of reach. By the script
    that made it: 585,511 trials (927,296 less 341,785 private ones) with 2,160 images
    of 24 objects. From memory: that the distractor is stored as `dist_obj`. Brain-Score
    scores on the private part, of 240 images.

    Source: Rajalingham et al. 2018, J. Neurosci. 38; brain-score/vision,
    benchmarks/rajalingham2018.
    """
    with opened(path or fetch("rajalingham-2018")) as file:
        trials = file.table("presentation")
        trials = trials.rename(columns={file.image_id(trials): "stimulus_id"})
        data = file.data_along("presentation")
        if "choice" not in trials and len(data) == 1:  # the data are the choices
            trials["choice"] = file.values(data[0])
        if "truth" not in trials and "sample_obj" in trials:
            trials["truth"] = trials["sample_obj"]
        first = ["stimulus_id", "truth", "dist_obj", "choice"]
        for name in first:
            file.need(name, trials, "presentation")
    return trials[first + [name for name in trials if name not in first]]


def _recordings(asset, path, region, window, group, variation=None):
    with opened(path or fetch(asset)) as file:
        responses = file.responses()
        sites, trials = file.table("neuroid"), file.table("presentation")
        file.need("region", sites, "neuroid")
        chosen = sites["region"].astype(str) == region
        if not chosen.any():
            raise ValueError(f"there is no region {region!r} in {file.path.name}; it "
                             f"has {_listed(sites['region'])}")
        column = file.image_id(trials)
        ids, first, image = np.unique(
            trials[column].astype(str), return_index=True, return_inverse=True)
        about = _about_images(trials.drop(columns=column), first, image)
        about.index = pd.Index(ids, name="stimulus_id")
        needed = [group] if variation is None else [group, "variation"]
        about = _completed(about, needed, asset, file)
        kept = np.ones(len(ids), bool)
        if variation is not None:
            kept = (about["variation"] == variation).to_numpy()
        if not kept.any():
            raise ValueError(f"there is no variation {variation!r} in "
                             f"{file.path.name}; it has {_listed(about['variation'])}")
        bins = file.bins(window)
        values = file.trials_by_sites(responses, np.flatnonzero(chosen), bins)
    number = trials["repetition"] if "repetition" in trials else np.zeros(len(trials))
    order = np.lexsort((number, image))  # stable: else the order in the file
    values = values[order[kept[image[order]]]]
    counts = np.bincount(image, minlength=len(ids))[kept]
    starts = np.cumsum(counts) - counts
    about = about[kept].assign(repeats=counts)
    return Recordings(
        _means(values, starts), values[starts + np.arange(counts.min())[:, None]],
        about[group].astype(str).to_numpy(), ids[kept], about,
        sites[chosen].reset_index(drop=True), tuple(window))


def _about_images(trials, first, image):
    """One row an image, of the columns that are the same in all its trials."""
    table = trials.iloc[first]
    alike = []
    for name in trials.columns.drop("repetition", errors="ignore"):
        each, of_first = trials[name].to_numpy(), table[name].to_numpy()[image]
        if ((each == of_first) | (pd.isna(each) & pd.isna(of_first))).all():
            alike.append(name)
    return table[alike]


def _completed(about, needed, asset, file):
    """The table with the needed columns, if need be from that of images."""
    if all(name in about for name in needed):
        return about
    path = fetch(f"{asset}-images")
    # As text from the start: an id of digits alone would lose its zeros.
    table = pd.read_csv(path, dtype=dict.fromkeys(IMAGE_IDS, str))
    ids = next((name for name in IMAGE_IDS if name in table), None)
    lacking = [name for name in needed if name not in about and name not in table]
    if ids is None or lacking:
        what = " or ".join(lacking or IMAGE_IDS)
        raise AssetError(
            f"{path.name} has no column {what}, and {file.path.name} none that is one "
            f"for all presentations of an image; columns: {', '.join(table)}")
    table = table.drop_duplicates(ids).set_index(ids)
    if len(unknown := about.index.difference(table.index)):
        raise AssetError(
            f"{path.name} does not list {len(unknown)} of the {len(about)} images in "
            f"{file.path.name}, such as {unknown[0]}: they are not of one version")
    return about.join(table[table.columns.difference(about.columns, sort=False)])


def _means(values, starts):
    """Means (images, sites) of the finite rows from each start to the next."""
    finite = np.isfinite(values)
    sums = np.add.reduceat(np.where(finite, values, 0), starts, axis=0, dtype=float)
    counts = np.add.reduceat(finite, starts, axis=0, dtype=int)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _listed(values):
    return ", ".join(map(repr, sorted(pd.unique(values).tolist())))

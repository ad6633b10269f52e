"""Loaders of Brain-Score's recordings, on made files in the published format.

The files are written as netCDF-4 writes them: each dimension a scale that the axes of
variables carry, text as strings of any length, xarray's indices flattened to variables.
"""

import h5py
import numpy as np
import pandas as pd
import pytest

from brainkit import brainscore, data
from brainkit.data import netcdf

BUCKET = "https://brainscore-storage.s3.amazonaws.com/brainio-brainscore/"
REPEATS, IMAGES, V4, IT = 4, 40, 3, 5
OBJECTS = np.array([f"object_{k % 4}" for k in range(IMAGES)])
IDS = np.array([f"{7919 * k % 9973:04d}" for k in range(IMAGES)])  # in no order
SORTED = np.argsort(IDS)


def write(path, name, dims, values, coordinates):
    """A netCDF-4 file of one array, {coordinate: (dimension, values)} beside it."""
    with h5py.File(path, "w") as file:
        sizes = dict(zip(dims, np.shape(values), strict=True))
        for dim, size in sizes.items():
            # netCDF's own words for a dimension that has no variable.
            file.create_dataset(dim, data=np.zeros(size, ">f4")).make_scale(
                f"This is a netCDF dimension but not a netCDF variable.{size:>10}")
        for key, (dim, column) in {name: (dims, values), **coordinates}.items():
            column = np.asarray(column)
            if column.dtype.kind in "UO":
                column = column.astype(object)
                variable = file.create_dataset(
                    key, column.shape, h5py.string_dtype("utf-8"), column)
            else:
                variable = file.create_dataset(key, data=column)
            axes = dims if key == name else (dim,)
            for axis, along in zip(variable.dims, axes, strict=True):
                axis.attach_scale(file[along])
        if values.dtype.kind == "f":
            file[name].attrs["_FillValue"] = np.array([np.nan], values.dtype)
        file[name].attrs["coordinates"] = " ".join(coordinates)
    return path


def trials():
    """Image and repetition of each presentation, shuffled."""
    order = np.random.default_rng(1).permutation(REPEATS * IMAGES)
    return np.tile(np.arange(IMAGES), REPEATS)[order], np.repeat(
        np.arange(REPEATS), IMAGES)[order]


def responses(bins=1):
    """Whole numbers (repeats, images, sites, bins), so that sums are exact."""
    rng = np.random.default_rng(0)
    signal = rng.integers(-40, 40, (1, IMAGES, V4 + IT, 1))
    return signal + rng.integers(-9, 10, (REPEATS, IMAGES, V4 + IT, bins))


def recording(path, *, dims=("neuroid", "presentation", "time_bin"), bins=((70, 170),),
              regions=("V4", "IT"), group="object_name", kind="f4", keep=None,
              without=(), name="dicarlo.MajajHong2015.public", ids="image_id"):
    image, repetition = trials()
    kept = slice(None) if keep is None else keep(image, repetition)
    image, repetition = image[kept], repetition[kept]
    values = responses(len(bins))[repetition, image].astype(kind)  # trials, sites, bins
    order = [("presentation", "neuroid", "time_bin").index(dim) for dim in dims]
    coordinates = {
        ids: ("presentation", IDS[image]),
        "repetition": ("presentation", repetition),
        group: ("presentation", OBJECTS[image]),
        "variation": ("presentation", image % 2 * 3),
        "rxz": ("presentation", np.where(image == 0, np.nan, image / 2)),
        "neuroid_id": ("neuroid", [f"Site_{k}" for k in range(V4 + IT)]),
        "region": ("neuroid", [regions[k % 2] if k < 2 * V4 else regions[1]
                               for k in range(V4 + IT)]),
        "animal": ("neuroid", ["Chabo", "Tito"] * ((V4 + IT) // 2)),
        "time_bin_start": ("time_bin", [b[0] for b in bins]),
        "time_bin_end": ("time_bin", [b[1] for b in bins]),
    }  # fmt: skip
    coordinates = {k: v for k, v in coordinates.items() if k not in without}
    return write(path, name, dims, values.transpose(order), coordinates)


@pytest.fixture
def mirrored(asset, tmp_path, monkeypatch):
    """A function that puts a file behind the name of an asset, by a mirror."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("BRAINKIT_MIRROR", str(mirror))

    def put(name, path):
        content = path.read_bytes()
        (mirror / path.name).write_bytes(content)
        asset(name=name, files={path.name: content})

    return put


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made.nc"


# --- Numbers --------------------------------------------------------------------------


AREA = {"V4": [0, 2, 4], "IT": [1, 3, 5, 6, 7]}


@pytest.mark.parametrize("region", ["V4", "IT"])
@pytest.mark.parametrize("dims", [
    ("neuroid", "presentation", "time_bin"), ("presentation", "neuroid", "time_bin"),
    ("time_bin", "presentation", "neuroid")])
@pytest.mark.parametrize("block", [1, 100, netcdf.BLOCK])
def test_majaj_hong_is_the_mean_by_hand(path, monkeypatch, region, dims, block):
    monkeypatch.setattr(netcdf, "BLOCK", block)
    found = data.majaj_hong_2015(region, path=recording(path, dims=dims))
    wanted = responses()[..., 0][:, SORTED][:, :, AREA[region]]
    np.testing.assert_array_equal(found.repeats, wanted)
    np.testing.assert_array_equal(found.responses, wanted.mean(0))
    np.testing.assert_array_equal(found.images, IDS[SORTED])
    np.testing.assert_array_equal(found.groups, OBJECTS[SORTED])
    assert found.responses.dtype == np.float64
    assert found.repeats.dtype == np.float32
    assert found.window == (70, 170)


def test_tables_say_what_is_known_of_images_and_sites(path):
    found = data.majaj_hong_2015("IT", path=recording(path))
    images, sites = found.image_table, found.site_table
    assert set(images) == {"object_name", "variation", "rxz", "repeats"}
    assert images.index.tolist() == found.images.tolist()
    np.testing.assert_array_equal(images.variation, SORTED % 2 * 3)
    np.testing.assert_array_equal(images.rxz, np.where(SORTED == 0, np.nan, SORTED / 2))
    assert (images.repeats == REPEATS).all()
    assert sites.neuroid_id.tolist() == [f"Site_{k}" for k in AREA["IT"]]
    assert sites.animal.tolist() == ["Tito"] * 3 + ["Chabo", "Tito"]
    assert set(sites.region) == {"IT"}
    assert repr(found) == "Recordings(IT: 40 images, 5 sites, 4 repeats, 70-170 ms)"


@pytest.mark.parametrize("kind", ["u1", "i8", "f4", "f8"])
@pytest.mark.parametrize("dims", [
    ("neuroid", "time_bin", "presentation"), ("time_bin", "neuroid", "presentation")])
@pytest.mark.parametrize("block", [200, netcdf.BLOCK])
def test_freeman_ziemba_averages_its_bins(path, monkeypatch, kind, dims, block):
    monkeypatch.setattr(netcdf, "BLOCK", block)
    bins = [(t, t + 1) for t in range(46, 205)]
    recording(path, dims=dims, bins=bins, regions=("V1", "V2"), group="texture_type",
              kind=kind, name="data", ids="stimulus_id")
    found = data.freeman_ziemba_2013("V2", path=path)
    stored = responses(len(bins)).astype(kind).astype(float)
    wanted = stored[:, SORTED][:, :, AREA["IT"], 4:154].mean(-1)
    tolerance = 1e-6 if kind == "f4" else 1e-14
    np.testing.assert_allclose(found.repeats, wanted, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(found.responses, wanted.mean(0), rtol=tolerance,
                               atol=tolerance)
    assert found.window == (50, 200)
    early = data.freeman_ziemba_2013("V1", window=(46, 48), path=path)
    np.testing.assert_allclose(
        early.repeats, stored[:, SORTED][:, :, AREA["V4"], :2].mean(-1), rtol=tolerance)


def test_unequal_repeats_are_cut_and_all_averaged(path):
    """As in the public file, where one degree of variation was shown oftener."""
    recording(path, keep=lambda image, repetition: (image % 2 == 1) | (repetition > 1))
    values = responses()[..., 0][:, SORTED][:, :, AREA["V4"]]
    few = SORTED % 2 == 0
    both = data.majaj_hong_2015("V4", path=path)
    assert both.repeats.shape == (2, IMAGES, V4)
    np.testing.assert_array_equal(both.repeats[:, few], values[2:, few])
    np.testing.assert_array_equal(both.repeats[:, ~few], values[:2, ~few])
    np.testing.assert_array_equal(both.responses[few], values[2:, few].mean(0))
    np.testing.assert_array_equal(both.responses[~few], values[:, ~few].mean(0))
    np.testing.assert_array_equal(both.image_table.repeats, np.where(few, 2, 4))
    often = data.majaj_hong_2015("V4", variation=3, path=path)
    np.testing.assert_array_equal(often.repeats, values[:, ~few])
    np.testing.assert_array_equal(often.images, IDS[SORTED][~few])
    np.testing.assert_array_equal(often.groups, OBJECTS[SORTED][~few])
    assert often.image_table.index.tolist() == often.images.tolist()


def test_trials_without_a_number_stay_in_the_order_of_the_file(path):
    found = data.majaj_hong_2015("IT", path=recording(path, without=["repetition"]))
    image, repetition = trials()
    order = np.array([repetition[image == k] for k in SORTED])  # (images, repeats)
    wanted = responses()[order.T, SORTED][:, :, AREA["IT"], 0]
    np.testing.assert_array_equal(found.repeats, wanted)


def test_missing_responses_are_left_out_of_means_and_kept_as_nan(path):
    recording(path)
    image, repetition = trials()
    with h5py.File(path, "a") as file:
        stored = file["dicarlo.MajajHong2015.public"]
        one = np.flatnonzero((image == SORTED[5]) & (repetition == 1))[0]
        stored[0, one, 0] = np.nan
        for k in np.flatnonzero(image == SORTED[7]):
            stored[2, k, 0] = np.nan
    found = data.majaj_hong_2015("V4", path=path)
    values = responses()[:, SORTED[5], 0, 0]
    assert found.responses[5, 0] == values[[0, 2, 3]].mean()
    assert np.isnan(found.responses[7, 1])
    assert np.isnan(found.responses).sum() == 1
    assert np.isnan(found.repeats).sum() == 1 + REPEATS


def test_number_that_stands_for_missing_is_nan(path):
    recording(path, kind="i4")
    with h5py.File(path, "a") as file:
        stored = file["dicarlo.MajajHong2015.public"]
        stored[4, :] = -999
        stored.attrs["_FillValue"] = np.array([-999], "i4")
    found = data.majaj_hong_2015("V4", path=path)
    assert np.isnan(found.repeats[..., 2]).all()
    assert np.isfinite(found.repeats[..., :2]).all()


def test_text_as_characters_and_flags_are_read(path):
    recording(path, without=["animal"])
    with h5py.File(path, "a") as file:
        letters = np.array([b"Chabo", b"Tito"] * 4).view("S1").reshape(8, 5)
        file.create_dataset("string5", data=np.zeros(5, ">f4")).make_scale("string5")
        animal = file.create_dataset("animal", data=letters)
        animal.dims[0].attach_scale(file["neuroid"])
        animal.dims[1].attach_scale(file["string5"])
        good = file.create_dataset("good", data=np.array([0, 1] * 4, "i1"))
        good.attrs["dtype"] = "bool"
        good.dims[0].attach_scale(file["neuroid"])
    sites = data.majaj_hong_2015("IT", path=path).site_table
    assert sites.animal.tolist() == ["Tito"] * 3 + ["Chabo", "Tito"]
    assert sites.good.tolist() == [True] * 3 + [False, True]


# --- The table of images --------------------------------------------------------------


def image_list(path, column="object_name", ids="image_id", rows=slice(None)):
    files = [f"{k}.png" for k in IDS]
    table = pd.DataFrame({ids: IDS, column: OBJECTS, "filename": files})
    table.iloc[::-1][rows].to_csv(path, index=False)
    return path


def test_groups_come_from_the_table_of_images_if_need_be(mirrored, tmp_path):
    mirrored("freeman-ziemba-2013", recording(
        tmp_path / "made.nc", regions=("V1", "V2"), bins=[(50, 200)],
        group="texture_family"))
    mirrored("freeman-ziemba-2013-images",
             image_list(tmp_path / "images.csv", "texture_type"))
    found = data.freeman_ziemba_2013("V1")
    np.testing.assert_array_equal(found.groups, OBJECTS[SORTED])
    assert found.image_table.filename.tolist() == [f"{k}.png" for k in IDS[SORTED]]


def test_tables_of_images_that_do_not_fit_are_refused(mirrored, tmp_path):
    path = recording(tmp_path / "made.nc", without=["object_name"])
    mirrored("majaj-hong-2015", path)
    mirrored("majaj-hong-2015-images", image_list(tmp_path / "a.csv", "object"))
    with pytest.raises(data.AssetError, match=r"a.csv has no column object_name, and"):
        data.majaj_hong_2015("IT")
    mirrored("majaj-hong-2015-images", image_list(tmp_path / "b.csv", ids="name"))
    with pytest.raises(data.AssetError, match="no column stimulus_id or image_id"):
        data.majaj_hong_2015("IT")
    mirrored("majaj-hong-2015-images",
             image_list(tmp_path / "c.csv", rows=slice(2, None)))
    with pytest.raises(data.AssetError, match="does not list 2 of the 40 images"):
        data.majaj_hong_2015("IT")


# --- From the file to the score -------------------------------------------------------


def test_predictivity_and_ceiling_of_what_was_fetched(mirrored, path):
    mirrored("majaj-hong-2015", recording(path))
    found = data.majaj_hong_2015("IT")
    signal = responses()[:, SORTED].mean((0, 3))
    score = brainscore.neural_predictivity(signal, found.responses, groups=found.groups,
                                           n_components=8)
    assert score.score > .99
    limit = brainscore.ceiling(found.repeats)
    assert .9 < limit.score < 1
    assert score.ceiled(limit, era="2026").per_neuroid.shape == (IT,)


def human_trials(path, without=(), name="dicarlo.Rajalingham2018.public", choices=True):
    """Choices between the object shown and each other one, with images hard or easy."""
    rng = np.random.default_rng(0)
    rows = [(k, other) for k in range(24) for other in range(4) if other != k % 4] * 30
    image, other = np.array(rows)[rng.permutation(len(rows))].T
    hard = np.linspace(.05, .6, 24 * 4).reshape(24, 4)[rng.permutation(24)]
    wrong = rng.random(len(image)) < hard[image, other]
    names = np.array(["bear", "ape", "dog", "car"])
    truth, other = names[image % 4], names[other]
    choice = np.where(wrong, other, truth)
    columns = {"choice": choice, "sample_obj": truth, "dist_obj": other, "truth": truth,
               "image_id": [f"image{k:02d}" for k in image]}
    coordinates = {k: ("presentation", columns[k]) for k in columns.keys() - {*without}}
    write(path, name, ("presentation",), choice if choices else rng.random(len(choice)),
          coordinates)
    return columns, hard


def test_rajalingham_is_the_table_that_i2n_takes(mirrored, path):
    columns, hard = human_trials(path)
    mirrored("rajalingham-2018", path)
    table = data.rajalingham_2018()
    assert list(table) == ["stimulus_id", "truth", "dist_obj", "choice", "sample_obj"]
    assert table.stimulus_id.tolist() == columns["image_id"]
    for name in ("truth", "dist_obj", "choice"):
        assert table[name].tolist() == columns[name].tolist()
    # A net as likely to err as people are.
    p = np.where(np.arange(4) == np.arange(24)[:, None] % 4, 1, hard / (1 - hard))
    score = brainscore.i2n(p, ["bear", "ape", "dog", "car"],
                           [f"image{k:02d}" for k in range(24)], table)
    limit = brainscore.i2n_ceiling(table)
    assert score.score > limit.score > .5
    assert score.ceiled(limit, era="2026").score > .9


def test_rajalingham_takes_truth_and_choice_by_their_other_names(path):
    columns, _ = human_trials(path, without=["truth", "choice"])
    table = data.rajalingham_2018(path=path)
    assert table.choice.tolist() == columns["choice"].tolist()
    assert table.truth.tolist() == columns["sample_obj"].tolist()


# --- Refusals -------------------------------------------------------------------------


def test_region_variation_and_window_that_are_not_there(path):
    recording(path)
    with pytest.raises(ValueError, match=r"no region 'V1' in .*; it has 'IT', 'V4'$"):
        data.majaj_hong_2015("V1", path=path)
    with pytest.raises(ValueError, match=r"no variation 6 in made.nc; it has 0, 3"):
        data.majaj_hong_2015("IT", variation=6, path=path)
    for window in ((50, 200), (70, 120), (70, 270)):
        said = "no bins make up {} to {} ms; made.nc has 1 from 70 to 170"
        said = said.format(*window)
        with pytest.raises(ValueError, match=said):
            data.majaj_hong_2015("IT", window=window, path=path)


@pytest.mark.parametrize("lacking", [
    "region", "time_bin_start", "time_bin_end", "image_id"])
def test_missing_variable_is_named(path, lacking):
    said = f"made.nc is not in .* lacks the variable .*{lacking}"
    with pytest.raises(data.AssetError, match=said):
        data.majaj_hong_2015("IT", path=recording(path, without=[lacking]))


@pytest.mark.parametrize("lacking", ["image_id", "dist_obj"])
def test_missing_column_of_trials_is_named(path, lacking):
    human_trials(path, without=[lacking])
    with pytest.raises(data.AssetError, match=f"lacks the variable .*{lacking} along"):
        data.rajalingham_2018(path=path)


def test_hdf5_of_another_kind_says_what_is_in_it(path):
    write(path, "spikes", ("event",), np.arange(3.), {"unit": ("event", [1, 2, 3])})
    with pytest.raises(data.AssetError, match=r"and 0 have; .*spikes \(event\)"):
        data.majaj_hong_2015("IT", path=path)
    with pytest.raises(data.AssetError, match=r"no variable along .* 'presentation'"):
        data.rajalingham_2018(path=path)
    with h5py.File(path, "w") as file:
        file["plain"] = np.zeros((2, 3))
    with pytest.raises(data.AssetError, match=r"plain \(axis 0, axis 1\)"):
        data.freeman_ziemba_2013("V1", path=path)


@pytest.mark.parametrize(("content", "said"), [
    (b"CDF\x01" + bytes(60), r"classic netCDF \(version 3\).*nccopy -k nc4"),
    (b"<?xml version='1.0'?><Error>NoSuchKey", "page of XML or HTML.*fetch it"),
    (b"", "it is empty"), (b"PK\x03\x04 a zip", "it begins with b'PK"),
    (b"\x89HDF\r\n\x1a\n" + bytes(100), "damaged HDF5 file, perhaps cut short")])
@pytest.mark.parametrize("load", [
    lambda path: data.majaj_hong_2015("IT", path=path),
    lambda path: data.freeman_ziemba_2013("V1", path=path),
    lambda path: data.rajalingham_2018(path=path)])
def test_what_is_no_hdf5_is_named(path, content, said, load):
    path.write_bytes(content)
    with pytest.raises(data.AssetError, match=said):
        load(path)


def test_assets_are_those_that_brain_score_publishes():
    published = {
        "majaj-hong-2015": "13d28ca0", "majaj-hong-2015-images": "5ca7a3da",
        "freeman-ziemba-2013": "761c08f7", "freeman-ziemba-2013-images": "194c9b30",
        "rajalingham-2018": "34c6a8b6",
    }  # fmt: skip
    for name, start in published.items():
        (file,) = data.ASSETS[name].files
        assert data.ASSETS[name].optional
        assert file.sha1.startswith(start)
        assert len(file.sha1) == 40
        assert file.urls == (BUCKET + file.name,)

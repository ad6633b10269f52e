"""Monkey and human IT on the same 92 images (Kriegeskorte et al. 2008): RDMs, images, labels."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
from scipy.io import loadmat
from scipy.spatial.distance import squareform

from brainkit.data.catalogue import AssetError
from brainkit.data.ladder import fetch

__all__ = ["Objects92", "objects92", "objects92_nets"]

N = 92
CATEGORIES = ("human body", "human face", "animal body", "animal face", "natural object",
              "artificial object")
_PUBLISHED = "Kriegeskorte_Neuron2008_supplementalData.mat"
_SUBJECTS, _JUDGEMENTS = "92_brainRDMs.mat", "92_behavRDMs.mat"


@dataclass(frozen=True)
class Objects92:
    """92 photographs of single objects, and how dissimilar brains and people find them.

    RDMs are symmetric with a diagonal of 0, rows and columns in the order of the images.
    `source` says whether they were "read from the published files" or come "from brainkit's
    record"; `why` then holds the reason, and `images` is None.
    """

    images: np.ndarray | None  # (92, 175, 175, 3) uint8, on grey
    categories: np.ndarray  # (92,) str, each one of `CATEGORIES`
    monkey: np.ndarray  # (92, 92) 674 IT neurons of two monkeys, pooled: 1 - Pearson's r
    human: np.ndarray  # (92, 92) 316 voxels of human IT, the mean of `subjects`
    subjects: np.ndarray  # (4, 2, 92, 92) four people, two sessions each
    judgements: np.ndarray | None  # (16, 92, 92) people arranging the images; None in the record
    source: str
    why: str = ""

    @property
    def animate(self) -> np.ndarray:
        """(92,) bool: bodies and faces, against natural and artificial objects."""
        return np.array([c.split()[0] in ("human", "animal") for c in self.categories])


def objects92() -> Objects92:
    """RDMs of monkey and human IT, and the 92 images that both were shown.

    Read from the published files where they can be had (95 MB once, 9 of which are kept);
    otherwise the RDMs come from the record that this project keeps of them, without the images.

    Source: Kriegeskorte, Mur, Ruff et al. 2008 (Neuron 60, 1126), as the RSA toolbox carries it.
    The monkeys' RDM is one for both animals: it has no ceiling that could be estimated here.
    """
    try:
        folder = fetch("objects92")
    except AssetError as error:
        record = _record()
        return Objects92(None, np.array(CATEGORIES)[record["category"]],
                         _square(record["monkey"]), _square(record["human"]),
                         _square(record["subjects"]), None, "from brainkit's record", str(error))
    return _read(folder)


def objects92_nets() -> dict[str, np.ndarray]:
    """RDMs (92, 92) of the nets of chapter 4, recorded; for machines that lack the images.

    Keys are "net/layer/seed". Kept in 256 steps of rank, which moves a rank correlation by less
    than .001. tools/record_objects92.py makes them.
    """
    record = _record()
    return dict(zip(record["names"].tolist(), _square(record["nets"]), strict=True))


def _read(folder) -> Objects92:
    published = loadmat(folder / _PUBLISHED)
    stimuli = published["stimuli_92objs"].ravel()
    monkey, human = (_square(entry["RDM"].ravel().astype(float))
                     for entry in published["RDMs_mIT_hIT_fig1"].ravel())
    sessions = loadmat(folder / _SUBJECTS)["RDMs"]  # (1, 4, 2): subject, session
    subjects = np.array([[entry["RDM"] for entry in row] for row in sessions[0]], dtype=float)
    people = loadmat(folder / _JUDGEMENTS)["rdms_behav_92"].ravel()
    judgements = np.array([entry["RDM"] for entry in people], dtype=float)
    return Objects92(
        np.stack([s["image"] for s in stimuli]), np.array([_category(s) for s in stimuli]),
        monkey, human, _symmetric(subjects), _symmetric(judgements),
        "read from the published files")


def _category(stimulus) -> str:
    flag = {name: bool(stimulus[name].item()) for name in ("animal", "human", "face", "natural")}
    if flag["animal"]:
        return ("human " if flag["human"] else "animal ") + ("face" if flag["face"] else "body")
    return "natural object" if flag["natural"] else "artificial object"


def _symmetric(rdms: np.ndarray) -> np.ndarray:
    return (rdms + rdms.swapaxes(-1, -2)) / 2  # in float32 they differ by a rounding error


def _square(vectors: np.ndarray) -> np.ndarray:
    """(..., n (n - 1) / 2) to (..., n, n)."""
    flat = np.asarray(vectors, dtype=float).reshape(-1, np.shape(vectors)[-1])
    return np.stack([squareform(v) for v in flat]).reshape(*np.shape(vectors)[:-1], N, N)


def _record() -> dict[str, np.ndarray]:
    path = resources.files("brainkit").joinpath("records/objects92.npz")
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        return dict(archive)

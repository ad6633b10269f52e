"""Data and weights of others: fetched, checked, and loaded.

`fetch(name)` brings an asset of `ASSETS` to this machine; `python -m brainkit.data` lists them.
The functions below it load what the course uses, each as a plain array or table.
"""

from brainkit.data.bci import (
    BCI_BIN,
    BciActivity,
    BciBlock,
    BciFactors,
    BciLearning,
    BciMapping,
    BciSession,
    bci_learning,
    bci_session,
    bci_summary,
)
from brainkit.data.catalogue import ASSETS, Asset, AssetError
from brainkit.data.engineering_record import ENGINEERING, engineering
from brainkit.data.humans import HumanSummary, human_summary
from brainkit.data.kriegeskorte import Objects92, objects92, objects92_nets
from brainkit.data.ladder import cache_dir, fetch, state, verify
from brainkit.data.loaders import (
    CIFAR10_CATEGORIES,
    EXPERIMENTS,
    PHOTOGRAPHS,
    cifar10,
    cifar10_tensors,
    human_trials,
    imagenet_categories,
    imagenet_photographs,
    photograph,
)
from brainkit.data.m1 import M1_SESSIONS, M1Reaching, m1_reaching
from brainkit.data.manifold_records import investigation, survey
from brainkit.data.pickles import load_arrays
from brainkit.data.recordings import (
    Recordings,
    freeman_ziemba_2013,
    majaj_hong_2015,
    rajalingham_2018,
)
from brainkit.data.robustness_record import PROTOCOL, autoattack, robustness
from brainkit.data.scores import brainscore_2019

__all__ = [
    "ASSETS", "BCI_BIN", "CIFAR10_CATEGORIES", "ENGINEERING", "EXPERIMENTS", "M1_SESSIONS",
    "PHOTOGRAPHS", "PROTOCOL", "Asset", "AssetError", "BciActivity", "BciBlock", "BciFactors",
    "BciLearning", "BciMapping", "BciSession", "HumanSummary", "M1Reaching", "Objects92",
    "Recordings", "autoattack", "bci_learning", "bci_session", "bci_summary", "brainscore_2019",
    "cache_dir", "cifar10", "cifar10_tensors", "engineering", "fetch", "freeman_ziemba_2013",
    "human_summary", "human_trials", "imagenet_categories", "imagenet_photographs",
    "investigation", "load_arrays", "m1_reaching", "majaj_hong_2015", "objects92",
    "objects92_nets", "photograph", "rajalingham_2018", "robustness", "state", "survey", "verify",
]

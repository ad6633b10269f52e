"""Brain-computer interfaces: decoders, perturbations inside and outside the manifold, learning.

The decoder of Sadtler et al. 2014 (`Decoder`), perturbations matched for how hard they are at
first (`perturbations`, `matched_pair`), what changes in learning (`learned`,
`repertoire_change`), and a recurrent net that learns them with feedback as good or bad as one
likes (`learn`). What chapter 11 says about recordings is computed by the `summarise_…` functions.
"""

from brainkit.bci.behaviour import Learned, Repertoire, learned, progress, repertoire_change
from brainkit.bci.decoder import Decoder
from brainkit.bci.networks import (
    Feedback,
    Learning,
    ReachingNet,
    intuitive_decoder,
    learn,
    reaching_net,
)
from brainkit.bci.perturbations import Candidates, Match, matched_pair, perturbations
from brainkit.bci.recorded import (
    dimensions,
    summarise_learning,
    summarise_reaching,
    summarise_session,
)

__all__ = [
    "Candidates", "Decoder", "Feedback", "Learned", "Learning", "Match", "ReachingNet",
    "Repertoire", "dimensions", "intuitive_decoder", "learn", "learned", "matched_pair",
    "perturbations", "progress", "reaching_net", "repertoire_change", "summarise_learning",
    "summarise_reaching", "summarise_session",
]  # fmt: skip

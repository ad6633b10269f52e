"""A recurrent net that moves the cursor, and learns a perturbed decoder from feedback.

After Feulner and Clopath 2021 (PLoS Comput. Biol. 17, e1008621), whose lever is the quality of the
feedback: what each unit is told of the cursor's error. The net, its size apart, and the ways in
which feedback fails are theirs. The learning rule is this course's, a batch form of theirs: every
unit moves by its own error, times the low-passed rates of its inputs, decorrelated as in
recursive least squares.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from tqdm import tqdm

from brainkit.bci._check import finite, whole
from brainkit.bci.decoder import Decoder

__all__ = ["Feedback", "Learning", "ReachingNet", "intuitive_decoder", "learn", "reaching_net"]

LEAK = 0.2  # of the state, a bin: a time constant of 5 bins
RIDGE = 0.3  # on the inputs' second moments
NOISE, REPEATS = 0.3, 20  # of the activity that a decoder is fitted to


class ReachingNet(nn.Module):
    """Rates r = tanh(x), x <- 0.8 x + 0.2 (W r + input), cued with a target, then moving to it.

    A target's direction is given for the first `cue` bins; the cursor should stand still until
    `onset` and from then on move to the target at speed 1.

    Parameters
    ----------
    units : int
        800 in Feulner and Clopath 2021; 200 learn alike and take a tenth of the time.
    gain, probability : float
        Of the connections, normal with standard deviation gain / sqrt(probability x units).
    targets, bins, cue, onset : int
        Targets on a circle; bins in a trial, with the cue, and before the movement.
    seed : int
    """

    def __init__(self, units: int = 200, *, gain: float = 1.5, probability: float = 0.1,
                 targets: int = 8, bins: int = 30, cue: int = 6, onset: int = 8, seed: int = 0):
        super().__init__()
        self.units, self.targets = whole(units, "units", 10), whole(targets, "targets", 3)
        self.bins, self.cue = whole(bins, "bins"), whole(cue, "cue")
        self.onset = whole(onset, "onset", 0)
        if self.onset >= self.bins:
            raise ValueError(f"onset={onset} leaves no bin to move in, of {bins}")
        if not 0 < probability <= 1 or not 0 < gain < float("inf"):
            raise ValueError(f"probability={probability} must be in (0, 1] and gain={gain} "
                             "positive")
        draw = torch.Generator().manual_seed(seed)
        connected = torch.rand(units, units, generator=draw) < probability
        connected.fill_diagonal_(False)
        weights = torch.randn(units, units, generator=draw) * gain / (probability * units) ** 0.5
        self.register_buffer("connected", connected)
        self.register_buffer("weights", weights * connected)
        self.register_buffer("inputs", torch.randn(units, 2, generator=draw))
        self.register_buffer("start", 0.5 * torch.randn(units, generator=draw))
        angle = 2 * torch.pi * torch.arange(targets) / targets
        self.register_buffer("directions", torch.stack([angle.cos(), angle.sin()], 1))

    @property
    def goal(self) -> Tensor:
        """(targets, bins - onset, 2) velocities that are asked for."""
        return self.directions[:, None].expand(-1, self.bins - self.onset, -1)

    def forward(self, noise: float = 0.0, repeats: int = 1,
                generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Rates of all targets' trials, and what of them reaches the synapses.

        Returns
        -------
        rates, low-passed rates one bin before : (repeats x targets, bins - onset, units)
        """
        cue = self.directions.repeat(repeats, 1) @ self.inputs.T
        x = self.start.expand(len(cue), -1)
        rates, passed, traces = torch.tanh(x), torch.zeros_like(cue), []
        for t in range(self.bins):
            passed = (1 - LEAK) * passed + LEAK * rates
            drive = rates @ self.weights.T
            x = (1 - LEAK) * x + LEAK * (drive + cue if t < self.cue else drive)
            if noise:
                x = x + noise * torch.randn(x.shape, generator=generator)
            rates = torch.tanh(x)
            traces.append((rates, passed))
        moving = traces[self.onset :]
        return (torch.stack([rates for rates, _ in moving], 1),
                torch.stack([passed for _, passed in moving], 1))

    def reaches(self, noise: float = 0.0, repeats: int = 1,
                seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Activity while moving (trials, bins, units), and the directions (trials, bins, 2).

        `noise` is added to each unit's state in each bin.
        """
        if not 0 <= noise < float("inf"):
            raise ValueError(f"noise={noise} must be 0 or more")
        rates, _ = self(noise, whole(repeats, "repeats"), torch.Generator().manual_seed(seed))
        return rates.double().numpy(), self.goal.repeat(repeats, 1, 1).double().numpy()


def reaching_net(units: int = 200, *, steps: int = 80, seed: int = 0, **settings) -> ReachingNet:
    """A net that has learned to reach through a random read-out, the body it was born with.

    Parameters
    ----------
    units, seed, settings
        Of `ReachingNet`.
    steps : int
        Of learning, each with all targets.
    """
    net = ReachingNet(units, seed=seed, **settings)
    draw = torch.Generator().manual_seed(seed + 1)
    readout = torch.randn(2, units, generator=draw) / units**0.5
    body = _Readout(readout, torch.zeros(2), torch.zeros(2, 2))
    _train(net, body, torch.linalg.pinv(readout), net.connected, whole(steps, "steps"), 1.0, False)
    return net


def intuitive_decoder(net: ReachingNet, factors: int = 10, *, noise: float = NOISE,
                      repeats: int = REPEATS, seed: int = 0) -> Decoder:
    """A decoder without memory, fitted to the net's activity while it reaches, with noise.

    Without noise the activity has too few dimensions to fill a manifold of 10.
    """
    return Decoder.fit(*net.reaches(noise, repeats, seed), factors, memory=False)


@dataclass(frozen=True)
class Feedback:
    """What of the cursor's error reaches the units, through weights (units, 2).

    Exact, the weights are the pseudo-inverse of the decoder's map M2: each unit is told how to
    change for the cursor to be right.

    Attributes
    ----------
    noise : float
        Gaussian noise on each weight, in units of the exact weights' standard deviation. What the
        cursor feels of it falls with the square root of the number of units.
    sparsity : float in [0, 1)
        Share of the units that get no feedback.
    rank : int, optional
        Feedback confined to that many principal components of the net's activity before learning,
        for one that was learned by watching what the cursor does with one's own activity: of
        directions that the activity does not take, nothing can be learned so. It stands in for
        Feulner and Clopath's learned feedback, and takes from outside-manifold decoders, by
        construction, most of what they need.
    """

    noise: float = 0.0
    sparsity: float = 0.0
    rank: int | None = None

    def __post_init__(self):
        if not 0 <= self.noise < float("inf"):
            raise ValueError(f"noise={self.noise} must be 0 or more")
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"sparsity={self.sparsity} must be in [0, 1)")
        if self.rank is not None:
            whole(self.rank, "rank")

    def weights(self, decoder: Decoder, activity: ArrayLike, seed: int = 0) -> np.ndarray:
        """(units, 2) weights for a decoder, given the activity (..., units) before learning."""
        activity = finite(activity, "activity", (..., decoder.units)).reshape(-1, decoder.units)
        rng = np.random.default_rng(seed)
        weights = np.linalg.pinv(decoder.M2)
        noise = self.noise * weights.std() * rng.standard_normal(weights.shape)
        silent = rng.permutation(decoder.units)[: round(self.sparsity * decoder.units)]
        if self.rank is not None:
            if self.rank > decoder.units:
                raise ValueError(f"rank={self.rank}, but there are {decoder.units} units")
            _, axes = np.linalg.eigh(np.cov(activity.T))
            known = axes[:, ::-1][:, : self.rank]
            weights = known @ (known.T @ weights)
        weights = weights + noise
        weights[silent] = 0
        return weights


@dataclass(frozen=True, eq=False)
class Learning:
    """What `learn` found.

    Attributes
    ----------
    losses : (steps + 1,)
        Squared velocity error over that of a cursor that stands still, before each step and
        after the last; no noise.
    weight_change : float
        Norm of the recurrent weights' change, over that of the weights.
    net : ReachingNet
        After learning; the one given is left as it was.
    feedback : (units, 2)
        The weights used.
    """

    losses: np.ndarray
    weight_change: float
    net: ReachingNet
    feedback: np.ndarray

    def __repr__(self):
        return (f"Learning(loss {self.losses[0]:.3f} to {self.losses[-1]:.3f}, weights changed "
                f"by {self.weight_change:.0%})")


def learn(net: ReachingNet, decoder: Decoder, feedback: Feedback | None = None, *,
          steps: int = 80, rate: float = 1.0, plastic: float = 1.0, seed: int = 0,
          progress: bool = False) -> Learning:
    """Let the net learn to reach through a decoder, by changing its recurrent connections.

    In each step the net reaches for all targets; unit i's error is the cursor's error (2,) at
    each moment through its two feedback weights. Its connections move against the product of
    that error and their own low-passed input, over all moments.

    Parameters
    ----------
    net : ReachingNet
        Left as it was.
    decoder : Decoder
        The perturbed one, as `matched_pair(...)` gives them.
    feedback : Feedback
        Exact, if not given.
    steps : int
    rate : float > 0
        1 takes the step that would mend the error at once if the dynamics did not react.
    plastic : float in (0, 1]
        Share of the connections that can change, drawn at random.
    seed : int
        Of the feedback's faults and the plastic connections.
    progress : bool
        Show a bar.

    Returns
    -------
    Learning

    Raises
    ------
    TypeError, ValueError
        For what is no net or decoder, a decoder of other than the net's number of units, or a
        senseless setting.
    FloatingPointError
        If the weights do not stay finite.

    Notes
    -----
    Measured with 9 nets of 200 units (seeds 0 to 8) and pairs matched on impairment (within .15),
    error (.05) and angles (10 degrees); half of the units permuted. Mean loss after 80 steps,
    within and outside, and in how many nets outside ended higher: exact feedback .005 and .005
    (3), noise 2 .007 and .041 (9), noise 4 .069 and .197 (8), half of the units without feedback
    .018 and .071 (9), three quarters .079 and .238 (8), rank 20 .007 and .195 (9), a tenth of
    the connections plastic .200 and .384 (9). With exact feedback, too, outside is slower (.123
    against .043 after 20 steps) and changes the weights more (28 % against 16 %). At noise 8 both
    fail (4 nets), in 2 of them within worse. The gap is one of speed: after 400 steps (2 nets)
    outside is at .003, .108 and .048 with noise 2, noise 4 and rank 20, within at .001, .008 and
    .001.
    """
    if not isinstance(net, ReachingNet) or not isinstance(decoder, Decoder):
        raise TypeError("give a ReachingNet and a Decoder, such as matched_pair(...).within; not "
                        f"{type(net).__name__} and {type(decoder).__name__}")
    if decoder.units != net.units:
        raise ValueError(f"the decoder is of {decoder.units} units; the net has {net.units}")
    if not 0 < plastic <= 1:
        raise ValueError(f"plastic={plastic} must be in (0, 1]")
    if not 0 < rate < float("inf"):
        raise ValueError(f"rate={rate} must be positive")
    before, net = net, deepcopy(net)
    weights = (feedback or Feedback()).weights(decoder, before.reaches(NOISE, REPEATS)[0], seed)
    # numpy's generator: with torch's, the net's own seed would draw its connections again, and
    # every one of them would be plastic.
    drawn = np.random.default_rng(seed).random(net.connected.shape) < plastic
    mask = net.connected & torch.from_numpy(drawn)
    losses = _train(net, _Readout.of(decoder), torch.as_tensor(weights).float(), mask,
                    whole(steps, "steps"), rate, progress)
    change = torch.linalg.norm(net.weights - before.weights) / torch.linalg.norm(before.weights)
    return Learning(np.array(losses), float(change), net, weights)


@dataclass
class _Readout:
    """A decoder in float32: v_t = M1 v_{t-1} + M2 r_t + m0."""

    M2: Tensor
    m0: Tensor
    M1: Tensor

    @classmethod
    def of(cls, decoder):
        return cls(*(torch.tensor(a, dtype=torch.float32)
                     for a in (decoder.M2, decoder.m0, decoder.M1)))

    def __call__(self, rates):
        pushes = rates @ self.M2.T + self.m0
        if not self.M1.any():
            return pushes
        velocity, found = torch.zeros_like(pushes[:, 0]), []
        for t in range(pushes.shape[1]):
            velocity = velocity @ self.M1.T + pushes[:, t]
            found.append(velocity)
        return torch.stack(found, 1)


@torch.no_grad()
def _train(net, readout, feedback, plastic, steps, rate, bar):
    """Changes net.weights in place; the losses (steps + 1)."""
    losses = []
    for _ in tqdm(range(steps), unit="step", disable=not bar, leave=False):
        rates, passed = net()
        error = readout(rates) - net.goal
        losses.append(_loss(error, net.goal))
        own = (error @ feedback.T * (1 - rates**2)).flatten(0, 1)  # (moments, units)
        passed = passed.flatten(0, 1)
        # (P'P / n + ridge)^-1 P' = P' (PP' / n + ridge)^-1, of moments rather than of units.
        gram = passed @ passed.T / len(passed) + RIDGE * torch.eye(len(passed))
        change = (passed.T @ torch.linalg.solve(gram, own)).T / len(passed)
        net.weights -= rate * change * plastic
        if not net.weights.isfinite().all():
            raise FloatingPointError(f"the weights did not stay finite: rate={rate} is too high")
    losses.append(_loss(readout(net()[0]) - net.goal, net.goal))
    return losses


def _loss(error, goal):
    return float((error**2).sum() / (goal**2).sum())

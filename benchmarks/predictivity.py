"""How fast neural_predictivity is beside the plain loop over scikit-learn that it replaces.

    OMP_NUM_THREADS=1 python benchmarks/predictivity.py [--splits 1] [--images 2560]
        [--sites 168] [--features 1000] [--regression pls] [--noise 1]

Made features (variances that fall as 1/k, as those of nets do) and responses (a random linear map
of them plus noise) at the size of Majaj et al. 2015, in 64 groups of images (fewer where there
are few images). Both use the same splits, the first of Brain-Score's ten. Prints the ratio of the
times of both in one run, and how far apart their correlations are. With --tight, scikit-learn's
power method runs on until its weights move by less than 1e-12 (squared), for comparison with what
Brain-Score's setting, 1e-6, leaves undone.
"""

import argparse
import time

import numpy as np
from scipy import stats
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import StratifiedShuffleSplit

from brainkit import brainscore


def made(images, sites, features, noise, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((images, features)) / np.sqrt(np.arange(1, features + 1))
    x = x @ np.linalg.qr(rng.standard_normal((features, features)))[0]
    y = x @ rng.standard_normal((features, sites))
    y += noise * y.std(0) * rng.standard_normal(y.shape)
    return x, y, np.arange(images) % min(64, images // 20)


def plain(x, y, groups, splits, regression):
    """Brain-Score's loop, scikit-learn and scipy doing the work."""
    raw = []
    for train, test in StratifiedShuffleSplit(
            10, train_size=0.9, random_state=1).split(x, groups):
        predicted = regression.fit(x[train], y[train]).predict(x[test])
        raw.append([stats.pearsonr(a, b)[0] for a, b in zip(predicted.T, y[test].T, strict=True)])
        if len(raw) == splits:
            return np.array(raw)


def timed(function, *arguments, **settings):
    start = time.perf_counter()
    result = function(*arguments, **settings)
    return result, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--images", type=int, default=2560)
    parser.add_argument("--sites", type=int, default=168)
    parser.add_argument("--features", type=int, default=1000)
    parser.add_argument("--noise", type=float, default=1.0, help="in standard deviations")
    parser.add_argument("--regression", default="pls", choices=["pls", "ridge", "ridgecv"])
    parser.add_argument("--tight", action="store_true")
    args = parser.parse_args()
    x, y, groups = made(args.images, args.sites, args.features, args.noise)
    reference = {
        "pls": PLSRegression(25, scale=False, **({"tol": 1e-12, "max_iter": 10_000}
                                                 if args.tight else {})),
        "ridge": Ridge(1.0), "ridgecv": RidgeCV(brainscore.ALPHAS),
    }[args.regression]
    ours = {"pls": {}, "ridge": {"regression": "ridge"},
            "ridgecv": {"regression": "ridge", "alpha": brainscore.ALPHAS}}[args.regression]
    fast, fast_s = timed(brainscore.neural_predictivity, x, y, groups, splits=args.splits, **ours)
    raw, plain_s = timed(plain, x, y, groups, args.splits, reference)
    # Drawing ten splits or one gives the same first ones; the score is the same median and mean.
    score = np.median(raw, axis=1).mean()
    print(f"{args.images} images x {args.sites} sites x {args.features} features, "
          f"{args.splits} of 10 splits, {args.regression}{' to 1e-12' if args.tight else ''}")
    print(f"scikit-learn {plain_s / args.splits:.2f} s a split, brainkit "
          f"{fast_s / args.splits:.2f} s: {plain_s / fast_s:.1f} times as fast")
    print(f"largest difference: of one site's r in one split {abs(fast.raw - raw).max():.1e}, of "
          f"per_neuroid {abs(fast.per_neuroid - raw.mean(0)).max():.1e}, of the score "
          f"{abs(fast.score - score):.1e} (score {score:.4f})")


if __name__ == "__main__":
    main()

"""Linear maps from features to neurons, with scikit-learn's numbers in a fraction of its time."""

import warnings

import numpy as np
from scipy import linalg

__all__ = ["ALPHAS", "pls", "ridge"]

# The penalties among which Brain-Score's `ridgecv` chooses.
ALPHAS = (0.01, 0.1, 0.5, 1.0, *np.linspace(1e1, 1e2, 4, endpoint=False).tolist(), *(
    value for power in range(2, 6)
    for value in np.linspace(10**power, 10 ** (power + 1), 18, endpoint=False).tolist()
), *np.linspace(1e6, 1e7, 19).tolist())  # fmt: skip

# Below this fraction of what it was, a covariance is the rounding error of one that is zero.
_NOTHING = 1e-12


def pls(train_x, train_y, test_x, n_components=25, tol=1e-6, max_iter=500):
    """Partial least squares of all sites together: scikit-learn's PLSRegression(scale=False).

    scikit-learn finds each component's weights w by the power method, w <- X'(Y (Y'(X w))) scaled
    to length 1, in four passes over X and Y a step, until w moves by less than tol (squared). That
    is w <- C C'w with C = X'Y, the only thing that the data enter by. And since every w is some
    C d, a step is d <- G d with G = C'C, a matrix of sites by sites (or w <- C C'w itself where
    there are fewer features than sites). The start, the steps and the stop are scikit-learn's own,
    so that the weights are the same even where it stops before the method has converged. Nor are
    X and Y deflated: taking p (t't) q' off C does the same.

    Parameters
    ----------
    train_x, train_y, test_x : (n, p), (n, sites), (m, p) float64
        Not changed.

    Returns
    -------
    (m, sites) predicted responses; int array of the steps that each component took
        Fewer than n_components where nothing is left to explain: scikit-learn then goes on with
        rounding errors.

    Source: Wegelin 2000, tech. rep. 371, section 11; Dayal and MacGregor 1997, J. Chemometrics 11.
    """
    mean_x, mean_y = train_x.mean(0), train_y.mean(0)
    x = train_x - mean_x
    c = x.T @ (train_y - mean_y)
    smallest = _NOTHING**2 * np.einsum("ij,ij->j", c, c)
    n, p = x.shape
    weights, loadings, scores = (np.empty((k, n_components), order="F") for k in (p, p, n))
    y_loadings, steps = np.empty((c.shape[1], n_components), order="F"), []
    for k in range(n_components):
        w, taken = _leading_weights(c, smallest, tol, max_iter)
        if w is None:
            break
        t = x @ w - scores[:, :k] @ (loadings[:, :k].T @ w)
        size = t @ t
        weights[:, k], scores[:, k] = w, t
        loadings[:, k] = t @ x / size
        y_loadings[:, k] = w @ c / size
        c -= np.outer(loadings[:, k], w @ c)  # what is left: w @ c is t'Y
        steps.append(taken)
    k = len(steps)
    if k == 0:
        return np.tile(mean_y, (len(test_x), 1)), np.array(steps, int)
    if max(steps) == max_iter:
        warnings.warn(f"{steps.count(max_iter)} of {k} PLS components had not converged after "
                      f"{max_iter} steps; scikit-learn stops there too.", stacklevel=4)
    coefficients = y_loadings[:, :k] @ np.linalg.inv(loadings[:, :k].T @ weights[:, :k]).T
    return ((test_x - mean_x) @ weights[:, :k]) @ coefficients.T + mean_y, np.array(steps)


def _leading_weights(c, smallest, tol, max_iter):
    """The first left singular vector of c as the power method leaves it, and its steps."""
    in_sites = c.shape[1] <= c.shape[0]
    matrix = c.T @ c if in_sites else c @ c.T
    sizes = np.diag(matrix) if in_sites else np.einsum("ij,ij->j", c, c)
    left = np.flatnonzero(sizes > smallest)
    if not len(left):
        return None, 0
    # scikit-learn starts from the responses of the first site that is not fully explained.
    start = np.zeros(c.shape[1])
    start[left[0]] = 1
    image, old, step = start if in_sites else c @ start, None, 0
    while step < max_iter:
        step += 1
        d, image = image, matrix @ image
        length = np.sqrt(d @ image if in_sites else d @ d)  # of w = c d, or of w = d itself
        d, image = d / length, image / length
        if old is not None:
            moved = d - old[0]
            if moved @ (image - old[1] if in_sites else moved) < tol:
                break
        if c.shape[1] == 1:
            break  # one site: c itself is the answer
        old = d, image
    return (c @ d if in_sites else d), step


def ridge(train_x, train_y, test_x, alpha=1.0):
    """Ridge regression with an intercept, as scikit-learn's Ridge(alpha) or RidgeCV(alphas).

    Parameters
    ----------
    train_x, train_y, test_x : (n, p), (n, sites), (m, p) float64
    alpha : float > 0, or a sequence of them
        The penalty on the squared weights; of several, the one, common to all sites, with the
        least squared error when each training image in turn is left out.

    Returns
    -------
    (m, sites) predicted responses; the penalty used
    """
    mean_x, mean_y = train_x.mean(0), train_y.mean(0)
    x, y = train_x - mean_x, train_y - mean_y
    wide = x.shape[1] > x.shape[0]
    gram = x @ x.T if wide else x.T @ x
    if np.ndim(alpha):
        alpha = _least_left_out(x, y, gram, wide, alpha)
    # The same weights either way: (X'X + aI)^-1 X'Y = X'(XX' + aI)^-1 Y.
    gram[np.diag_indices_from(gram)] += alpha
    weights = linalg.solve(gram, y if wide else x.T @ y, assume_a="pos")
    weights = x.T @ weights if wide else weights
    return (test_x - mean_x) @ weights + mean_y, float(alpha)


def _least_left_out(x, y, gram, wide, alphas):
    """The penalty with the least squared leave-one-out error, from one eigendecomposition."""
    power, vectors = linalg.eigh(gram)
    power = power.clip(0)
    # x = u s v': what u has in the directions without variance (its intercept's) is the mean's.
    along = vectors * np.sqrt(power) if wide else x @ vectors
    on_y = along.T @ y
    squares = along**2
    errors = []
    for alpha in alphas:
        left = y - along @ (on_y / (power + alpha)[:, None])
        leverage = 1 / len(x) + squares @ (1 / (power + alpha))
        errors.append(np.mean((left / (1 - leverage)[:, None]) ** 2))
    return alphas[int(np.argmin(errors))]

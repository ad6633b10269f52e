"""How fast manifold_capacity finds anchor points beside a general quadratic program for each.

    OMP_NUM_THREADS=1 python benchmarks/capacity.py [--manifolds 20] [--units 200] [--points 50]
        [--probes 100] [--programs 200]

A probe t asks for the point v nearest to it with v s <= -kappa for every point s of a manifold.
The published code hands that to cvxopt's solver of quadratic programs; that one, quadprog's and
scipy's SLSQP are timed where they are installed, and the output says which are. manifold_capacity
asks for the same by non-negative least squares over the points. All run on the same clouds and
probes, the general solvers on the first few of them. Prints programs a second and the ratios within
this run, how far apart the squared distances are, and how often a solver gives up; the same for 80
points of a circle, on which the published code fails; and the time with and without the search for
the centres' shared directions, which takes the published code longer than all else.
"""

import argparse
import time

import numpy as np
from scipy.optimize import minimize, nnls

from brainkit.manifolds import manifold_capacity

try:
    import cvxopt
except ImportError:
    cvxopt = None
try:
    import quadprog
except ImportError:
    quadprog = None


def by_cvxopt(t, points):
    # To the tolerance that the published code asks for.
    cvxopt.solvers.options.update(show_progress=False, abstol=1e-12, reltol=1e-12, feastol=1e-12)
    dimensions, n = points.shape
    found = cvxopt.solvers.qp(
        cvxopt.matrix(np.eye(dimensions)), cvxopt.matrix(-t), cvxopt.matrix(points.T.copy()),
        cvxopt.matrix(np.zeros(n)),
    )  # fmt: skip
    return ((np.ravel(found["x"]) - t) ** 2).sum() if found["status"] == "optimal" else np.nan


def by_quadprog(t, points):
    found = quadprog.solve_qp(np.eye(len(t)), t, -points, np.zeros(points.shape[1]))
    return ((found[0] - t) ** 2).sum()


def by_slsqp(t, points):
    bounds = {"type": "ineq", "fun": lambda v: -points.T @ v, "jac": lambda v: -points.T}
    found = minimize(lambda v: ((v - t) ** 2).sum() / 2, t, jac=lambda v: v - t,
                     constraints=bounds, options={"maxiter": 500, "ftol": 1e-10})  # fmt: skip
    return 2 * found.fun if found.success else np.nan


SOLVERS = {"cvxopt": (cvxopt, by_cvxopt), "quadprog": (quadprog, by_quadprog),
           "SLSQP": (minimize, by_slsqp)}  # fmt: skip


def squared(solve, t, points):
    """The squared distance, NaN where the solver gives up."""
    try:
        return solve(t, points)
    except (ArithmeticError, ValueError):  # cvxopt's "domain error" is one
        return np.nan


def made(manifolds, units, points, seed=0):
    """Clouds of falling variance about random centres."""
    rng = np.random.default_rng(seed)
    spread = rng.standard_normal((manifolds, units, units)) / np.sqrt(np.arange(1, units + 1))
    clouds = spread @ rng.standard_normal((manifolds, units, points)) / 3
    return clouds + rng.standard_normal((manifolds, units, 1))


def circles(manifolds, units, points, seed=0):
    rng = np.random.default_rng(seed)
    angles = np.arange(points) * 2 * np.pi / points
    circle = np.array([np.ones(points), np.cos(angles), np.sin(angles)])
    return np.array([np.linalg.qr(rng.standard_normal((units, 3)))[0] @ circle
                     for _ in range(manifolds)])  # fmt: skip


def coordinates(X):
    """Each manifold's points as the theory takes them, (D + 1, points)."""
    for cloud in X - X.mean((0, 2))[:, None]:
        centre = cloud.mean(1, keepdims=True)
        inner = np.linalg.qr((cloud - centre) / np.linalg.norm(centre), mode="r")
        yield np.vstack([inner, np.ones(cloud.shape[1])])


def compare(what, X, probes, programs):
    start = time.perf_counter()
    found = manifold_capacity(X, probes, centre_subspace=0)
    fast = (time.perf_counter() - start) / probes[:, 0].size
    print(f"{what}: {len(X)} manifolds of {X.shape[2]} points, {X.shape[1]} units, "
          f"{probes.shape[2]} probes; {found.mean_capacity:.4f} manifolds a unit")
    print(f"  manifold_capacity, all of it: {1 / fast:.0f} programs a second, "
          f"{fast * probes[:, 0].size:.2f} s")
    pairs = [(points, t) for points, ts in zip(coordinates(X), probes, strict=True)
             for t in ts.T[: max(1, programs // len(X))]]  # fmt: skip
    ours = np.array([((points @ nnls(points, t)[0]) ** 2).sum() for points, t in pairs])
    for name, (installed, solve) in SOLVERS.items():
        if installed is None:
            print(f"  {name} is not installed")
            continue
        start = time.perf_counter()
        theirs = np.array([squared(solve, t, points) for points, t in pairs])
        slow = (time.perf_counter() - start) / len(pairs)
        lost = np.isnan(theirs).sum()
        print(f"  {name}: {1 / slow:.0f} programs a second ({len(pairs)} of them), "
              f"{slow / fast:.0f} times as slow; gave up on {lost}")
        if lost < len(pairs):
            print(f"    squared distances differ by {np.nanmax(np.abs(theirs - ours)):.1e} at most")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifolds", type=int, default=20)
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--probes", type=int, default=100)
    parser.add_argument("--programs", type=int, default=200, help="for the general solver")
    args = parser.parse_args()
    X = made(args.manifolds, args.units, args.points)
    rng = np.random.default_rng(1)

    def probes(points):
        return rng.standard_normal(
            (args.manifolds, min(points, args.units) + 1, args.probes))

    compare("clouds", X, probes(args.points), args.programs)
    compare("circles", circles(args.manifolds, args.units, 80), probes(80), args.programs)
    for removed in (0, None):
        start = time.perf_counter()
        found = manifold_capacity(X, n_probes=args.probes, centre_subspace=removed)
        print(f"centre_subspace={removed}: {time.perf_counter() - start:.2f} s, "
              f"{found.centre_subspace.shape[1]} directions removed")


if __name__ == "__main__":
    main()

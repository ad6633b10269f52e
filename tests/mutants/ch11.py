"""Planted wrong answers to chapter 11's exercises, each with what its check must say."""

from mutants.changing import but, returning

NAMESPACE = {}

_RATIO = """
def participation_ratio(X):
    values = np.linalg.eigvalsh(np.cov(X.T))
    return values.sum() ** 2 / (values**2).sum()
"""

_PROGRESS = """
def progress(velocities, ways):
    directions = ways / np.linalg.norm(ways, axis=1, keepdims=True)
    return (velocities * directions).sum(1)
"""

_PERTURBED = """
def perturbed(K, beta, kind, order):
    if kind == "within":
        return K @ beta[order]
    out = np.empty((2, beta.shape[1]))
    out[:, order] = K @ beta
    return out
"""

MUTANTS = {
    "ch11.participation_ratio": [
        (but(_RATIO, ("np.cov(X.T)", "X.T @ X / len(X)")), "did not take the mean off"),
        (but(_RATIO, ("np.linalg.eigvalsh(np.cov(X.T))",
                      "np.linalg.svd(X - X.mean(0), compute_uv=False)")), "standard deviations"),
        (but(_RATIO, ("np.linalg.eigvalsh(np.cov(X.T))",
                      "np.linalg.svd(np.cov(X.T), compute_uv=False) ** 2")), "once too often"),
        (returning(_RATIO, "(values**2).sum() / values.sum() ** 2"), "its reciprocal"),
        (returning(_RATIO, "(values**2).sum() / values.sum()"), "sum of the squares stands above"),
        (but(_RATIO, ("np.linalg.eigvalsh(np.cov(X.T))", "X.var(0)")), "the units' variances"),
        (but(_RATIO, ("np.cov(X.T)", "np.corrcoef(X.T)")), "You used correlations"),
        (but(_RATIO, ("np.cov(X.T)", "np.cov(X)")), "one row for each unit"),
        (returning(_RATIO, "X.shape[1]"), "the number of units"),
    ],
    "ch11.progress": [
        (returning(_PROGRESS, "(velocities * ways).sum(1)"), "did not divide by the length"),
        (returning(_PROGRESS, "(velocities * directions).sum(1) "
                              "/ np.linalg.norm(velocities, axis=1)"), "the cosine"),
        (returning(_PROGRESS, "np.linalg.norm(velocities, axis=1)"), "That is the speed"),
        (returning(_PROGRESS, "np.abs((velocities * directions).sum(1))"), "the absolute value"),
        (returning(_PROGRESS, "(velocities * directions).sum(1).clip(0)"), "You cut off"),
        (returning(_PROGRESS, "(velocities * directions).sum(1).mean()"), "You averaged"),
        (returning(_PROGRESS, "(velocities * directions).sum(1)[:, None] * directions"),
         "a vector"),
        (but(_PROGRESS, ("np.linalg.norm(ways, axis=1, keepdims=True)",
                         "(ways**2).sum(1, keepdims=True)")), "the square of the length"),
    ],
    "ch11.perturbed": [
        (but(_PERTURBED, ("K @ beta[order]", "K @ beta")), "Nothing is permuted"),
        (but(_PERTURBED, ("K @ beta[order]", "K[:, order] @ beta")),
         "dealt the factors out the other way round"),
        (but(_PERTURBED, ("K @ beta[order]", "(K @ beta)[::-1]")), "exchanged the cursor's axes"),
        (but(_PERTURBED, ("out[:, order] = K @ beta", "out[:] = (K @ beta)[:, order]")),
         "dealt the units out the other way round"),
        (but(_PERTURBED, ("out[:, order] = K @ beta", "out[:] = K @ beta")), "Nothing is permuted"),
        (but(_PERTURBED, ("K @ beta[order]", "(K @ beta[order]).T")), "has shape (6, 2)"),
    ],
}

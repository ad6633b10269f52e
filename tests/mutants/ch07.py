"""Planted wrong answers to chapter 7's exercises, each with what its check must say."""

from mutants.changing import but, returning

from brainkit import similarity

NAMESPACE = {"similarity": similarity}

_CKA = """
def cka(X, Y):
    X, Y = X - X.mean(0), Y - Y.mean(0)
    norm = torch.linalg.matrix_norm
    return norm(Y.T @ X) ** 2 / (norm(X.T @ X) * norm(Y.T @ Y))
"""

_HSIC = """
def unbiased_hsic(K, L):
    n = len(K)
    K, L = (M - torch.diag(M.diagonal()) for M in (K, L))
    return ((K * L).sum()
            + K.sum() * L.sum() / ((n - 1) * (n - 2))
            - 2 / (n - 2) * (K.sum(0) @ L.sum(0))) / (n * (n - 3))
"""

_JOINT = """
def joint_loss(logits, labels, activity, responses, weight):
    alike = similarity.cka(activity.flatten(1), responses)
    return F.cross_entropy(logits, labels) + weight * (1 - alike)
"""

_WITHOUT = "K, L = (M - torch.diag(M.diagonal()) for M in (K, L))"

MUTANTS = {
    "ch07.cka": [
        (but(_CKA, ("X, Y = X - X.mean(0), Y - Y.mean(0)", "pass")), "did not centre"),
        (but(_CKA, ("X.mean(0)", "X.mean(1, keepdim=True)"),
             ("Y.mean(0)", "Y.mean(1, keepdim=True)")), "each picture over its units"),
        (but(_CKA, ("X.mean(0)", "X.mean()"), ("Y.mean(0)", "Y.mean()")), "one mean off all"),
        (but(_CKA, ("@ X) ** 2", "@ X)")), "above the line is squared"),
        (but(_CKA, ("norm(X.T @ X) * norm(Y.T @ Y)", "norm(X) ** 2 * norm(Y) ** 2")),
         "not those of X and Y"),
        (returning(_CKA, "norm(Y.T @ X) ** 2"), "numerator alone"),
        (returning(_CKA, "norm(Y.T @ X) / (norm(X.T @ X) * norm(Y.T @ Y)) ** 0.5"),
         "the root of CKA"),
    ],
    "ch07.hsic": [
        (but(_HSIC, (_WITHOUT, "pass")), "diagonals are still there"),
        (but(_HSIC, (_WITHOUT, "K = K - torch.diag(K.diagonal())")), "One of the two diagonals"),
        (but(_HSIC, (_WITHOUT, "K.fill_diagonal_(0); L.fill_diagonal_(0)")), "in place"),
        (but(_HSIC, ("- 2 /", "+ 2 /")), "taken off, not added"),
        (but(_HSIC, ("- 2 /", "- 1 /")), "has a 2"),
        (but(_HSIC, (" / (n * (n - 3))", "")), "Divide all of it"),
        (but(_HSIC, ("(n * (n - 3))", "(n - 1) ** 2")), "as the biased one is"),
        (but(_HSIC, ("(K * L).sum()", "torch.trace(K) * torch.trace(L)")),
         "trace of the *product*"),
        (returning(_HSIC, "(K * L).sum() / (n * (n - 3))"), "first term alone"),
    ],
    "ch07.joint_loss": [
        (but(_JOINT, ("(1 - alike)", "alike")), "*unlike* the neurons"),
        (but(_JOINT, ("+ weight * (1 - alike)", "- weight * alike")), "right slope"),
        (but(_JOINT, ("responses)\n", "responses, debiased=False)\n")), "as first defined"),
        (but(_JOINT, ("(1 - alike)", "torch.log(1 - alike)")), "took the logarithm"),
        (but(_JOINT, ("weight * (1", "(1")), "weight has no effect"),
        (but(_JOINT, ("F.cross_entropy(logits, labels) + ", "")), "own loss is missing"),
        (but(_JOINT, ("activity.flatten(1)", "activity.mean((2, 3))")), "averaged over the places"),
        (but(_JOINT, ("activity.flatten(1)", "activity.detach().flatten(1)")),
         "cannot be differentiated"),
    ],
}

"""Checks of chapter 7, aligning representations."""

import torch
from torch.nn import functional as F

from brainkit import similarity

from .machinery import Misconception, check, compare, tensor


def _random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@check("ch07.cka")
def cka(answer):
    """answer(X (n, p), Y (n, q)) -> scalar: linear CKA, biased, columns centred over n."""
    X = _random(12, 5) + 2
    Y = X @ _random(5, 7, seed=1) + 1.5 * _random(12, 7, seed=2) - 1
    found = tensor(answer(X.clone(), Y.clone()), "The result")
    norm = torch.linalg.matrix_norm

    def of(x, y):
        return norm(y.T @ x) ** 2 / (norm(x.T @ x) * norm(y.T @ y))

    x, y = X - X.mean(0), Y - Y.mean(0)
    rows = X - X.mean(1, keepdim=True), Y - Y.mean(1, keepdim=True)
    compare(found, of(x, y), what="The result", wrong=[
        (of(X, Y), "You did not centre. Without it a constant added to all answers of a unit "
         "changes the result.", "Take each column's mean off: `X - X.mean(0)`."),
        (of(*rows), "You centred each picture over its units. Centre each unit over the pictures.",
         "The pictures are the first axis: `X.mean(0)`."),
        (of(X - X.mean(), Y - Y.mean()), "You took one mean off all. Each unit has its own.",
         "`X.mean(0)`"),
        (norm(y.T @ x) / (norm(x.T @ x) * norm(y.T @ y)).sqrt(), "That is the root of CKA: the "
         "norm above is squared.", "`norm(Y.T @ X) ** 2`"),
        (norm(y.T @ x) / (norm(x.T @ x) * norm(y.T @ y)), "The norm above the line is squared; "
         "without that, the result changes with the scale of the answers."),
        (norm(y.T @ x) ** 2 / (norm(x.T @ x) * norm(y.T @ y)) ** 2, "The norms below the line are "
         "not squared; so the result changes with the scale of the answers."),
        (norm(y.T @ x) ** 2 / (norm(x) * norm(y)) ** 2, "Below the line stand the norms of "
         "`X.T @ X` and `Y.T @ Y`, not those of X and Y."),
        ((x @ x.T * (y @ y.T)).mean(), "That is the numerator alone, divided by something else. "
         "Divide by both norms."),
        (norm(y.T @ x) ** 2, "That is the numerator alone. Divide by both norms."),
    ])
    scaled = tensor(answer(3 * X + 1, Y.clone()), "The result")
    if abs(float(scaled - found)) > 1e-6:
        raise Misconception("The result changes when all answers of X are made three times as "
                            "large and shifted.", "Centre first, and divide by both norms.")
    return ("The correlation of two Gram matrices, without either: n may be large where p and q "
            "are small.")


@check("ch07.hsic")
def hsic(answer):
    """answer(K (n, n), L (n, n)) -> scalar: HSIC_1 of Song et al. 2012."""
    n = 9
    x, y = _random(n, 4), _random(n, 4, seed=1)
    K, L = x @ x.T, y @ y.T + 0.5 * x @ x.T
    found = tensor(answer(K, L), "The result")
    def of(k, m, first=1.0, second=1.0, scale=1 / (n * (n - 3))):
        return ((k * m).sum() + first * k.sum() * m.sum() / ((n - 1) * (n - 2))
                - second * 2 / (n - 2) * (k.sum(0) @ m.sum(0))) * scale

    k, m = (g - torch.diag(g.diagonal()) for g in (K, L))
    H = torch.eye(n, dtype=torch.float64) - 1 / n
    compare(found, of(k, m), what="The result", wrong=[
        (of(K, L), "The diagonals are still there: they are what makes noise look alike.",
         "`K - torch.diag(K.diagonal())`, and the same for L."),
        (of(k, L), "One of the two diagonals is still there."),
        (of(K, m), "One of the two diagonals is still there."),
        (torch.trace(K @ H @ L @ H) / (n - 1) ** 2, "That is the biased HSIC, with the centring "
         "matrix H. The unbiased one leaves the diagonals out and has two more terms."),
        (of(k, m, 0, 0), "That is the first term alone. The other two centre what is left without "
         "the diagonals."),
        (of(k, m, 1, 0), "The third term is missing."),
        (of(k, m, 0, 1), "The second term is missing."),
        (of(k, m, 1, -1), "The third term is taken off, not added."),
        (of(k, m, 1, 0.5), "The third term has a 2."),
        (of(k, m, 1, 1, 1), "Divide all of it by n (n - 3)."),
        (of(k, m, 1, 1, 1 / n**2), "You divided by n². Divide by n (n - 3)."),
        (of(k, m, 1, 1, 1 / (n - 1) ** 2), "You divided by (n - 1)², as the biased one is. Divide "
         "by n (n - 3)."),
        (of(k, m) + (torch.trace(k) * torch.trace(m)), "You took a trace where a sum over all "
         "entries is meant."),
        ((torch.trace(k) * torch.trace(m) + k.sum() * m.sum() / ((n - 1) * (n - 2))
          - 2 / (n - 2) * (k.sum(0) @ m.sum(0))) / (n * (n - 3)), "tr(KL) is the trace of the "
         "*product*, `(K * L).sum()` for symmetric matrices, not the product of the traces."),
    ])
    return ("Independent representations now come out at 0 on average, however many units they "
            "have; any one estimate scatters around it, and may be below.")


@check("ch07.joint_loss")
def joint_loss(answer):
    """answer(logits, labels, activity (m, c, h, w), responses (m, sites), weight) -> scalar."""
    logits, labels = _random(6, 8), torch.arange(6) % 8
    responses = _random(16, 20, seed=1)
    activity = (responses @ _random(20, 48, seed=2)
                + 6 * _random(16, 48, seed=3)).reshape(16, 3, 4, 4)
    activity.requires_grad_()
    weight = 3.0
    given = answer(logits, labels, activity, responses, weight)
    found = tensor(given, "The result")
    task = F.cross_entropy(logits, labels)
    with torch.no_grad():
        flat = activity.flatten(1)
        alike = similarity.cka(flat, responses)
        biased = similarity.cka(flat, responses, debiased=False)
        pooled = similarity.cka(activity.mean((2, 3)), responses)
    compare(found, task + weight * (1 - alike), what="The result", wrong=[
        (task + weight * alike, "You add the likeness itself, so the net would learn to be "
         "*unlike* the neurons.", "Add `weight * (1 - alike)`."),
        (task - weight * alike, "That has the right slope and differs from the loss above by the "
         "weight: write 1 - CKA, which is near 0 when all is well."),
        (task + weight * (1 - biased), "That is CKA as first defined. In a batch so small most of "
         "it is bias.", "`similarity.cka` is debiased unless told otherwise."),
        (task + weight * torch.log(1 - biased), "That is the published form. Here we want 1 - CKA, "
         "debiased."),
        (task + weight * torch.log(1 - alike), "You took the logarithm. Here we want 1 - CKA."),
        (task + 1 - alike, "The weight has no effect yet."),
        (weight * (1 - alike), "The task's own loss is missing: the net would never learn what the "
         "pictures show."),
        (weight * task + 1 - alike, "You weighted the task, not the neurons."),
        (task + weight * (1 - pooled), "You averaged over the places of the map. Where something "
         "is, IT knows: flatten the map."),
        (task, "The neurons' term is missing."),
    ])
    if not isinstance(given, torch.Tensor) or not given.requires_grad:
        raise Misconception("The result is the right number, but cannot be differentiated: no "
                            "gradient reaches the activity.",
                            "Stay in torch: no `.item()`, `.detach()`, `float` or NumPy.")
    return ("One loss of two: the gradient of the first moves the whole net towards the task, that "
            "of the second all that lies below the aligned stage towards the neurons.")

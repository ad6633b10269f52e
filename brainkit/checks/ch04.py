"""Checks of chapter 4, measuring brain-likeness."""

import numpy as np
from scipy.stats import rankdata

from .machinery import Misconception, check, compare, same, tensor


@check("ch04.rdm")
def rdm(answer):
    """answer(X (n, p)) -> (n, n): 1 - Pearson's r of the patterns of two images."""
    draw = np.random.default_rng(0)
    X = draw.normal(size=(6, 9)) + draw.normal(size=(6, 1)) * 3 + 0.3 * draw.normal(size=9)
    found = tensor(answer(X.copy()), "The matrix")
    r = np.corrcoef(X)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    column = X - X.mean(0)
    column_unit = column / np.linalg.norm(column, axis=1, keepdims=True)
    z = column / X.std(0)
    square = ((X[:, None] - X) ** 2).sum(-1)
    compare(found, 1 - r, what="The matrix", wrong=[
        (r, "That is how *alike* two images are: 1 on the diagonal. A dissimilarity of an image "
         "to itself is 0.", "1 minus the correlation."),
        (1 - np.corrcoef(X.T), "You correlated neurons over images: the matrix has a row for each "
         "neuron. An RDM has one for each image.", "`np.corrcoef` correlates rows."),
        (np.corrcoef(X.T), "You correlated neurons over images, and took the similarity.",
         "Rows are images; 1 minus the correlation."),
        (1 - unit @ unit.T, "That is 1 minus the *cosine*: the image's own mean over neurons is "
         "still in. Subtract it first."),
        (1 - column_unit @ column_unit.T, "You subtracted each neuron's mean over images. "
         "Pearson's correlation of two patterns subtracts each *image's* mean over neurons.",
         "`X.mean(1, keepdims=True)`"),
        (1 - np.corrcoef(column), "You subtracted each neuron's mean first. That is a choice some "
         "make, but it makes an image's dissimilarity depend on which others were shown."),
        (1 - np.corrcoef(z), "You standardised the neurons first. That is a choice some make, but "
         "it makes an image's dissimilarity depend on which others were shown."),
        (np.sqrt(square), "That is the Euclidean distance. It grows with the strength of the "
         "responses, which the correlation leaves out."),
        (square, "That is the squared Euclidean distance. It grows with the strength of the "
         "responses, which the correlation leaves out."),
        (1 - np.abs(r), "You took the absolute value: opposite patterns are then called alike.",
         "1 - r reaches from 0 to 2."),
        (1 - r**2, "You squared the correlation: opposite patterns are then called alike.",
         "1 - r reaches from 0 to 2."),
    ])
    return ("0 for the same pattern, 1 for unrelated ones, 2 for opposite ones. The neurons are "
            "gone, and any two systems that saw these images can be compared.")


@check("ch04.agreement")
def agreement(answer):
    """answer(a (n, n), b (n, n)) -> Spearman's correlation over the pairs of images."""
    draw = np.random.default_rng(1)
    n = 7
    up = np.triu_indices(n, 1)

    def made(values):
        out = np.zeros((n, n))
        out[up] = values
        return out + out.T

    base = draw.uniform(0.1, 1, len(up[0]))
    a, b = made(base), made(np.exp(4 * (base + draw.normal(0, 0.3, len(base)))))
    found = tensor(answer(a.copy(), b.copy()), "The agreement")

    def r(x, y):
        return np.corrcoef(x, y)[0, 1]

    ra, rb = rankdata(a[up]), rankdata(b[up])
    with_diagonal = np.triu_indices(n)
    compare(found, r(ra, rb), what="The agreement", wrong=[
        (r(a[up], b[up]), "That is Pearson's correlation of the dissimilarities themselves. It "
         "assumes that both systems measure them on the same kind of scale; take ranks first."),
        (r(rankdata(a), rankdata(b)), "You used the whole matrices: each pair twice, and the "
         "diagonal, which is 0 in both and so makes any two RDMs look alike."),
        (r(a.ravel(), b.ravel()), "You used the whole matrices, and no ranks: the diagonal, which "
         "is 0 in both, makes any two RDMs look alike."),
        (r(rankdata(a[with_diagonal]), rankdata(b[with_diagonal])), "The diagonal is still in. It "
         "is 0 in every RDM, and so makes any two look alike.", "`np.triu_indices(n, 1)`"),
        (r(rankdata(a, axis=None).reshape(n, n)[up], rankdata(b, axis=None).reshape(n, n)[up]),
         "Close, but rank after you chose the pairs."),
        (np.mean([r(rankdata(np.delete(a[i], i)), rankdata(np.delete(b[i], i)))
                  for i in range(n)]),
         "You correlated row by row and averaged: pairs of different images are then never "
         "ranked against each other. Take all pairs at once."),
        (np.corrcoef(ra, rb), "That is the two by two matrix. Its upper right entry is the one "
         "asked for.", "`[0, 1]`"),
    ])
    again = tensor(answer(a.copy(), made(base**3)), "The agreement")
    if not same(again, 1.0):
        raise Misconception("Two RDMs with the same order of pairs should agree by 1, however "
                            "their values are spaced; yours gives "
                            f"{float(again):.2f}.", "Rank the pairs.")
    return "The order of the pairs, each once: what two systems without a common unit share."


@check("ch04.reliability")
def reliability(answer):
    """answer(first (n, sites), second (n, sites)) -> (sites,): Spearman-Brown of r by site."""
    draw = np.random.default_rng(2)
    signal = draw.normal(size=(40, 5)) * np.array([0.3, 0.7, 1, 2, 3])
    first, second = (signal + draw.normal(size=signal.shape) + np.arange(5) for _ in range(2))
    second = 2 * second
    found = tensor(answer(first.copy(), second.copy()), "The reliability")
    r = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(first.T, second.T, strict=True)])
    by_image = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(first, second, strict=True)])

    def whole(r):
        return 2 * r / (1 + r)

    cosine = (first * second).sum(0) / np.sqrt((first**2).sum(0) * (second**2).sum(0))
    flat = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    covariance = ((first - first.mean(0)) * (second - second.mean(0))).mean(0)
    compare(found, whole(r), what="The reliability", wrong=[
        (r, "That is the correlation of the two halves: the reliability of *half* of the data. "
         "Correct it for all of it.", "2 r / (1 + r)"),
        (whole(by_image), "You correlated over sites, image by image. The reliability of a *site* "
         "is over images.", "Reduce over the first axis."),
        (by_image, "You correlated over sites, image by image, without the correction. The "
         "reliability of a *site* is over images."),
        (whole(flat), "You threw all sites into one correlation. Sites that fire a lot then agree "
         "with themselves, whatever the image."),
        (whole(r.mean()), "You averaged over sites first. Return one number for each site."),
        (whole(r).mean(), "You averaged over sites. Return one number for each site."),
        (np.median(whole(r)), "You took the median over sites. That comes next; return one number "
         "for each site."),
        (whole(cosine), "That is the cosine: the site's mean over images is still in, and makes "
         "every site look reliable.", "Subtract the mean over images."),
        (whole(covariance), "You used the covariance. Divide by both spreads."),
        (np.sqrt(r), "You took the root of the halves' correlation. Spearman and Brown's formula "
         "is 2 r / (1 + r)."),
        (r / (1 + r), "The factor 2 is missing: for r = 1 the formula must give 1."),
        (2 * r, "You doubled r, which can exceed 1. The formula divides by 1 + r."),
        (np.sqrt(whole(r)), "You took the root as well. That is the highest correlation that a "
         "noise-free model can reach, and the next section's point; here the reliability itself."),
    ])
    return "The share of each site's variance over images that would come again: its reliability."

"""Planted wrong answers to chapter 6's exercises, each with what its check must say."""

from mutants.changing import but, returning

_DRAW = """
def draw_frequencies(u, edges, counts):
    shares = counts / counts.sum()
    reached = np.concatenate([[0], shares.cumsum()])
    return 2 ** np.interp(u, reached, np.log2(edges))
"""

_FANO = """
def fano(counts):
    return counts.var(0) / counts.mean(0)
"""

_GRADIENT = """
def averaged_gradient(net, images, labels, draws):
    total = torch.zeros_like(images)
    for _ in range(draws):
        x = images.clone().requires_grad_()
        loss = F.cross_entropy(net(x), labels, reduction="sum")
        total += torch.autograd.grad(loss, x)[0]
    return total / draws
"""

_FIXED = """
from brainkit.models.vonenet import fixed_noise
def averaged_gradient(net, images, labels, draws):
    total = torch.zeros_like(images)
    for _ in range(draws):
        x = images.clone().requires_grad_()
        with fixed_noise(0):
            loss = F.cross_entropy(net(x), labels, reduction="sum")
        total += torch.autograd.grad(loss, x)[0]
    return total / draws
"""

_QUIET = """
from brainkit.models import vonenet
def averaged_gradient(net, images, labels, draws):
    total = torch.zeros_like(images)
    for _ in range(draws):
        x = images.clone().requires_grad_()
        with vonenet.noise(net, None):
            loss = F.cross_entropy(net(x), labels, reduction="sum")
        total += torch.autograd.grad(loss, x)[0]
    return total / draws
"""


MUTANTS = {
    "ch06.draw_frequencies": [
        (but(_DRAW, ("shares = counts / counts.sum()",
                      "shares = np.full(len(counts), 1 / len(counts))")),
         "the counts have no effect"),
        (returning(_DRAW, "np.interp(u, reached, edges)"), "evenly in cycles per degree"),
        (returning(_DRAW, "np.interp(u, reached, np.log2(edges))"), "You returned octaves"),
        (but(_DRAW, ("2 ** np.interp", "np.exp(np.interp"), ("np.log2(edges))", "np.log2(edges)))")
              ), "undid another one"),
        (returning(_DRAW, 'edges[np.searchsorted(reached, u, side="right") - 1]'), "lower edge"),
        (returning(_DRAW, 'edges[np.searchsorted(reached, u, side="right")]'), "upper edge"),
        (but(_DRAW, ("counts / counts.sum()", "counts")), "not the shares"),
        (but(_DRAW, ("np.concatenate([[0], shares.cumsum()])", "shares.cumsum()"),
              ("np.log2(edges)", "np.log2(edges[1:])")), "lacks its start"),
        (but(_DRAW, ("np.concatenate([[0], shares.cumsum()])", "shares.cumsum()"),
              ("np.log2(edges)", "np.log2(edges[:-1])")), "shifted down by one"),
        (but(_DRAW, ("counts / counts.sum()",
                      "(counts / np.diff(edges)) / (counts / np.diff(edges)).sum()")),
         "width of their bins"),
        (but(_DRAW, ("np.interp(u,", "np.interp(np.sort(u),")), "number by number"),
    ],
    "ch06.fano": [
        (returning(_FANO, "counts.std(0) / counts.mean(0)"), "coefficient of variation"),
        (returning(_FANO, "counts.mean(0) / counts.var(0)"), "upside down"),
        (returning(_FANO, "counts.var(0)"), "the variance alone"),
        (returning(_FANO, "counts.var(0) / counts.mean(0)**2"), "square of the mean"),
        (returning(_FANO, "(counts**2).mean(0) / counts.mean(0)"), "mean of the squares"),
        (returning(_FANO, "counts.var(1) / counts.mean(1)"), "across cells"),
        (returning(_FANO, "counts.var(0) / counts.mean()"), "Each cell has its own"),
        (returning(_FANO, "(counts.var(0) / counts.mean(0)).mean()"), "averaged over the cells"),
        (returning(_FANO, "counts.var() / counts.mean()"), "over everything"),
    ],
    "ch06.averaged_gradient": [
        (but(_GRADIENT, ("range(draws)", "range(1)"), ("total / draws", "total")), "ran 1 time"),
        (but(_GRADIENT, ("total / draws", "total")), "without dividing"),
        (but(_GRADIENT, ("total / draws", "total.sign()")), "You returned signs"),
        (but(_GRADIENT, ("grad(loss, x)[0]", "grad(loss, x)[0].sign()")),
         "averaged the signs"),
        (but(_GRADIENT, (', reduction="sum"', "")), "mean over the batch"),
        (but(_GRADIENT, ("loss = F", "loss = -F")), "The sign is wrong"),
        (_QUIET, "without its noise"),
        (_FIXED, "all one draw"),
    ],
}

"""Planted wrong answers to chapter 8's exercises, each with what its check must say."""

from mutants.changing import but, returning

_PREPARE = """
def prepare(saliency, people):
    def cut(m):
        mean = m.mean((2, 3), keepdim=True)
        spread = m.std((2, 3), unbiased=False, keepdim=True)
        return ((m - mean) / (spread + 1e-5)).relu()

    net, people = cut(saliency), cut(people)
    peak = net.amax((2, 3), keepdim=True).detach()
    top = people.amax((2, 3), keepdim=True)
    return net, people / (top + 1e-6) * peak
"""

_SMALLER = """
def smaller(maps):
    row = torch.tensor([1.0, 4, 6, 4, 1])
    kernel = torch.outer(row, row)[None, None] / 256
    return F.conv2d(F.pad(maps, (1, 2, 1, 2)), kernel, stride=2)
"""

_LOSS = """
def pyramid_loss(net, people, has_map, smaller, levels=5):
    token, total = has_map.float().view(-1, 1, 1, 1), 0
    for level in range(levels):
        if level > 0:
            net, people = smaller(net), smaller(people)
        total = total + (token * (net - people) ** 2).mean()
    return total / levels
"""

MUTANTS = {
    "ch08.prepare": [
        (but(_PREPARE, (".relu()", "")), "negative values are still there"),
        (but(_PREPARE, (".relu()", ".abs()")), "You took absolute values"),
        (but(_PREPARE, ("((m - mean) / (spread + 1e-5))", "m")), "did not standardise"),
        (but(_PREPARE, ("mean = m", "m = m.relu()\n        mean = m")), "You cut at 0 first"),
        (but(_PREPARE, ("mean = m", "m = m.relu()\n        mean = m"), ("1e-5)).relu()", "1e-5))")),
         "brings negative values back"),
        (but(_PREPARE, ("m.mean((2, 3)", "m.mean((0, 2, 3)"), ("m.std((2, 3)", "m.std((0, 2, 3)")),
         "over the whole batch"),
        (but(_PREPARE, ("unbiased=False", "unbiased=True")), "n - 1"),
        (returning(_PREPARE, "net / peak * top, people"), "You scaled the net's map to people's"),
        (returning(_PREPARE, "net / peak, people / top"), "to a peak of 1. It stays"),
        (returning(_PREPARE, "net, people"), "not scaled yet"),
        (returning(_PREPARE, "net, people / top"), "Multiply it by the net's peak"),
        (returning(_PREPARE, "net, people / top * peak.max()"), "highest peak of the batch"),
        (but(_PREPARE, ("net, people = cut(saliency), cut(people)", "net = cut(saliency)")),
         "scaled, but not cut"),
        (but(_PREPARE, ("peak = net.amax", "peak = saliency.amax")), "peak of the raw saliency"),
        (returning(_PREPARE, "net.detach(), people / top * peak"), "it was detached"),
        (but(_PREPARE, (".detach()", "")), "making the *target* fainter"),
        (returning(_PREPARE, "net"), "Return two tensors"),
    ],
    "ch08.smaller": [
        (but(_SMALLER, ("F.pad(maps, (1, 2, 1, 2))", "maps"), ("stride=2", "stride=2, padding=2")),
         "You put two zeros before each side"),
        (but(_SMALLER, ("(1, 2, 1, 2)", "(2, 1, 2, 1)")), "You put two zeros before each side"),
        (but(_SMALLER, ("(1, 2, 1, 2)", '(1, 2, 1, 2), mode="reflect"')), "You mirrored"),
        (but(_SMALLER, ("(1, 2, 1, 2)", '(1, 2, 1, 2), mode="replicate"')), "You repeated"),
        (but(_SMALLER, (" / 256", "")), "sum to 256 and not"),
        (but(_SMALLER, (" / 256", " / 16")), "sum to 16 and not"),
        (but(_SMALLER, ("[1.0, 4, 6, 4, 1]", "[1.0, 1, 1, 1, 1]"), ("256", "25")),
         "kernel are equal"),
        (but(_SMALLER, ("stride=2", "stride=1")), "as large as before"),
        (returning(_SMALLER, "maps[..., ::2, ::2]"), "without blurring first"),
        (returning(_SMALLER, "F.avg_pool2d(maps, 2)"), "blocks of 2 × 2"),
        (but(_SMALLER, ("F.pad(maps, (1, 2, 1, 2))", "maps")), "more than half"),
    ],
    "ch08.pyramid_loss": [
        (returning(_LOSS, "total"), "You added the levels up"),
        (but(_LOSS, ("range(levels)", "range(1)"), ("total / levels", "total")),
         "finest level alone"),
        (but(_LOSS, ("token * ", "")), "as if they had one"),
        (returning(_LOSS, "total / levels / token.mean()"), "images that have a map"),
        (but(_LOSS, ("range(levels)", "range(levels + 1)"), ("/ levels", "/ (levels + 1)")),
         "one level too many"),
        (but(_LOSS, ("if level > 0", "if level >= 0")), "left out the finest level"),
        (but(_LOSS, ("range(levels)", "range(levels - 1)"), ("/ levels", "/ (levels - 1)")),
         "One level is missing"),
        (but(_LOSS, ("(net - people) ** 2", "(net - people).abs()")), "absolute differences"),
        (but(_LOSS, (".mean()", ".mean().sqrt()")), "You took a root"),
        (but(_LOSS, (".mean()", ".sum()")), "You summed over pixels"),
        (but(_LOSS, ("range(levels)", "range(5)")), "not that of three levels"),
    ],
}

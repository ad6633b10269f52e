"""Checks of chapter 8, neural harmonisation."""

import torch
from torch.nn import functional as F

from brainkit.alignment import pyramid

from .machinery import Misconception, check, compare, same, tensor


def _standardised(maps, over=(2, 3), unbiased=False):
    mean = maps.mean(over, keepdim=True)
    return (maps - mean) / maps.std(over, unbiased=unbiased, keepdim=True)


def _peak(maps):
    return maps.amax((2, 3), keepdim=True)


@check("ch08.prepare")
def prepare(answer):
    """answer(saliency, people), (b, 1, h, w) each -> both cut, people's at the net's peak."""
    scales = torch.tensor([1.0, 4.0, 0.3])[:, None, None, None]
    s = torch.randn(3, 1, 6, 8) * scales + 0.4
    people = torch.rand(3, 1, 6, 8) ** 3 * scales.flip(0) + 0.2
    given = s.clone().requires_grad_()
    out = answer(given, people.clone())
    if not isinstance(out, tuple | list) or len(out) != 2:
        raise Misconception("Return two tensors: the net's map, cut, and people's, cut and scaled.",
                            "`return net, people`")
    net, target = (tensor(part, name) for part, name in
                   zip(out, ("The net's map", "People's map"), strict=True))
    z, h = _standardised(s), _standardised(people)
    want, cut = z.relu(), h.relu()
    compare(net, want, what="The net's map", wrong=[
        (z, "The net's map is standardised, but its negative values are still there: what lies "
         "below the image's mean should be 0.", "`.relu()`"),
        (z.abs(), "You took absolute values. What lies below the mean is to become 0, not as "
         "important as what lies above.", "`.relu()`"),
        (s.relu(), "You set negative values to 0, but did not standardise: subtract each image's "
         "mean and divide by its standard deviation first."),
        (_standardised(s.relu()).relu(), "You cut at 0 first and standardised then. The cut is at "
         "the image's mean, so standardise first."),
        (_standardised(s.relu()), "You cut first and standardised then, which brings negative "
         "values back.", "Standardise first, then `.relu()`."),
        (_standardised(s, (0, 2, 3)).relu(), "You took mean and standard deviation over the whole "
         "batch. An image's map must not depend on its company.", "Reduce over (2, 3) only."),
        (_standardised(s, unbiased=True).relu(), "You divided by n - 1 in the variance. Here the "
         "pixels are all there is, no sample of more: divide by n.", "`std(..., unbiased=False)`"),
        (want / _peak(want) * _peak(cut), "You scaled the net's map to people's. It is the other "
         "way round: people's map is scaled to the net's peak."),
        (want / _peak(want), "You scaled the net's map to a peak of 1. It stays as it is; people's "
         "map is scaled to its peak."),
    ], tolerance=1e-3)  # of the small numbers added where one divides
    compare(target, cut / _peak(cut) * _peak(want), what="People's map", wrong=[
        (cut, "People's map is cut, but not scaled yet: its highest value should be the net's "
         "highest value in the same image."),
        (cut / _peak(cut), "People's map has a peak of 1. Multiply it by the net's peak.",
         "Both peaks are taken after the cut, image by image."),
        (cut / _peak(cut) * want.max(), "You scaled all images to the highest peak of the batch. "
         "Each image has its own.", "`amax((2, 3), keepdim=True)`"),
        (people / _peak(people) * _peak(want), "People's map was scaled, but not cut. It gets the "
         "same treatment as the net's."),
        (cut / _peak(cut) * _peak(s), "You scaled to the peak of the raw saliency. Take it after "
         "the cut."),
    ], tolerance=1e-3)
    if not (torch.is_tensor(out[0]) and out[0].requires_grad):
        raise Misconception("No gradient can flow through the net's map: it was detached, so the "
                            "loss could teach the net nothing.", "Detach the *peak* only.")
    if torch.is_tensor(out[1]) and out[1].requires_grad:
        (slope,) = torch.autograd.grad(out[1].sum(), given, allow_unused=True)
        if slope is not None and bool((slope != 0).any()):
            raise Misconception(
                "The values are right, but a gradient flows into people's map through the peak: "
                "the net could lower its loss by making the *target* fainter.",
                "`.detach()` the net's peak.")
    return ("Both maps are cut at their image's mean, and people's is measured by the net's peak, "
            "which is taken as given.")


@check("ch08.smaller")
def smaller(answer):
    """answer(maps (b, 1, h, w)) -> (b, 1, h/2, w/2): the next level of the pyramid."""
    maps = torch.rand(2, 1, 12, 16)
    found = tensor(answer(maps.clone()), "The level")
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])
    kernel = (torch.outer(row, row) / 256)[None, None]

    def level(padding, kernel=kernel, mode="constant", stride=2):
        return F.conv2d(F.pad(maps, padding, mode=mode), kernel, stride=stride)

    want = level((1, 2, 1, 2))
    compare(found, want, what="The level", wrong=[
        (level((2, 2, 2, 2)), "You put two zeros before each side: the kernel then sits one pixel "
         "too far to the upper left. Of an even side it is one before and two behind.",
         "`F.pad(maps, (1, 2, 1, 2))`, as (left, right, top, bottom), then a convolution without "
         "padding."),
        (level((1, 2, 1, 2), mode="reflect"), "You mirrored the image at its border. Here there "
         "are zeros beyond it.", 'Leave out `mode="reflect"`.'),
        (level((1, 2, 1, 2), mode="replicate"), "You repeated the border's pixels. Here there are "
         "zeros beyond it."),
        (level((1, 2, 1, 2), kernel * 256), "The kernel's weights sum to 256 and not to 1, so each "
         "level is far brighter than the one before.", "Divide by the sum."),
        (level((1, 2, 1, 2), kernel * 16), "The kernel's weights sum to 16 and not to 1: a row "
         "sums to 16, its product with itself to 256.", "Divide by 256."),
        (level((1, 2, 1, 2), torch.full_like(kernel, 1 / 25)), "All weights of your kernel are "
         "equal. A Gaussian pyramid weighs near pixels more: 1, 4, 6, 4, 1 in both directions."),
        (level((1, 2, 1, 2), stride=1), "The level is blurred, but as large as before: take every "
         "second pixel.", "`stride=2`"),
        (level((2, 2, 2, 2), stride=1), "The level is blurred, but as large as before: take every "
         "second pixel.", "`stride=2`"),
        (maps[..., ::2, ::2], "You took every second pixel without blurring first, so detail "
         "between them appears or vanishes by chance.", "Convolve with the kernel."),
        (F.avg_pool2d(maps, 2), "You averaged blocks of 2 × 2. The pyramid blurs with a 5 × 5 "
         "kernel, whose neighbours overlap."),
        (level((0, 0, 0, 0)), "Without zeros around it the map loses more than half of its size: "
         "it should be exactly half as large.", "`F.pad` first."),
    ])
    return ("Blur, then every second pixel: the next level, with TensorFlow's zeros at the border, "
            "as the authors' code has it.")


@check("ch08.pyramid_loss")
def pyramid_loss(answer):
    """answer(net, people, has_map, smaller, levels) -> scalar: Fel's term, of prepared maps."""
    net, people = torch.rand(4, 1, 64, 64), torch.rand(4, 1, 64, 64)
    people[:, :, :20] += 0.5  # so that the coarse levels differ, too
    has_map = torch.tensor([True, True, False, True])
    token = has_map.float().view(-1, 1, 1, 1)

    def half(maps):
        return pyramid(maps, 2)[1]

    def one(difference):
        """For each level of 6: the masked mean of something of the difference."""
        levels = zip(pyramid(net, 6), pyramid(people, 6), strict=True)
        return torch.stack([(token * difference(a - b)).mean() for a, b in levels])

    squares = one(torch.square)
    unmasked = torch.stack([(a - b).square().mean() for a, b in
                            zip(pyramid(net, 5), pyramid(people, 5), strict=True)])
    late = torch.stack([(token * p).mean() for p in pyramid((net - people).square(), 5)])
    masked = [token * (a - b).square() for a, b in
              zip(pyramid(net, 5), pyramid(people, 5), strict=True)]
    wrong = [
        (squares[:5].sum(), "You added the levels up. Take their mean.", "Divide by `levels`."),
        (squares[0], "That is the finest level alone: no pyramid yet.",
         "Replace both maps by `smaller` of themselves in each turn."),
        (unmasked.mean(), "The images without a map count as if they had one. Multiply the squared "
         "differences by `has_map`.", "`has_map.view(-1, 1, 1, 1)`"),
        (squares[:5].mean() * 4 / 3, "You averaged over the images that have a map. The authors' "
         "mean runs over the whole batch, in which images without a map count as 0."),
        (squares.mean(), "You took one level too many: with `levels=5` the maps are made smaller "
         "four times.", "The first level is the map as it is."),
        (squares[1:].mean(), "You left out the finest level: make the maps smaller *after* the "
         "difference is taken."),
        (squares[:4].mean(), "One level is missing: with `levels=5` there are five differences."),
        (one(torch.abs)[:5].mean(), "You took absolute differences; the loss squares them."),
        (squares[:5].sqrt().mean(), "You took a root. The loss is the mean square itself."),
        (torch.stack([m.sum() for m in masked]).mean(), "You summed over pixels. Then the finest "
         "level, which has most of them, decides alone: take the mean of each level."),
        (torch.cat([m.flatten() for m in masked]).mean(), "You averaged over the pixels of all "
         "levels at once, so that fine levels weigh more. Take each level's mean first, then the "
         "mean of the levels."),
        (late.mean(), "You made the squared difference smaller. Make both maps smaller, and take "
         "the difference at each level: only so can differences cancel within a region."),
        (torch.stack([m.square().mean() for m in pyramid(net * token, 5)]).mean(),
         "People's map plays no role in your loss."),
    ]
    found = tensor(answer(net, people, has_map, half, 5), "The loss")
    compare(found, squares[:5].mean(), what="The loss", wrong=wrong)
    all_maps = torch.ones(4, dtype=torch.bool)
    fewer = torch.stack([(a - b).square().mean() for a, b in
                         zip(pyramid(net, 3), pyramid(people, 3), strict=True)]).mean()
    if not same(tensor(answer(net, people, all_maps, half, 3), "The loss"), fewer):
        raise Misconception("With `levels=3` the loss is not that of three levels.",
                            "Use `levels`, not 5.")
    return ("Fel's term, level by level: a fine difference counts at the top, a displacement that "
            "blurring cannot mend counts at every level.")

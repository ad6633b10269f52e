"""Planted wrong answers to chapter 2's exercises, each with what its check must say."""

from mutants.changing import but

_BIAS = """
def shape_bias(shape, texture, response):
    conflict = shape != texture
    by_shape = (conflict & (response == shape)).sum()
    by_texture = (conflict & (response == texture)).sum()
    return by_shape / (by_shape + by_texture)
"""

_KAPPA = """
def error_consistency(right_1, right_2):
    p_1, p_2 = right_1.mean(), right_2.mean()
    observed = (right_1 == right_2).mean()
    expected = p_1 * p_2 + (1 - p_1) * (1 - p_2)
    return (observed - expected) / (1 - expected)
"""

_FGSM = """
def fgsm_step(net, images, labels, epsilon):
    images = images.clone().requires_grad_()
    loss = F.cross_entropy(net(images), labels)
    gradient = torch.autograd.grad(loss, images)[0]
    return (images + epsilon * gradient.sign()).clamp(0, 1).detach()
"""


_END_BIAS = "by_shape / (by_shape + by_texture)"
_END_KAPPA = "(observed - expected) / (1 - expected)"
_END_FGSM = "(images + epsilon * gradient.sign()).clamp(0, 1).detach()"

MUTANTS = {
    "ch02.shape_bias": [
        (but(_BIAS, (_END_BIAS, "by_texture / (by_shape + by_texture)")), "*texture* bias"),
        (but(_BIAS, (_END_BIAS, "by_shape / by_texture")), "by the texture decisions"),
        (but(_BIAS, (_END_BIAS, "by_shape / conflict.sum()")), "all trials with a conflict"),
        (but(_BIAS, (_END_BIAS, "by_shape / len(shape)")), "the number of all trials"),
        (but(_BIAS, (_END_BIAS, "(response == shape).mean()")), "the accuracy by shape"),
        (but(_BIAS, ("shape != texture", "shape == shape")), "no conflict in them"),
        (but(_BIAS, (_END_BIAS, "100 * by_shape / (by_shape + by_texture)")), "in percent"),
        (but(_BIAS, (_END_BIAS, "conflict & (response == shape)")), "one number"),
        (but(_BIAS, ("shape != texture", "shape is not texture")), "no conflict in them"),
    ],
    "ch02.error_consistency": [
        (but(_KAPPA, (_END_KAPPA, "observed")), "share of pictures on which the two agree"),
        (but(_KAPPA, (_END_KAPPA, "observed - expected")), "stopped there"),
        (but(_KAPPA, (_END_KAPPA, "(observed - expected) / expected")), "divided by c_exp"),
        (but(_KAPPA, ("(right_1 == right_2)", "(right_1 & right_2)")), "only pictures on which"),
        (but(_KAPPA, (" + (1 - p_1) * (1 - p_2)", "")), "both being right"),
        (but(_KAPPA, (" + (1 - p_1) * (1 - p_2)", ""),
              ("(right_1 == right_2)", "(right_1 & right_2)")), "only where both are right"),
        (but(_KAPPA, ("p_1 * p_2 + (1 - p_1) * (1 - p_2)", "0.5")), "two coins"),
        (but(_KAPPA, (_END_KAPPA, "np.corrcoef(right_1, right_2)[0, 1]")), "the correlation"),
        (but(_KAPPA, (").mean()\n    expected", ")\n    expected")), "one number"),
        (but(_KAPPA, (_END_KAPPA, "abs(observed - expected) / (1 - expected)")), "never agree"),
    ],
    "ch02.fgsm_step": [
        (but(_FGSM, ("images + epsilon", "images - epsilon")), "went *down* the loss"),
        (but(_FGSM, (".clamp(0, 1)", "")), "leave [0, 1]"),
        (but(_FGSM, ("gradient.sign()", "gradient")), "added the gradient itself"),
        (but(_FGSM, ("epsilon * gradient", "epsilon / 255 * gradient")), "once more"),
        (but(_FGSM, ("epsilon * gradient", "255 * epsilon * gradient")), "multiplied epsilon"),
        (but(_FGSM, (".detach()", "")), "still carry the graph"),
        (but(_FGSM, ("F.cross_entropy(net(images), labels)", "net(images).max(1).values.sum()")),
         "the largest score"),
        (but(_FGSM, ("labels)\n", "net(images).argmax(1))\n")), "what the net says instead"),
        (but(_FGSM, (_END_FGSM, "(epsilon * gradient.sign()).detach()")), "the step alone"),
        (but(_FGSM, ("gradient = torch.autograd.grad(loss, images)[0]",
                      "loss.backward(); gradient = images.grad")), "left gradients"),
        (but(_FGSM, ("images = images.clone()", "images = images")), "ask for gradients"),
        (but(_FGSM, (_END_FGSM, "images.data.add_(epsilon * gradient.sign())"),
              ("images.clone()", "images")), "changed its input in place"),
    ],
}

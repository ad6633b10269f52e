"""Planted wrong answers to chapter 3's exercises, each with what its check must say."""

from mutants.changing import but, returning

_COMPLEX = """
def complex_cell(images, even, odd):
    e = (images * even).sum((1, 2))
    o = (images * odd).sum((1, 2))
    return torch.sqrt(e**2 + o**2)
"""

_RATIO = """
def modulation_ratio(responses):
    phase = torch.arange(len(responses)) * (2 * torch.pi / len(responses))
    cosine = (responses * torch.cos(phase)).mean()
    sine = (responses * torch.sin(phase)).mean()
    return 2 * torch.sqrt(cosine**2 + sine**2) / responses.mean()
"""

_STACK = """
def stack(layers, kernel, channels):
    side = 1 + layers * (kernel - 1)
    weights = layers * kernel**2 * channels**2
    return side, weights
"""


MUTANTS = {
    "ch03.complex_cell": [
        (returning(_COMPLEX, "e**2 + o**2"), "the energy itself"),
        (returning(_COMPLEX, "e + o"), "signed responses"),
        (returning(_COMPLEX, "e.abs() + o.abs()"), "added absolute values"),
        (returning(_COMPLEX, "e.relu() + o.relu()"), "rectified and added"),
        (returning(_COMPLEX, "(e.relu()**2 + o.relu()**2).sqrt()"), "rectified before"),
        (returning(_COMPLEX, "((e + o)**2).sqrt()"), "added first"),
        (returning(_COMPLEX, "torch.maximum(e.abs(), o.abs())"), "larger of the two"),
        (but(_COMPLEX, ("images * odd", "images * even"), ("e**2 + o**2", "e**2")), "even cell"),
        (but(_COMPLEX, (".sum((1, 2))", ".sum()")), "one response for each image"),
    ],
    "ch03.modulation_ratio": [
        (but(_RATIO, ("2 * torch.sqrt", "torch.sqrt")), "half of what it should be"),
        (but(_RATIO, (" / responses.mean()", "")), "F1 alone"),
        (returning(_RATIO, "(responses.max() - responses.min()) / responses.mean()"), "range"),
        (returning(_RATIO, "(responses.max() - responses.min()) / 2 / responses.mean()"),
         "half the range"),
        (returning(_RATIO, "responses.std(unbiased=False) / responses.mean()"),
         "standard deviation"),
        (returning(_RATIO, "responses.mean() / (2 * torch.sqrt(cosine**2 + sine**2))"),
         "upside down"),
        (returning(_RATIO, "2 * cosine.abs() / responses.mean()"), "cosine only"),
        (but(_RATIO, ("(2 * torch.pi", "2 * (2 * torch.pi")), "second harmonic"),
        (but(_RATIO, ("(phase)).mean()", "(phase)).sum()")), "it grows with the number"),
        (but(_RATIO, ("(phase)).mean()", "(phase)).sum() / 32")), "16 phases"),
    ],
    "ch03.stack": [
        (but(_STACK, ("1 + layers * (kernel - 1)", "layers * kernel")), "each further layer"),
        (but(_STACK, ("1 + layers", "layers")), "pixel in the middle"),
        (but(_STACK, ("1 + layers * (kernel - 1)", "kernel**layers")), "You multiplied"),
        (but(_STACK, ("channels**2", "channels")), "every input channel"),
        (but(_STACK, ("layers * kernel**2", "kernel**2")), "one layer only"),
        (but(_STACK, ("layers * kernel**2", "side**2")), "which the stack avoids"),
        (returning(_STACK, "weights"), "Return two numbers"),
    ],
}

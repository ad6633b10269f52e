"""Planted wrong answers to chapter 5's exercises, each with what its check must say."""

from mutants.changing import but

_AREA = """
def area(x, branch, shortcut, times):
    for t in range(times):
        kept = shortcut(x) if t == 0 else x
        x = torch.relu(branch(x, t) + kept)
    return x
"""

_LAYERS = """
def layers(times):
    has = 2 + len(times) * (1 + 3) + 1
    passes = 2 + sum(1 + 3 * t for t in times) + 1
    return has, passes
"""

_STEP = """
def solution_step(right):
    unbroken = right.flip(0).long().cumprod(0).sum(0)
    return len(right) - unbroken
"""


MUTANTS = {
    "ch05.area": [
        (but(_AREA, ("    return x", "        return x")), "Only one step"),
        (but(_AREA, ("range(times)", "range(times - 1)")), "One step too few"),
        (but(_AREA, ("range(times)", "range(times + 1)")), "One step too many"),
        (but(_AREA, ("torch.relu(branch(x, t) + kept)", "branch(x, t) + kept")),
         "ReLU is missing"),
        (but(_AREA, ("torch.relu(branch(x, t) + kept)", "torch.relu(branch(x, t)) + kept")),
         "ReLU comes last"),
        (but(_AREA, (" + kept", "")), "shortcut is missing"),
        (but(_AREA, ("branch(x, t)", "branch(x, min(t, 1))")), "the normalisations are not"),
        (but(_AREA, ("branch(x, t)", "branch(x, 0)")), "raised `RuntimeError`"),
        (but(_AREA, ("shortcut(x) if t == 0 else x", "shortcut(x)")), "raised `RuntimeError`"),
        (but(_AREA, ("range(times)", "range(4)")), "written into your code"),
        ("""
def area(x, branch, shortcut, times):
    first = state = torch.relu(branch(x, 0) + shortcut(x))
    for t in range(1, times):
        state = torch.relu(branch(first, t) + state)
    return state
""", "nothing recurs"),
        ("""
def area(x, branch, shortcut, times):
    for t in range(1, times):
        x = torch.relu(branch(x, t) + x)
    return x
""", "as large as the input"),
    ],
    "ch05.layers": [
        (but(_LAYERS, ("return has, passes", "return passes, passes")), "You charged every use"),
        (but(_LAYERS, ("len(times) * (1 + 3)", "len(times) * (1 + 4)")), "shortcut's convolution"),
        (but(_LAYERS, ("(1 + 3) + 1", "(1 + 3)")), "linear one at the end"),
        (but(_LAYERS, ("has = 2 + ", "has = ")), "V1's two convolutions"),
        (but(_LAYERS, ("* (1 + 3)", "* 3")), "takes each area's input"),
        (but(_LAYERS, ("return has, passes", "return has, has")), "what the net has"),
        (but(_LAYERS, ("1 + 3 * t", "4 * t")), "It runs once"),
        (but(_LAYERS, ("1 + 3 * t", "3 * t")), "takes each area's input"),
        (but(_LAYERS, ("1 + 3 * t", "1 + t")), "three convolutions, not one"),
        (but(_LAYERS, ("return has, passes", "return passes, has")), "wrong way round"),
        (but(_LAYERS, ("return has, passes", "return has")), "Return two numbers"),
    ],
    "ch05.solution_step": [
        (but(_STEP, ("unbroken = right.flip(0).long().cumprod(0).sum(0)",
                      "first = right.long().argmax(0)"),
              ("len(right) - unbroken",
               "torch.where(right.any(0), first, torch.tensor(len(right)))")),
         "It may lose the object again"),
        (but(_STEP, ("return len(right) - unbroken", "return right.long().argmax(0)")),
         "`argmax` gives 0"),
        (but(_STEP, ("len(right) - unbroken",
                      "torch.where(unbroken > 0, len(right) - unbroken, -1)")), "got -1"),
        (but(_STEP, ("len(right) - unbroken",
                      "torch.where(unbroken > 0, len(right) - unbroken, 0)")), "solved at once"),
        (but(_STEP, ("len(right) - unbroken", "unbroken")), "at which they begin"),
        (but(_STEP, ("len(right) - unbroken", "len(right) - unbroken + 1")), "number 0"),
        (but(_STEP, ("cumprod(0).", "")), "wherever they are"),
        (but(_STEP, ("right.flip(0)", "right"), ("len(right) - unbroken", "unbroken")),
         "at the *start*"),
    ],
}

"""Checks of chapter 5, CORnet-S."""

import torch

from .machinery import Misconception, check, compare, same, tensor


@check("ch05.area")
def area(answer):
    """answer(x (b,c,h,w), branch(x, t), shortcut(x), times) -> state (b,c,h',w')."""
    weight = torch.randn(3, 3) / 2

    def branch(x, t, size=slice(None)):
        y = torch.einsum("oc,bchw->bohw", weight, torch.tanh(x)) + 0.3 * (t - 1)
        return y[..., ::2, ::2] if t == 0 else y

    def shortcut(x):
        return 0.7 * x[..., ::2, ::2] - 0.1

    x = torch.randn(2, 3, 8, 8)

    def run(times, shared=False, relu=True, skip=True, inner=False, again=False):
        state, start = x, None
        for t in range(times):
            at = 0 if t == 0 else 1 if shared else t
            work = branch(start if again and t else state, at)
            kept = shortcut(state) if t == 0 else state
            if not skip:
                kept = 0
            state = work.relu() + kept if inner else work + kept
            state = state.relu() if relu and not inner else state
            start = state if t == 0 else start
        return state

    times = 4
    found = answer(x, branch, shortcut, times)
    if torch.is_tensor(found) and found.shape == x.shape:
        raise Misconception(
            "Your state is as large as the input: the first step has to shrink it, branch and "
            "shortcut alike.", "In the pass `t == 0` use `branch(x, 0)` and `shortcut(x)`.")
    found = tensor(found, "The state")
    first = torch.relu(branch(x, 0) + shortcut(x))
    compare(found, run(times), what="The state", wrong=[
        (first, f"Only one step was run; {times} were asked for. Does your `return` stand inside "
         "the loop?"),
        (run(times - 1), "One step too few. `range(times)` counts from 0 to `times - 1`, which "
         "is `times` passes."),
        (run(times + 1), "One step too many: the first pass, with the shortcut, is one of the "
         "`times`."),
        (run(times, relu=False), "The ReLU is missing: the state would never be cut off at zero."),
        (run(times, inner=True), "You rectified the branch and added the shortcut afterwards. "
         "The ReLU comes last, after the sum.", "`torch.relu(branch(x, t) + kept)`"),
        (run(times, skip=False), "The shortcut is missing: the new state is the branch *plus* "
         "what the shortcut hands on."),
        (run(times, shared=True), "From the second step on you call `branch(x, 1)`. The "
         "convolutions are the same in every step, but the normalisations are not: pass on `t`."),
        (run(times, again=True), "Every later step starts from the first step's state, so nothing "
         "recurs: each must start from the state *before* it.", "Replace `x` in each pass."),
    ])
    one = tensor(answer(x, branch, shortcut, 1), "The state")
    if not same(one, first):
        raise Misconception("With a single step the result is wrong: the number of steps seems "
                            "to be written into your code.", "Use `times`.")
    return ("That is CORnet-S's recurrence: one set of convolutions, applied again and again to "
            "its own result, with ResNet's shortcut around them.")


@check("ch05.layers")
def layers(answer):
    """answer(times) -> (layers with weights, layers passed)."""
    cases = [(2, 4, 2), (1, 1, 1), (3, 2, 5), (5, 1, 1)]
    found = []
    for case in cases:
        out = answer(case)
        if not isinstance(out, tuple | list) or len(out) != 2:
            raise Misconception("Return two numbers: the layers the net has, and those a signal "
                                "passes.", "`return has, passes`")
        found.append([float(v) for v in out])
    found = torch.tensor(found).T
    steps = torch.tensor([float(sum(case)) for case in cases])
    has, passes = torch.full((4,), 15.0), 6 + 3 * steps
    if same(found[0], passes) and same(found[1], has):
        raise Misconception("The two numbers are the right ones, the wrong way round: first what "
                            "the net has, then what a signal passes.")
    compare(found[0], has, what="The number of layers", wrong=[
        (passes, "You charged every use. A layer that runs four times is still *one* layer: its "
         "weights exist once.", "The steps play no role for this number."),
        (has + 3, "You counted the shortcut's convolution. It lies beside the branch, on the "
         "shorter path, and depth is counted along the longest."),
        (has - 1, "One layer is missing: the linear one at the end has weights, too."),
        (has - 2, "V1's two convolutions are missing."),
        (has - 3, "The convolution that takes each area's input is missing, or the linear layer "
         "and V1's two: an area has 1 + 3 layers on its path, and there are 2 + 1 outside."),
    ])
    compare(found[1], passes, what="The number of layers passed", wrong=[
        (has, "That is what the net has. A signal passes the branch's three convolutions in "
         "*every* step."),
        (3 + 4 * steps, "You let the input's convolution run in every step. It runs once, before "
         "the first; the branch's three run in each."),
        (passes + 3, "You counted the shortcut's convolution. It lies beside the branch, on the "
         "shorter path."),
        (passes - 1, "One layer is missing: the linear one at the end."),
        (passes - 2, "V1's two convolutions are missing."),
        (passes - 3, "The convolution that takes each area's input is missing."),
        (3 + 3 * steps, "The convolution that takes each area's input is missing."),
        (6 + steps, "A step is the whole branch, three convolutions, not one."),
    ])
    return ("15 layers, as published, through which a signal passes as through 30: depth in "
            "time, without the weights.")


@check("ch05.solution_step")
def solution_step(answer):
    """answer(right (steps, images) bool) -> (images,): first step from which on all are true."""
    right = torch.tensor([[1, 0, 0, 0, 1, 0, 1, 0],
                          [1, 1, 0, 1, 0, 0, 1, 0],
                          [1, 1, 0, 0, 0, 1, 1, 0],
                          [1, 1, 1, 1, 0, 0, 0, 0]], dtype=torch.bool)
    steps = len(right)
    unbroken = right.flip(0).long().cumprod(0).sum(0)
    want = steps - unbroken
    found = tensor(answer(right), "The step")
    ever = right.any(0)
    first_right = torch.where(ever, right.long().argmax(0), steps)
    unsolved = want == steps
    compare(found, want, what="The step", wrong=[
        (first_right, "You took the first step at which the decoder is right. It may lose the "
         "object again: solved means right *until the end*."),
        (right.long().argmax(0), "You took the first step that is true, and `argmax` gives 0 "
         "where there is none. Solved means right until the end, and an image that never is gets "
         "the number of steps."),
        (torch.where(unsolved, torch.tensor(-1), want), "An image that is never solved got -1. "
         "It would count as the earliest of all; give it the number of steps, later than any."),
        (torch.where(unsolved, torch.tensor(0), want), "An image that is never solved got 0, as "
         "if it were solved at once. Give it the number of steps."),
        (unbroken, "You counted the steps at the end that are right. The solution is the step at "
         "which they begin: the number of steps less that."),
        (want + 1, "Off by one: the first step is number 0."),
        (want - 1, "Off by one: you give the last step at which it was still wrong."),
        (steps - right.long().sum(0), "You counted the wrong steps, wherever they are. What counts "
         "is the unbroken run of right ones at the end.", "`cumprod` stops at the first wrong."),
        (right.long().cumprod(0).sum(0), "You counted the unbroken run at the *start*; it is the "
         "one at the end that counts.", "Flip the steps first."),
    ])
    return ("Right until the end is what makes it a solution and not a lucky guess; an image that "
            "is never solved comes last.")

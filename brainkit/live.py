"""A net that the reader attacks inside the page: in the book, from disk, without a kernel.

>>> from brainkit import live, models, objects
>>> net = models.load("live_cnn-objects", seed=0)
>>> live.attack(net, objects.sample(6, "medium", seed=4))   # doctest: +SKIP

The page's own JavaScript (`live.js`) runs the net and its gradient by the pixels, with the weights
that PyTorch has. Where scripts are off, a still figure of one attack by PyTorch stands instead.
"""

import base64
import copy
import json
import re
from importlib import resources

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from . import _html, figures
from .attacks import pgd
from .models.normalise import Normalise

__all__ = ["LIMIT", "attack", "export"]

LIMIT = 120_000  # bytes: what one live net, with its script and its images, adds to a page
MAPS = 6  # feature maps shown
EPSILONS = (16, 0.5)  # of the slider, in 1/255: its end and its step
STEPS = (1, 2, 5, 10, 20)
_RUNS = ("Normalise, Conv2d, BatchNorm2d, ReLU, AvgPool2d, AdaptiveAvgPool2d(1), Flatten, Linear, "
         "Dropout and Identity")


def attack(model, objects, epsilon=4, steps=10, alt=None, caption=None, limit=LIMIT):
    """Show a net and its images, to be attacked by the reader.

    The reader picks an image or draws one, sets epsilon, the steps and the goal, and sees the
    perturbation, the first layer's maps and the net's probabilities follow. The attack is
    `attacks.pgd` in the L-infinity ball, from the image itself, with its default step.

    model: an `nn.Sequential` of images (b,1,side,side) in [0,1] to logits (b,classes), see
        `export`; it runs in eval mode.
    objects: an `ObjectSet` of 1 to 12 images, the first of which is shown first. They are rounded
        to 256 grey levels.
    epsilon: in grey levels (1/255), a multiple of 1/2 up to 16; where the slider starts.
    steps: 1 (FGSM), 2, 5, 10 or 20; where the choice starts.
    alt: what the still figure shows; written from what the attack does if not given.
    caption: one paragraph below; *emphasis* and `code` are understood.
    limit: bytes that the whole may weigh.

    Raises TypeError for a net with a layer that the page cannot run, ValueError for settings the
    page does not offer, for images that do not fit, and for more than `limit` bytes.
    """
    page, alt = markup(model, objects, epsilon, steps, alt, caption, limit)
    _html.publish(page, f"[Live attack; the still figure: {alt}]")


def markup(model, objects, epsilon=4, steps=10, alt=None, caption=None, limit=LIMIT):
    """The HTML `attack` displays, and the still figure's alt text."""
    from .objects import CATEGORIES

    most, unit = EPSILONS
    if not 0 < epsilon <= most or epsilon % unit:
        raise ValueError(f"epsilon={epsilon!r}: give grey levels, a multiple of {unit} up to "
                         f"{most} (2 means 2/255).")
    if steps not in STEPS:
        raise ValueError(f"steps={steps!r} is none of {', '.join(map(str, STEPS))}.")
    images = objects.images
    if not 1 <= len(images) <= 12 or images.shape[1] != 1 or images.shape[2] != images.shape[3]:
        raise ValueError(f"objects.images is {tuple(images.shape)}: give 1 to 12 square images of "
                         "one channel, e.g. objects.sample(6).")
    side, grey = images.shape[-1], (images.detach().cpu() * 255).round().to(torch.uint8)
    images, labels = grey.float() / 255, objects.labels.cpu()
    model = copy.deepcopy(model).cpu().float().eval()
    layers = export(model, side)
    if layers[-1]["kind"] != "linear" or layers[-1]["out"] != [len(CATEGORIES)]:
        raise ValueError(f"The net must end in a linear layer with {len(CATEGORIES)} outputs, one "
                         "for each of objects.CATEGORIES.")
    rectified = [i for i, layer in enumerate(layers) if layer["kind"] == "relu"]
    if not rectified or len(layers[rectified[0]]["shape"]) != 3:
        raise ValueError("The net has no rectified convolution, whose maps could be shown.")
    first = rectified[0] + 1  # what this layer takes in are the maps
    shape = layers[rectified[0]]["shape"]
    data = {"side": side, "names": list(CATEGORIES), "labels": labels.tolist(), "first": first,
            "shape": shape, "maps": _liveliest(model, images, shape), "layers": layers,
            "images": [_text(image.numpy()) for image in grey]}
    still, alt = _still(model, images[:1], labels[:1], epsilon, steps, alt)
    page = _page(data, still, epsilon, steps, caption)
    if len(page.encode()) > limit:
        raise ValueError(f"The live net weighs {len(page.encode()) / 1000:.0f} kB, the limit is "
                         f"{limit / 1000:.0f} kB. Give fewer images, a smaller net, or one rounded "
                         "to half precision with model.half().float().")
    return page, alt


def export(model, side):
    """The layers of a net in eval mode as JSON-ready dicts that `live.js` runs.

    model: an `nn.Sequential`, nested or not, of the layers in `_RUNS`; convolutions with square
        filters, strides and padding, one group, no dilation; poolings that do not overlap.
    side: height and width of its images (b,1,side,side) in pixels.

    Each dict has the layer's `kind`, the `shape` it takes and its `out` shape, without the batch.
    Weights are base64 of float16 where nothing is lost by it, else of float32: the numbers are
    the net's own in either case. A normalisation becomes one factor and one offset a channel.

    Raises TypeError for any other module or setting, with its name, and ValueError where the
    layers do not fit each other.
    """
    layers, shape = [], [1, side, side]
    for name, module in _chain(model):
        where = f"layer {name}, {module}"
        try:
            layer = _layer(module, shape)
        except TypeError as error:
            reason = str(error) or f"it runs {_RUNS}"
            raise TypeError(f"The page cannot run {where}: {reason}.") from None
        if layer is None:
            continue
        _check(layer, shape, where)
        layers.append({"shape": shape, **layer})
        shape = layer["out"]
    if not layers:
        raise ValueError("The net has no layers.")
    return layers


def _chain(model, prefix=""):
    if not isinstance(model, nn.Sequential):
        raise TypeError(f"The page runs a plain chain of layers, an nn.Sequential of {_RUNS}; this "
                        f"net is of class {type(model).__name__}. Take "
                        'models.load("live_cnn-objects").')
    for name, module in model.named_children():
        if isinstance(module, nn.Sequential):
            yield from _chain(module, f"{prefix}{name}.")
        else:
            yield prefix + name, module


def _layer(module, shape):
    """One module as a dict; None for one that does nothing. TypeError where it cannot be run."""
    # By the exact class: a subclass may compute something else.
    kind = type(module)
    if kind in (nn.Identity, nn.Dropout, nn.Dropout2d):
        return None
    if kind is Normalise:
        factor = (1 / module.sd.double()).flatten()
        return _scale(factor, -module.mean.double().flatten() * factor, shape)
    if kind is nn.BatchNorm2d:
        if module.running_var is None:
            raise TypeError("it has no running mean and variance")
        factor = (module.running_var.double() + module.eps).rsqrt()
        weight = 1 if module.weight is None else module.weight.double()
        bias = 0 if module.bias is None else module.bias.double()
        return _scale(factor * weight, bias - module.running_mean.double() * factor * weight, shape)
    if kind is nn.ReLU:
        return {"kind": "relu", "out": shape}
    if kind is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
        return {"kind": "flatten", "out": [int(np.prod(shape))]}
    if kind is nn.Conv2d:
        return _conv(module, shape)
    if kind is nn.AvgPool2d:
        size = _square(module.kernel_size)
        if _square(module.stride) != size or _square(module.padding) or module.ceil_mode \
                or module.divisor_override:
            raise TypeError("it pools means of windows that neither overlap nor leave the map")
        return {"kind": "pool", "size": size, "out": _smaller(shape, shape[0], size, size, 0)}
    if kind is nn.AdaptiveAvgPool2d and module.output_size in (1, (1, 1)):
        return {"kind": "pool", "size": shape[-1], "out": [shape[0], 1, 1]}
    if kind is nn.Linear:
        return {"kind": "linear", "out": [module.out_features], "weight": _numbers(module.weight),
                "bias": _bias(module, module.out_features)}
    raise TypeError


def _conv(module, shape):
    if module.groups != 1 or _square(module.dilation) != 1 or module.padding_mode != "zeros":
        raise TypeError("it runs convolutions of one group, without dilation, padded with zeros")
    size, stride = _square(module.kernel_size), _square(module.stride)
    if isinstance(module.padding, str):
        raise TypeError("give its padding as a number")
    padding = _square(module.padding)
    return {"kind": "conv", "size": size, "stride": stride, "padding": padding,
            "out": _smaller(shape, module.out_channels, size, stride, padding),
            "weight": _numbers(module.weight), "bias": _bias(module, module.out_channels)}


def _check(layer, shape, where):
    """ValueError where a layer does not take what the one before it gives."""
    taken = {"scale": lambda: len(shape) == 3 and layer["values"] in (1, shape[0]),
             "conv": lambda: len(shape) == 3, "pool": lambda: len(shape) == 3,
             "linear": lambda: len(shape) == 1}.get(layer["kind"], lambda: True)()
    if not taken or min(layer["out"]) < 1:
        raise ValueError(f"{where}, does not take the {tuple(shape)} that comes to it.")


def _scale(factor, offset, shape):
    channels = shape[0]
    return {"kind": "scale", "out": shape, "values": len(factor),
            "factor": _numbers(factor.expand(channels) if len(factor) == 1 else factor),
            "offset": _numbers(offset.expand(channels) if len(offset) == 1 else offset)}


def _square(value):
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if pair[0] != pair[1]:
        raise TypeError("its windows and steps must be square")
    return pair[0]


def _smaller(shape, channels, size, stride, padding):
    return [channels, *((n + 2 * padding - size) // stride + 1 for n in shape[1:])]


def _bias(module, n):
    return _numbers(torch.zeros(n) if module.bias is None else module.bias)


def _numbers(tensor):
    """["f2" or "f4", base64]: float16 only where it holds the float32 values exactly."""
    values = tensor.detach().cpu().numpy().astype("<f4")
    short = values.astype("<f2")
    exact = (short.astype("<f4") == values).all()
    return ["f2", _text(short)] if exact else ["f4", _text(values)]


def _text(values):
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _liveliest(model, images, shape):
    """Numbers of the first rectified layer's maps that differ most from pixel to pixel."""
    x = images
    with torch.no_grad():
        for _, module in _chain(model):
            x = module(x)
            if isinstance(module, nn.ReLU):
                break
    spread = x.flatten(2).std(2).mean(0)
    return sorted(spread.argsort(descending=True)[:MAPS].tolist())


def _still(model, image, label, epsilon, steps, alt):
    """One attack by PyTorch as a figure (HTML), and its alt text."""
    from .objects import CATEGORIES

    attacked = pgd(model, image, label, epsilon / 255, steps, random_start=False)
    with torch.no_grad():
        before, after = (model(x).softmax(1)[0].numpy() for x in (image, attacked))
    true, clean, fooled = (CATEGORIES[int(i)] for i in (label, before.argmax(), after.argmax()))
    fig = plt.figure(figsize=(7.4, 2.2))
    axes = fig.subplots(1, 4, width_ratios=(1, 1, 1, 1.25))
    louder = 0.5 * 255 / epsilon
    change = 0.5 + louder * (attacked - image)
    titles = (f"{true}", f"perturbation ×{louder:.0f}", "the sum")
    for ax, picture, title in zip(axes, (image, change, attacked), titles, strict=False):
        figures.image(ax, picture[0], title, vmin=0, vmax=1)
    place = np.arange(len(CATEGORIES))
    axes[3].barh(place - 0.2, before, 0.4, color=figures.COLOURS[0])
    axes[3].barh(place + 0.2, after, 0.4, color=figures.COLOURS[1])
    axes[3].set_yticks(place, CATEGORIES, fontsize=9)
    axes[3].set(xlim=(0, 1), xticks=[], ylim=(7.6, -0.6), title="probability")
    alt = alt or (f"An image of {true}; a perturbation of at most {epsilon:g}/255 that looks like "
                  f"noise; and their sum, which looks like the image. The net says {clean} "
                  f"({float(before.max()):.0%}) to the image and {fooled} "
                  f"({float(after.max()):.0%}) to the sum.")
    caption = ("A still of one attack, computed by PyTorch "
               f"(epsilon {epsilon:g}/255, {steps} step{'s' * (steps > 1)}): probabilities of the "
               "clean image (blue) and of the attacked one (orange). With scripts on, this is "
               "live: you choose the image and attack it yourself.")
    page = figures.markup(fig, alt, caption)
    plt.close(fig)
    return page, " ".join(alt.split())


_STYLE = """<style>
.bk-live [hidden]{display:none!important}
.bk-live [data-part=live]{padding:.5em;margin:1em 0;max-width:46rem}
.bk-live canvas{display:block;width:100%;height:auto;image-rendering:pixelated;margin:0}
.bk-live p{margin:.5em 0}
.bk-live small,.bk-live span{font-size:.85em;line-height:1.3}
.bk-live canvas+span{display:block;margin:.2em 0 .4em}
.bk-live button,.bk-live select{font:inherit;font-size:.9em;color:inherit;cursor:pointer;
background:var(--bk-shade,#f3f5f7);border:1px solid var(--bk-muted,#57606a);border-radius:.3rem;
padding:.35em .6em;min-height:2.2em;max-width:100%}
.bk-live button[aria-pressed=true]{outline:3px solid var(--bk-accent,#0a66a8);outline-offset:0}
.bk-live :focus-visible{outline:3px solid var(--bk-c1,#db570e)!important;outline-offset:2px}
.bk-live .bk-row{display:flex;flex-wrap:wrap;gap:.5em .9em;align-items:center;margin:.5em 0}
.bk-live .bk-row label{display:flex;flex-wrap:wrap;gap:.4em;align-items:center;margin:0}
.bk-live .bk-pick{display:grid;grid-template-columns:repeat(6,minmax(0,3.4rem));gap:.4em}
.bk-live .bk-pick button{padding:3px}
.bk-live .bk-three{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:.6em}
.bk-live .bk-three div:has(.bk-drawing){grid-column:1/-1;max-width:18rem}
.bk-live .bk-drawing{touch-action:none;cursor:crosshair;
outline:2px dashed var(--bk-accent,#0a66a8)}
.bk-live ul{list-style:none;margin:.5em 0;padding:0}
.bk-live li{display:grid;grid-template-columns:4.4em 1fr 4.4em 4.4em;gap:.5em;align-items:center;
margin:0;font-size:.9em;line-height:1.5;font-variant-numeric:tabular-nums}
.bk-live li i{display:block;height:.5em;min-width:1px;background:var(--bk-c0,#0474b3)}
.bk-live li i+i{background:var(--bk-c1,#db570e)}
.bk-live li b{font-weight:400;text-align:right;white-space:nowrap}
.bk-live li b.bk-one{border-bottom:3px solid var(--bk-c0,#0474b3)}
.bk-live li b.bk-two{border-bottom:3px solid var(--bk-c1,#db570e)}
.bk-live input[type=range]{accent-color:var(--bk-accent,#0a66a8);flex:1 1 9em;min-width:0;
min-height:1.8rem;cursor:pointer}
@media print{.bk-live button,.bk-live select{display:none}}
</style>"""


def _page(data, still, epsilon, steps, caption):
    most, unit = EPSILONS
    names = data["names"]

    def option(value, text, chosen=False):
        return f'<option value="{value}"{" selected" * chosen}>{text}</option>'

    def panel(part, text, name=None, label=None):
        said = f' data-part="{name}"' if name else ""
        return (f'<div><canvas data-part="{part}" role="img" aria-label="{label or text}"></canvas>'
                f"<span{said}>{text}</span></div>")

    picks = "".join(f'<button type="button" data-part="object" aria-label="{names[k]}">'
                    '<canvas aria-hidden="true"></canvas></button>' for k in data["labels"])
    special = {1: "1 (FGSM)", 10: "10 (PGD)"}
    counts = "".join(option(s, special.get(s, s), s == steps) for s in STEPS)
    goals = option("", "away from its class") + "".join(option(k, f"towards {name}")
                                                        for k, name in enumerate(names))
    rows = "".join(f'<li data-part="class"><span>{name}</span><span aria-hidden="true"><i></i><i>'
                   "</i></span><b></b><b></b></li>" for name in names)
    caption = f"<p><small>{_html.inline(caption)}</small></p>" if caption else ""
    live = f"""<div data-part="live" hidden style="{_html.PAPER}">
<div class="bk-row bk-pick" role="group" aria-label="Image to attack">{picks}</div>
<div class="bk-row"><button type="button" data-part="draw" aria-pressed="false">Draw on
the image</button>
<button type="button" data-part="blank">Start from grey</button>
<span data-part="pens" hidden><label>Pen <select data-part="shade">{option(0, "black")}
{option(1, "white")}{option(0.5, "grey")}</select></label> Finger or mouse; or the arrow keys, and
the space bar to set the pen down and lift it.</span></div>
<div class="bk-row"><label style="flex:1 1 16em"><span>epsilon</span><input type="range" min="0"
max="{most}" step="{unit}" value="{epsilon:g}" autocomplete="off" data-part="epsilon">
<output data-part="level" aria-live="off" style="min-width:5.5ch"></output></label>
<label><span>steps</span><select data-part="steps" autocomplete="off">{counts}</select></label>
<label><span>goal</span><select data-part="goal" autocomplete="off">{goals}</select></label></div>
<div class="bk-three">{panel("clean", "Image")}{panel("change", "+ perturbation", "louder",
"The perturbation, amplified")}{panel("sum", "= attacked image")}</div>
<p data-part="said" role="status"></p>
<ul aria-label="Probabilities"><li><span>class</span><span></span><b class="bk-one">clean</b>
<b class="bk-two">attacked</b></li>
{rows}</ul>
<p><small data-part="took"></small></p>
<p>Feature maps of the first layer: {len(data["maps"])} of its {data["shape"][0]}.</p>
{panel("maps-clean", "Clean", label="First-layer maps of the image")}
{panel("maps-sum", "Attacked", label="First-layer maps of the attacked image")}
{panel("maps-change", "Attacked less clean", "maps-louder")}{caption}</div>"""
    content = json.dumps(data, separators=(",", ":"))
    return (f'<div class="bk-live">{_STYLE}<div data-part="still">{still}</div>{live}'
            f'<script type="application/json" data-part="data">{content}</script></div>'
            f"<script>{_script()}</script>")


def _script():
    """live.js without indentation, comment lines and empty ones."""
    text = resources.files(__package__).joinpath("live.js").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not re.match("//", line))

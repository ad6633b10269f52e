"""One call for a figure with a slider: alive in a notebook, and in the built page without kernel.

>>> from brainkit import interact
>>> interact.slider(draw, [0, 45, 90, 135], label="orientation (degrees)",
...                 alt=lambda v: f"Response of the filter at {v} degrees")   # doctest: +SKIP

`draw(value)` makes and returns a matplotlib figure. In a kernel the slider is an ipywidget and
draws each frame when it is first asked for. With BRAINKIT_BOOK=1 in the environment (the book's
build sets it), or where ipywidgets is missing, all frames are drawn at once and go into the page
with a plain range input and a few lines of JavaScript.
"""

import base64
import gzip
import json
import os
from importlib.util import find_spec

import matplotlib.pyplot as plt

from . import _html, _svg, figures

__all__ = ["slider"]

BUDGET = 300_000  # bytes: what all sliders of one page together may weigh
_page = []  # bytes of each slider this kernel put into the book; a notebook is a page

# Kept short, since every slider carries it. It starts all sliders above it that have not been
# started, needs no ids, and waits with unpacking until somebody moves one.
_SCRIPT = """<script>(() => {
for (const root of document.querySelectorAll(".bk-slider:not([data-ready])")) {
  root.dataset.ready = "";
  const range = root.querySelector("input"), stage = root.querySelector(".bk-frame");
  const names = JSON.parse(range.dataset.names), first = stage.innerHTML;
  const unpack = async () => {
    const packed = root.querySelector(".bk-frames").textContent.trim();
    const bytes = Uint8Array.from(atob(packed), c => c.charCodeAt(0));
    const gzip = new DecompressionStream("gzip");
    const text = await new Response(new Blob([bytes]).stream().pipeThrough(gzip)).text();
    const {lines, frames} = JSON.parse(text);
    return frames.map(f => f ? f.map(i => lines[i]).join("\\n") : first);
  };
  let frames;
  const move = async () => {
    range.setAttribute("aria-valuetext", names[range.value]);
    root.querySelector("output").textContent = names[range.value];
    stage.innerHTML = (await (frames = frames || unpack()))[range.value];
  };
  if (typeof DecompressionStream === "undefined") continue;
  range.addEventListener("input", move);
  root.querySelector(".bk-control").hidden = false;
}
})();</script>"""


def slider(draw, values, label, alt, caption=None, start=None, format="{:g}", budget=BUDGET):
    """Show a figure that changes with a slider.

    draw: function of one value that returns a Figure, or a list of Figures, one for each value.
        Give all of them the same figsize and axis limits, so that only what changes moves.
    values: the values the slider takes, at least 2 (numbers or strings).
    label: what the slider sets, with its unit.
    alt: text for those who do not see the figure: a function of the value, or one text for all,
        to which label and value are added.
    caption: one paragraph below; *emphasis* and `code` are understood.
    start: the value shown first (by default the first one).
    format: how a value is written, "{:g}", "{:.1f} px" or a function.
    budget: bytes which the sliders of one built page may weigh together.

    Raises ValueError for fewer than 2 values, an unknown start, or a page over its budget, and
    TypeError where `draw` does not return a Figure.
    """
    values = list(values)
    names = _names(values, label, format)
    if start is None:
        start = values[0]
    if start not in values:
        raise ValueError(f"start={start!r} is not one of the values ({', '.join(names)}).")
    if not callable(draw) and len(draw) != len(values):
        raise ValueError(f"{len(draw)} frames for {len(values)} values.")

    def frame(i, prefix=None):
        """SVG of frame i. Not cropped: all frames have the size of their figure."""
        value = values[i]
        fig = draw(value) if callable(draw) else draw[i]
        try:
            fig = figures.figure_of(fig)
        except TypeError:
            raise TypeError(f"draw({value!r}) returned {type(fig).__name__}, not a matplotlib "
                            "Figure. End it with `return fig`.") from None
        text = alt(value) if callable(alt) else f"{alt} ({label}: {names[i]})" if alt else alt
        svg = _svg.render(fig, figures.spoken(text), prefix, tight=False)
        plt.close(fig)
        return svg

    first = values.index(start)
    if os.environ.get("BRAINKIT_BOOK") == "1" or not find_spec("ipywidgets"):
        page = _static(frame, names, label, caption, first)
        if os.environ.get("BRAINKIT_BOOK") == "1":
            _weigh(label, len(page.encode()), budget)
        _html.publish(page, f"[Slider: {label}, {names[0]} to {names[-1]}. "
                            f"{alt(start) if callable(alt) else alt}]")
    else:
        _live(frame, names, label, caption, first)


def _names(values, label, format):
    if not label or not str(label).strip():
        raise ValueError("label must say what the slider sets, e.g. 'orientation (degrees)'.")
    if len(values) < 2:
        raise ValueError(f"A slider needs at least 2 values, got {len(values)}. For one value use "
                         "figures.show.")
    write = format if callable(format) else lambda v: v if isinstance(v, str) else format.format(v)
    names = [str(write(v)) for v in values]
    if len(set(names)) < len(names):
        raise ValueError(f"Two values are written alike ({', '.join(names)}): pass a format with "
                         "more digits, or drop the double.")
    return names


def _weigh(label, size, budget):
    """Keep the page's account; ValueError beyond the budget."""
    _page.append(size)
    if sum(_page) > budget:
        raise ValueError(
            f"The slider {label!r} weighs {size / 1000:.0f} kB, and the {len(_page)} sliders of "
            f"this page now {sum(_page) / 1000:.0f} kB; the limit is {budget / 1000:.0f} kB. Use "
            "fewer values, smaller or fewer images, or draw dense points with rasterized=True.")


def _static(frame, names, label, caption, first):
    """The slider as HTML that needs no kernel. Without JavaScript it shows the first frame."""
    # One prefix for all frames, since only one is on the page at a time: their lines then agree.
    prefix = "bks" + _svg.digest(label + "".join(names))
    frames = [frame(i, prefix) for i in range(len(names))]
    # Named after the picture, so that two sliders with the same label stay apart.
    unique = "bks" + _svg.digest("".join(frames))
    frames = [f.replace(prefix, unique) for f in frames]
    names_json = _html.escape(json.dumps(names, ensure_ascii=False))
    control = (
        '<div class="bk-control" hidden><label style="display:flex;flex-wrap:wrap;gap:.3em .8em;'
        f'align-items:center"><span>{_html.inline(label)}</span>'
        f'<input type="range" min="0" max="{len(names) - 1}" step="1" value="{first}" '
        f'autocomplete="off" style="flex:1 1 12em;min-width:0" data-names="{names_json}" '
        f'aria-valuetext="{_html.escape(names[first])}">'
        f'<output aria-live="off" style="min-width:{max(map(len, names))}ch">'
        f"{_html.escape(names[first])}</output></label></div>")
    note = ('<noscript><p style="font-size:.9em">The slider needs JavaScript; this is the frame at '
            f"{_html.inline(label)} = {_html.escape(names[first])}.</p></noscript>")
    packed = (f'<script type="text/plain" class="bk-frames">{pack(frames, first)}</script>')
    stage = f'<div class="bk-frame">{frames[first]}</div>'
    body = figures.framed(stage, caption).replace('<div class="bk-scroll"',
                                                  f'{control}<div class="bk-scroll"', 1)
    return f'<div class="bk-slider">{body}{note}{packed}</div>{_SCRIPT}'


def pack(frames, first):
    """Frames as base64 of gzipped JSON: each different line once, and each frame a list of lines.

    Gzip alone looks back over 32 kB only, so frames larger than that would not share anything.
    The frame `first` stands in the page already and is null.
    """
    lines = {}
    table = [None if i == first else [lines.setdefault(line, len(lines))
                                      for line in frame.split("\n")]
             for i, frame in enumerate(frames)]
    text = json.dumps({"lines": list(lines), "frames": table}, separators=(",", ":"),
                      ensure_ascii=False)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _live(frame, names, label, caption, first):
    """The slider as an ipywidget, its frames drawn when first asked for."""
    import ipywidgets
    from IPython.display import display

    drawn = {}

    def at(i):
        if i not in drawn:
            drawn[i] = figures.framed(frame(i), caption)
        return drawn[i]

    handle = ipywidgets.SelectionSlider(
        options=[(name, i) for i, name in enumerate(names)], value=first, description=label,
        style={"description_width": "initial"}, layout={"width": "auto", "max_width": "720px"})
    stage = ipywidgets.HTML(at(first))

    def move(change):
        try:
            stage.value = at(change["new"])
        except Exception as error:
            # A widget's callback has no cell to raise into: say it where the figure would be.
            stage.value = (f'<p role="alert" style="padding:.5em;{_html.PAPER}">{label} = '
                           f"{_html.escape(names[change['new']])}: {_html.escape(error)}</p>")

    handle.observe(move, names="value")
    display(ipywidgets.VBox([handle, stage]))

"""Figures of one style that read well in light and dark, on a desk and on a phone.

Draw with matplotlib as usual, then hand the figure to `show` with the sentence that replaces it
for someone who cannot see it:

>>> import matplotlib.pyplot as plt
>>> from brainkit import figures
>>> fig, ax = plt.subplots()
>>> figures.curve(ax, [0, 1, 2], [0.9, 0.5, 0.1], label="plain ResNet")   # doctest: +SKIP
>>> figures.show(fig, alt="Accuracy falls from 0.9 to 0.1.")              # doctest: +SKIP

Colours: `COLOURS` (seven, colour-blind safe), `FOREGROUND`, `MUTED`, `GRID` and `PAPER` follow the
page's theme; "black" does too. Any other colour stays as it is. `SEQUENTIAL` and `DIVERGING` are
colour maps, the latter for signed values around 0.
"""

import math

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from . import _html, _svg
from ._svg import COLOURS, FOREGROUND, GRID, MUTED, PAPER

__all__ = ["COLOURS", "DIVERGING", "FOREGROUND", "GRID", "MUTED", "PAPER", "SEQUENTIAL", "array",
           "bars", "curve", "feature_maps", "filters", "image", "image_grid", "say", "scatter",
           "show", "table", "use"]

SEQUENTIAL, DIVERGING = "cividis", "PuOr_r"


def use():
    """Set the course's matplotlib style; importing this module does it once."""
    mpl.rcParams.update({
        "figure.figsize": (6.4, 3.6), "figure.dpi": 96, "figure.constrained_layout.use": True,
        # White, not transparent: a figure that never reached `show` is drawn by the notebook
        # itself, perhaps on a dark page. `show` drops it.
        "figure.facecolor": "white", "axes.facecolor": "none", "savefig.facecolor": "auto",
        "font.family": "DejaVu Sans", "font.size": 11.5, "axes.titlesize": 12,
        "axes.labelsize": 11.5, "xtick.labelsize": 10.5, "ytick.labelsize": 10.5,
        "legend.fontsize": 10.5, "figure.titlesize": 13, "axes.titleweight": "normal",
        "text.color": FOREGROUND, "axes.labelcolor": FOREGROUND, "axes.titlecolor": FOREGROUND,
        "axes.edgecolor": MUTED, "xtick.color": MUTED, "ytick.color": MUTED,
        "xtick.labelcolor": FOREGROUND, "ytick.labelcolor": FOREGROUND,
        "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
        "axes.grid": False, "grid.color": GRID, "grid.linewidth": 0.8,
        "axes.prop_cycle": mpl.cycler(color=COLOURS), "lines.linewidth": 2, "lines.markersize": 5,
        "patch.edgecolor": FOREGROUND, "legend.frameon": False, "hatch.color": FOREGROUND,
        "image.cmap": SEQUENTIAL, "image.interpolation": "none",
        # Paths, so that text looks the same everywhere; the salt makes the ids repeatable.
        "svg.fonttype": "path", "svg.hashsalt": "brainkit",
    })


def show(fig, alt, caption=None):
    """Put a figure on the page as an SVG that follows its theme, and close it.

    fig: a matplotlib Figure (or an Axes of it).
    alt: what the figure shows, in words, for those who do not see it. Compulsory.
    caption: one paragraph below it; *emphasis*, **strong** and `code` are understood.

    Raises ValueError without an alt text, TypeError where fig is no figure.
    """
    _html.publish(markup(figure_of(fig), alt, caption), f"[Figure: {_html.plain(alt)}]")
    plt.close(figure_of(fig))


def markup(fig, alt, caption=None):
    """The HTML `show` displays."""
    return framed(_svg.render(fig, spoken(alt)), caption)


def framed(content, caption=None):
    """`content` (HTML) as a figure with its caption."""
    if caption:
        caption = (f'<figcaption style="font-size:.9em;margin-top:.4em">{_html.inline(caption)}'
                   "</figcaption>")
    return (f'<figure class="bk-figure" style="margin:1em 0;padding:.5em;{_html.PAPER}">'
            f'<div class="bk-scroll" style="overflow-x:auto">{content}</div>{caption or ""}'
            "</figure>")


def spoken(alt):
    """`alt` on one line; ValueError where it says nothing."""
    if not isinstance(alt, str) or len(alt.split()) < 2:
        raise ValueError(
            f"alt={alt!r}: a figure needs an alt text. Write one or two sentences that say what "
            "is drawn and what is to be seen in it, e.g. alt='Accuracy against epsilon for three "
            "nets: all fall to 0 by 4/255, VOneNet last.'")
    return " ".join(alt.split())


def figure_of(fig):
    """The Figure of a Figure or Axes; TypeError otherwise."""
    if isinstance(fig, mpl.axes.Axes):
        fig = fig.figure
    if not isinstance(fig, mpl.figure.Figure):
        raise TypeError(f"Expected a matplotlib Figure, got {type(fig).__name__}. "
                        "Make one with `fig, ax = plt.subplots()` and pass `fig`.")
    return fig


def say(markdown):
    """Display a paragraph of Markdown: for prose that holds computed numbers."""
    _html.publish_mime({"text/markdown": str(markdown), "text/plain": str(markdown)})


def array(img):
    """An image as a numpy array that matplotlib draws: (h,w), (h,w,3) or (h,w,4).

    img: (h,w), (1,h,w), (3,h,w) or (h,w,3) tensor or array; a colour image holds uint8 or floats
        in [0, 1]. Where both readings are possible a tensor's channels come first and an array's
        last. Raises ValueError otherwise.
    """
    first = hasattr(img, "detach")
    img = img.detach().cpu().numpy() if first else np.asarray(img)
    if img.ndim == 3 and img.shape[0] in (1, 3) and (first or img.shape[-1] not in (3, 4)):
        img = np.moveaxis(img, 0, -1)
    if img.ndim == 3 and img.shape[-1] == 1:
        img = img[..., 0]
    if img.ndim != 2 and not (img.ndim == 3 and img.shape[-1] in (3, 4)):
        raise ValueError(f"An image is (h,w), (1,h,w), (3,h,w) or (h,w,3); this one is "
                         f"{tuple(img.shape)}. Pick one image of a batch with images[0].")
    if not np.isfinite(img).all():
        raise ValueError("The image holds NaN or infinite values.")
    if img.ndim == 3 and img.dtype != np.uint8:
        low, high = float(img.min()), float(img.max())
        if low < -1e-3 or high > 1 + 1e-3:
            raise ValueError(f"Colour values run from {low:.3g} to {high:.3g}; they must lie in "
                             "[0, 1]. Undo the normalisation, or scale the image, first.")
        img = img.clip(0, 1)
    return img


def image(ax, img, title=None, cmap=None, vmin=None, vmax=None, signed=False):
    """Draw one image without axes; returns ax.

    img: see `array`. A single-channel image is drawn in gray from its lowest to its highest
        value, or from vmin to vmax; signed=True draws it in DIVERGING with 0 in the middle.
    """
    img = array(img)
    if img.ndim == 2 and signed:
        limit = vmax if vmax is not None else float(np.abs(img).max()) or 1.0
        cmap, vmin, vmax = cmap or DIVERGING, -limit, limit
    ax.imshow(img, cmap=cmap or "gray", vmin=vmin, vmax=vmax)
    ax.set_axis_off()
    if title is not None:
        ax.set_title(title)
    return ax


def image_grid(images, titles=None, columns=None, width=7.4, **options):
    """A new figure of several images side by side; returns it.

    images: (n,...) tensor or a sequence of images (see `array`), of any sizes.
    titles: one for each, or None. columns: by default all in rows of at most 8.
    width: of the figure in inches; 7.4 fills the page. options: passed to `image`.
    """
    images = [array(img) for img in images]
    if not images:
        raise ValueError("image_grid needs at least one image.")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"{len(titles)} titles for {len(images)} images.")
    columns = columns or math.ceil(len(images) / math.ceil(len(images) / 8))
    rows = math.ceil(len(images) / columns)
    cell = min(width / columns, 2.6)
    tallest = max(img.shape[0] / img.shape[1] for img in images)
    lines = max(str(t).count("\n") + 1 for t in titles) if titles is not None else 0
    fig, axes = plt.subplots(rows, columns, squeeze=False,
                             figsize=(cell * columns, rows * (cell * tallest + 0.22 * lines)))
    fig.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    for i, ax in enumerate(axes.flat):
        if i < len(images):
            image(ax, images[i], titles[i] if titles is not None else None, **options)
        else:
            ax.set_axis_off()
    return fig


def feature_maps(maps, k=16, columns=None, titles=None, shared=False, **options):
    """A new figure of the first k feature maps of one image; returns it.

    maps: (c,h,w) or (1,c,h,w). k: how many, or a list of channel numbers. shared=True draws all
        on one scale, so that brightness compares between maps; else each on its own.
    """
    maps = maps.detach().cpu().numpy() if hasattr(maps, "detach") else np.asarray(maps)
    if maps.ndim == 4 and len(maps) == 1:
        maps = maps[0]
    if maps.ndim != 3:
        raise ValueError(f"Feature maps of one image are (c,h,w); these are {maps.shape}.")
    chosen = list(range(min(k, len(maps)))) if isinstance(k, int) else list(k)
    chosen_maps = maps[chosen]
    if shared:
        options = {"vmin": float(chosen_maps.min()), "vmax": float(chosen_maps.max()), **options}
    return image_grid(list(chosen_maps), titles, columns, **{"cmap": SEQUENTIAL, **options})


def filters(weights, columns=None, titles=None, width=7.4):
    """A new figure of convolution filters; returns it.

    weights: (n,3,k,k), drawn in colour, or (n,1,k,k) or (n,k,k), drawn in DIVERGING. Each filter
        is scaled by its own largest absolute weight, and zero is mid-gray (or white).
    """
    weights = weights.detach().cpu().numpy() if hasattr(weights, "detach") else np.asarray(weights)
    if weights.ndim == 4 and weights.shape[1] == 1:
        weights = weights[:, 0]
    if weights.ndim not in (3, 4) or (weights.ndim == 4 and weights.shape[1] != 3):
        raise ValueError(f"Filters are (n,3,k,k), (n,1,k,k) or (n,k,k); these are "
                         f"{weights.shape}. Deeper filters have no colours: choose one input "
                         "channel with weights[:, channel].")
    columns = columns or min(len(weights), 16)
    if weights.ndim == 3:
        return image_grid(list(weights), titles, columns, width, signed=True)
    peak = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    colours = 0.5 + 0.5 * weights / np.where(peak > 0, peak, 1)
    return image_grid(list(np.moveaxis(colours, 1, -1)), titles, columns, width)


def curve(ax, x, y, interval=None, label=None, colour=None, at=-1, **options):
    """A line with its interval as a band and its label beside it; returns ax.

    x, y: (n,). interval: (2,n), the lower and the upper ends. label: written at point number
        `at` (the last), in place of a legend. options: passed to `ax.plot`.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"x and y must both be (n,); they are {x.shape} and {y.shape}.")
    (line,) = ax.plot(x, y, color=colour, **options)
    if interval is not None:
        low, high = np.asarray(interval, float)
        if low.shape != x.shape:
            raise ValueError(f"interval must be (2,{len(x)}), is {np.shape(interval)}.")
        ax.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    if label:
        last = at in (-1, len(x) - 1)
        # The name lets `_svg` move labels that ended up on each other apart.
        ax.annotate(label, (x[at], y[at]), (7, 0) if last else (0, 7), annotation_clip=False,
                    textcoords="offset points", va="center" if last else "bottom",
                    ha="left" if last else "center", color=FOREGROUND,
                    gid="bk-label" if last else None)
        ax.plot(x[at], y[at], "o", color=line.get_color(), markersize=5)
    return ax


def bars(ax, labels, values, interval=None, colour=None, highlight=None, format=None):
    """Horizontal bars, the first on top, each with its interval; returns ax.

    labels, values: (n,). interval: (2,n), lower and upper ends. highlight: the labels to draw in
        the second colour. format: e.g. ".0%" writes the value behind each bar.
    """
    labels, values = [str(label) for label in labels], np.asarray(values, float)
    if len(labels) != len(values):
        raise ValueError(f"{len(labels)} labels for {len(values)} values.")
    marked = {str(h) for h in ([highlight] if isinstance(highlight, str) else highlight or [])}
    if marked - set(labels):
        raise ValueError(f"highlight {sorted(marked - set(labels))} is none of the labels.")
    colours = [COLOURS[1] if label in marked else colour or COLOURS[0] for label in labels]
    place = np.arange(len(labels))
    error, ends = None, values
    if interval is not None:
        low, high = np.asarray(interval, float)
        error, ends = [values - low, high - values], np.maximum(values, high)
    ax.barh(place, values, color=colours, height=0.7, xerr=error, ecolor=FOREGROUND,
            error_kw={"elinewidth": 1.4, "capsize": 3})
    ax.set_yticks(place, labels)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    if format:
        for i, value in enumerate(values):
            ax.annotate(f"{value:{format}}", (max(ends[i], 0), i), (5, 0), va="center",
                        textcoords="offset points", fontsize=10.5, annotation_clip=False)
    return ax


def scatter(ax, x, y, groups=None, **options):
    """Points, in the colour and shape of their group, with a legend; returns ax.

    x, y: (n,). groups: (n,) labels, at most 7 different ones. Above 2,000 points all are drawn
        as plain dots, which keeps the page small. options: passed to `ax.scatter` below that.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or (groups is not None and len(groups) != len(x)):
        raise ValueError("x, y and groups must be equally long.")
    options = {"s": 18, "alpha": 0.8, "linewidths": 0, **options}

    def draw(chosen, colour, marker="o", label=None):
        if len(x) <= 2000:
            ax.scatter(x[chosen], y[chosen], **{"color": colour, "marker": marker, "label": label,
                                                **options})
            return
        # One path of lines without length, each of which its round caps turn into a dot: a
        # fifth of the size of markers, and unlike a raster it follows the theme.
        points = np.repeat(np.stack([x[chosen], y[chosen]], 1), 2, axis=0)
        codes = [mpl.path.Path.MOVETO, mpl.path.Path.LINETO] * (len(points) // 2)
        path = mpl.path.Path(points, codes)
        path.should_simplify = False
        ax.add_patch(mpl.patches.PathPatch(path, fill=False, edgecolor=colour, capstyle="round",
                                           linewidth=options["s"] ** 0.5, alpha=options["alpha"]))
        ax.plot([], [], "o", color=colour, label=label)
        ax.autoscale_view()

    if groups is None:
        draw(np.ones(len(x), bool), options.pop("color", COLOURS[0]))
        return ax
    groups = np.asarray(groups)
    names = list(dict.fromkeys(groups.tolist()))
    if len(names) > len(COLOURS):
        raise ValueError(f"{len(names)} groups, but only {len(COLOURS)} colours can be told apart.")
    for i, name in enumerate(names):
        draw(groups == name, COLOURS[i], "os^DvP*"[i], str(name))
    ax.legend()
    return ax


def table(rows, caption, formats=None):
    """Display a table: first column are the row headers, numbers stand right.

    rows: list of dicts, dict of columns, or a pandas DataFrame (its index, if named, comes first).
    caption: one sentence, compulsory. formats: {column: format}, e.g. {"accuracy": ".1%"}, or a
        function for values a format cannot do. Raises ValueError without rows or caption.
    """
    if not caption or not str(caption).strip():
        raise ValueError("A table needs a caption: one sentence that says what it compares.")
    rows = _rows(rows)
    columns, formats = list(rows[0]), formats or {}
    for row in rows:
        if list(row) != columns:
            raise ValueError(f"All rows need the columns {columns}; one has {list(row)}.")
    if set(formats) - set(columns):
        raise ValueError(f"formats names {sorted(set(formats) - set(columns))}, the columns are "
                         f"{columns}.")
    numeric = {c: all(_is_number(row[c]) or row[c] is None for row in rows) for c in columns}
    cell = "padding:.35em .7em;border-bottom:1px solid var(--bk-grid,#d8dee4);text-align:"
    side = {c: "right" if numeric[c] else "left" for c in columns}
    head = "".join(f'<th scope="col" style="{cell}{side[c]}">{_html.inline(c)}</th>'
                   for c in columns)
    body = ""
    for row in rows:
        body += "<tr>"
        for i, c in enumerate(columns):
            text = _html.inline(_formatted(row[c], formats.get(c)))
            style = f'style="{cell}{side[c]};font-weight:normal"'
            body += f'<th scope="row" {style}>{text}</th>' if i == 0 else f"<td {style}>{text}</td>"
        body += "</tr>"
    lines = [columns, *([_formatted(row[c], formats.get(c)) for c in columns] for row in rows)]
    _html.publish(
        f'<div class="bk-table" role="region" tabindex="0" aria-label="{_html.escape(caption)}" '
        f'style="overflow-x:auto;margin:1em 0;padding:.5em;{_html.PAPER}">'
        f'<table style="border-collapse:collapse;color:inherit"><caption style="caption-side:top;'
        f'text-align:left;padding-bottom:.4em;color:inherit">{_html.inline(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>",
        "\n".join([caption, *("\t".join(map(str, line)) for line in lines)]))


def _rows(rows):
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = (rows.reset_index() if any(rows.index.names) else rows).to_dict("records")
    elif isinstance(rows, dict):
        rows = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    rows = [dict(row) for row in rows]
    if not rows or not rows[0]:
        raise ValueError("The table has no rows.")
    return rows


def _is_number(value):
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _formatted(value, form):
    if value is None:
        return "–"
    if callable(form):
        return form(value)
    if form:
        return f"{value:{form}}"
    return f"{value:.3g}" if isinstance(value, float | np.floating) else str(value)


use()

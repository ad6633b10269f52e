"""From a matplotlib figure to a small inline SVG that follows the page's theme.

Matplotlib draws with fixed colours. `figures.use` makes it draw with those of `THEME`; here each
of them becomes a CSS variable with that colour as its fallback, so that the style sheet alone
decides how a figure looks in light and dark, and a page without the style sheet shows the light
one.
"""

import base64
import hashlib
import io
import re
from xml.etree import ElementTree

from matplotlib.text import Text
from PIL import Image, features

from ._html import escape

FOREGROUND, MUTED, GRID, PAPER = "#1b1f24", "#57606a", "#d8dee4", "#fffffe"
# Okabe and Ito's order of hues (blue, vermilion, green, purple, ...), each moved in lightness and
# saturation until all have 3:1 contrast to the page and stay apart under protanopia and
# deuteranopia. The dark theme has its own seven in book/_static/brainkit.css;
# tests/test_figures.py holds both to it.
COLOURS = ["#0474b3", "#db570e", "#619b8e", "#631043", "#554a02", "#0a3686", "#8a5b62"]

THEME = {
    FOREGROUND: "--bk-fg",
    "#000000": "--bk-fg",  # matplotlib's own default for lines and text given as "k"
    MUTED: "--bk-muted",
    GRID: "--bk-grid",
    PAPER: "--bk-paper",
    **{colour: f"--bk-c{i}" for i, colour in enumerate(COLOURS)},
}
_PX = 96 / 72  # matplotlib's SVG counts in points, the page in CSS pixels
_LEGIBLE = 6.1  # px: a figure on a narrow screen scrolls before its smallest text falls below this


def render(fig, alt, prefix=None, tight=True):
    """SVG markup of `fig`, with `alt` as its accessible name.

    prefix: start of the element ids; by default a hash of the drawing, so that two figures on a
        page never share an id and the same figure always gives the same bytes.
    tight: crop to what is drawn (so that a label outside is kept); False keeps the figure's size.
    """
    _spread(fig)
    buffer = io.BytesIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    fig.savefig(buffer, format="svg", metadata=metadata, facecolor="none", edgecolor="none",
                dpi=150, bbox_inches="tight" if tight else None, pad_inches=0.04)
    source = buffer.getvalue()
    root = ElementTree.fromstring(source)
    _plain_names(root)
    _drop_styles(root)
    for image in list(root.iter("image")):
        _shrink(image)
    _unwrap(root)
    _rename(root, prefix or "bk" + digest(source))
    for element in root.iter():
        _tidy(element)

    x, y, width, height = (float(v) for v in root.get("viewBox").split())
    pixels = width * _PX
    style = f"width:100%;max-width:{pixels:.0f}px;height:auto;"
    smallest = _smallest_text(fig)
    if smallest:
        style += f"min-width:{min(pixels, pixels * _LEGIBLE / smallest):.0f}px;"
    style += f"fill:var(--bk-fg,{FOREGROUND});stroke-linejoin:round;stroke-linecap:butt"
    body = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    return (f'<svg role="img" aria-label="{escape(alt)}" viewBox="{x:g} {y:g} {width:g} '
            f'{height:g}" width="{pixels:.0f}" height="{height * _PX:.0f}" style="{style}">\n'
            f"{body}</svg>")


def _spread(fig):
    """Move the labels beside the ends of curves (`figures.curve`) apart where they overlap."""
    for ax in fig.axes:
        labels = [t for t in ax.texts if t.get_gid() == "bk-label"]
        if len(labels) < 2:
            continue
        fig.draw_without_rendering()  # settles the layout, hence where the curves end
        points = 72 / fig.dpi
        ends = {t: ax.transData.transform(t.xy)[1] * points for t in labels}
        labels.sort(key=ends.get)
        step = 1.25 * max(t.get_fontsize() for t in labels)
        # Blocks of labels that touch, each centred on the mean of its curves' ends.
        blocks = []
        for label in labels:
            blocks.append([label])
            while len(blocks) > 1 and (_bottom(blocks[-1], ends, step)
                                       < _bottom(blocks[-2], ends, step) + step * len(blocks[-2])):
                blocks[-2:] = [blocks[-2] + blocks[-1]]
        for block in blocks:
            for i, label in enumerate(block):
                height = _bottom(block, ends, step) + step * (i + 0.5)
                label.xyann = (label.xyann[0], height - ends[label])


def _bottom(block, ends, step):
    return sum(ends[t] for t in block) / len(block) - step * len(block) / 2


def digest(content):
    """Eight characters that name some text or bytes."""
    content = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(content).hexdigest()[:8]


def _plain_names(root):
    """Drop the XML namespaces: inside HTML the names stand alone."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for key in [k for k in element.attrib if "}" in k]:
            element.set(key.rpartition("}")[2], element.attrib.pop(key))


def _drop_styles(root):
    """Matplotlib's `<style>* {...}</style>` would apply to the whole page; the root has it now."""
    for parent in list(root.iter()):
        for child in list(parent):
            hollow = child.tag == "defs" and all(c.tag == "style" for c in child)
            if hollow or child.tag in ("style", "metadata"):
                parent.remove(child)


def _unwrap(parent):
    """Groups which carry nothing (an id nobody refers to is nothing) give way to their content."""
    out = []
    for child in list(parent):
        _unwrap(child)
        if child.tag == "g" and set(child.attrib) <= {"id"}:
            out.extend(child)
        else:
            out.append(child)
    parent[:] = out


def _rename(root, prefix):
    """Keep only the ids something refers to, renamed in order of appearance."""
    attributes = [v for element in root.iter() for k, v in element.attrib.items() if k != "id"]
    used = {m for v in attributes for m in re.findall(r"(?:^|url\()#([^)\s]+)", v)
            if not v.startswith("data:")}
    names = {}
    for element in root.iter():
        key = element.attrib.pop("id", None)
        if key in used:
            element.set("id", names.setdefault(key, f"{prefix}-{len(names)}"))
    for element in root.iter():
        for key, value in element.attrib.items():
            if "#" in value and not value.startswith("data:"):
                element.set(key, re.sub(r"(^|url\()#([^)\s]+)",
                                        lambda m: f"{m[1]}#{names.get(m[2], m[2])}", value))


def _tidy(element):
    """Short numbers, theme colours, one element a line (frames of a slider share lines)."""
    element.text = "\n" if len(element) else None
    element.tail = "\n"
    for key in ("x", "y", "d", "points"):
        if key in element.attrib:
            element.set(key, _short(element.get(key)))
    transform = element.get("transform", "")
    if transform.startswith("translate"):
        element.set("transform", re.sub(r"translate\([^)]*\)", lambda m: _short(m[0]), transform))
    if "style" in element.attrib:
        style = element.get("style").replace(": ", ":").replace("; ", ";")
        element.set("style", re.sub(r":(#[0-9a-f]{6})\b", _variable, style))


def _short(numbers):
    numbers = " ".join(numbers.split())
    numbers = re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return re.sub(r"M (\S+ \S+) L \1(?= M|$)", r"M\1h0", numbers)  # the dots of figures.scatter


def _variable(match):
    name = THEME.get(match[1])
    if not name:
        return match[0]
    return f":var({name},{FOREGROUND if name == '--bk-fg' else match[1]})"


def _smallest_text(fig):
    """Height in CSS pixels of the smallest text drawn, None where there is none."""
    hidden = {t for ax in fig.axes if not ax.axison
              for axis in (ax.xaxis, ax.yaxis) for t in axis.findobj(Text)}
    sizes = [t.get_fontsize() for t in fig.findobj(Text)
             if t not in hidden and t.get_visible() and t.get_text().strip()]
    return min(sizes) * _PX if sizes else None


def _shrink(image):
    """Re-encode an embedded PNG: only the pixels the page can show, in the smallest format."""
    picture = Image.open(io.BytesIO(base64.b64decode(image.get("href").partition(",")[2])))
    scale = [float(v) for v in re.findall(r"-?[\d.]+(?:e-?\d+)?", image.get("transform", ""))]
    along = abs(scale[0]) if len(scale) in (1, 2, 6) and "translate" not in image.get(
        "transform", "") else 1
    shown = float(image.get("width")) * along * _PX  # CSS pixels
    pixelated = shown / picture.width >= 2  # larger pixels than this are meant to be seen
    if pixelated:
        image.set("style", "image-rendering:pixelated")
    else:
        image.attrib.pop("style", None)
    if picture.mode == "RGBA" and picture.getextrema()[3][0] == 255:
        picture = picture.convert("RGB")
    if picture.width > 2 * shown:  # twice is enough for a dense screen
        picture = picture.resize((max(1, round(2 * shown)), max(
            1, round(2 * shown * picture.height / picture.width))), Image.Resampling.LANCZOS)
    mime, data = encode(picture, lossless=pixelated or max(picture.size) <= 64)
    image.set("href", f"data:image/{mime};base64,{base64.b64encode(data).decode()}")
    image.set("preserveAspectRatio", "none")


def encode(picture, lossless=True):
    """The smallest of palette PNG and WebP: (subtype, bytes). Lossy WebP only where it pays."""
    options = [("png", _bytes(picture, "png", optimize=True))]
    colours = picture.getcolors(256)
    if picture.mode == "RGB" and colours:
        if all(c[0] == c[1] == c[2] for _, c in colours):
            options.append(("png", _bytes(picture.convert("L"), "png", optimize=True)))
        palette = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=len(colours))
        if palette.convert("RGB").tobytes() == picture.tobytes():
            options.append(("png", _bytes(palette, "png", optimize=True)))
    if features.check("webp"):
        options.append(("webp", _bytes(picture, "webp", lossless=True, quality=100, method=4)))
    best = min(options, key=lambda o: len(o[1]))
    if not lossless and features.check("webp"):
        lossy = _bytes(picture, "webp", quality=85, method=5)
        if len(lossy) < 0.6 * len(best[1]):
            return "webp", lossy
    return best


def _bytes(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()

"""Figures: what `show` puts on the page, its colours, and the plots."""

import base64
import io
import itertools
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from brainkit import _html, _svg, figures

CSS = (Path(__file__).parents[1] / "book" / "_static" / "brainkit.css").read_text()


@pytest.fixture
def page(monkeypatch):
    """What is displayed: a list of the MIME bundles."""
    shown = []
    monkeypatch.setattr(_html, "publish_mime", lambda data, metadata=None: shown.append(data))
    yield shown
    plt.close("all")


def line():
    fig, ax = plt.subplots()
    ax.plot([0, 1], [0, 1], "C1")
    ax.set_title("a title")
    return fig


def embedded(svg):
    """The pictures in an SVG, decoded, with their format."""
    found = re.findall(r'data:image/(\w+);base64,([^"]+)', svg)
    return [(kind, Image.open(io.BytesIO(base64.b64decode(data)))) for kind, data in found]


# --- colours ----------------------------------------------------------------------------------

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB; Ottosson's OKLab after it.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.01182, 0.04294, 0.968881]],
}
LMS = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
       [0.0883024619, 0.2817188376, 0.6299787005]]
LAB = [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099],
       [0.0259040371, 0.7827717662, -0.808675766]]


def linear(colour):
    c = np.array([int(colour[i:i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    low, high = sorted(linear(c) @ [0.2126, 0.7152, 0.0722] for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def themes():
    light, dark = CSS.split('html[data-theme="dark"]')[:2]
    for name, block, paper in (("light", light, "#ffffff"), ("dark", dark, "#121212")):
        values = dict(re.findall(r"(--bk-[\w]+):\s*(#[0-9a-f]{6})", block))
        yield pytest.param(values, paper, id=name)


@pytest.mark.parametrize(("values", "paper"), list(themes()))
class TestColours:
    def test_every_drawn_colour_is_in_the_style_sheet(self, values, paper):
        drawn = set(_svg.THEME.values()) - {"--bk-paper"}
        assert drawn <= set(values)

    def test_contrast_with_the_page(self, values, paper):
        text = ["--bk-fg", "--bk-muted", "--bk-good", "--bk-bad", "--bk-todo", "--bk-accent"]
        for name in text:
            assert contrast(values[name], paper) >= 4.5, name
        for i in range(len(figures.COLOURS)):
            assert contrast(values[f"--bk-c{i}"], paper) >= 3, i

    @pytest.mark.parametrize("vision", VISION)
    def test_the_palette_stays_apart(self, values, paper, vision):
        colours = [np.clip(np.array(VISION[vision]) @ linear(values[f"--bk-c{i}"]), 0, 1)
                   for i in range(len(figures.COLOURS))]
        labs = [np.array(LAB) @ np.cbrt(np.array(LMS) @ c) for c in colours]
        for (i, a), (j, b) in itertools.combinations(enumerate(labs), 2):
            assert np.linalg.norm(a - b) > 0.1, (i, j)


def test_fallbacks_are_the_light_theme():
    light = CSS.split('html[data-theme="dark"]')[0]
    for colour, name in _svg.THEME.items():
        if colour not in ("#000000", figures.PAPER):
            assert f"{name}: {colour}" in light


# --- show -------------------------------------------------------------------------------------

def test_show_displays_one_accessible_figure_and_closes_it(page):
    fig = line()
    assert figures.show(fig, 'A line that "rises"', "It *rises*, `y = x` & <b>.") is None
    assert not plt.fignum_exists(fig.number)
    (data,) = page
    assert data["text/plain"] == '[Figure: A line that "rises"]'
    markup = data["text/html"]
    assert 'role="img" aria-label="A line that &quot;rises&quot;"' in markup
    assert "<figcaption" in markup
    assert "It <em>rises</em>, <code>y = x</code> &amp; &lt;b&gt;." in markup


@pytest.mark.parametrize("alt", ["", "  ", "figure", None])
def test_show_insists_on_an_alt_text(alt):
    with pytest.raises(ValueError, match=r"needs an alt text\. Write one or two sentences"):
        figures.show(line(), alt)


def test_show_takes_axes_and_names_what_it_cannot(page):
    figures.show(line().axes[0], "A rising line")
    assert len(page) == 1
    with pytest.raises(TypeError, match="got list"):
        figures.show([1, 2], "A rising line")


def test_drawn_colours_follow_the_theme_and_others_stay():
    fig, ax = plt.subplots()
    ax.plot([0, 1], color=figures.COLOURS[3])
    ax.plot([1, 0], color="k")
    ax.plot([1, 1], color="#123456")
    svg = figures.markup(fig, "Three lines")
    assert f"stroke:var(--bk-c3,{figures.COLOURS[3]})" in svg
    assert f"stroke:var(--bk-fg,{figures.FOREGROUND})" in svg
    assert "stroke:#123456" in svg
    assert "#000000" not in svg
    assert "#ffffff" not in svg, "the figure's own white paper must not reach the page"


def test_svg_leaks_nothing_into_the_page():
    svg = figures.markup(line(), "A rising line")
    assert "<style" not in svg
    assert "xmlns" not in svg
    assert "<metadata" not in svg
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ids
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    assert used == set(ids)


def test_the_same_figure_gives_the_same_bytes_and_another_one_other_ids():
    one, two = (figures.markup(line(), "A rising line") for _ in range(2))
    assert one == two
    fig = line()
    fig.axes[0].set_title("another title")
    other = figures.markup(fig, "A rising line")
    assert not set(re.findall(r'\bid="([^"]+)"', one)) & set(re.findall(r'\bid="([^"]+)"', other))


def test_small_maps_stay_exact_and_pixelated():
    values = torch.arange(64.0).reshape(8, 8)
    svg = figures.markup(figures.image_grid([values]), "An eight by eight ramp")
    ((_, picture),) = embedded(svg)
    assert picture.size == (8, 8)
    expected = np.round(values.numpy() / 63 * 255)
    assert np.abs(np.asarray(picture.convert("L"), float) - expected).max() <= 1
    assert "image-rendering:pixelated" in svg


def test_photographs_are_small_smooth_and_no_larger_than_shown():
    rng = np.random.default_rng(0)
    photo = np.kron(rng.random((30, 40, 3)), np.ones((20, 20, 1)))  # 600 x 800
    photo = (photo + 0.05 * rng.random(photo.shape)) / 1.05
    fig = figures.image_grid([photo, photo], ["one", "two"])
    svg = figures.markup(fig, "Two photographs")
    raw = io.BytesIO()
    Image.fromarray((photo * 255).astype(np.uint8)).save(raw, "png")
    pictures = embedded(svg)
    assert len(pictures) == 2
    assert all(p.width < 800 for _, p in pictures)
    assert len(svg) < 0.3 * len(raw.getvalue())
    assert "pixelated" not in svg


@pytest.mark.parametrize("colours", [2, 200])
def test_encode_is_lossless_where_asked(colours):
    pixels = np.random.default_rng(0).integers(0, colours, (40, 40, 1)) * [1, 1, 0]
    picture = Image.fromarray(pixels.astype(np.uint8))
    _, data = _svg.encode(picture)
    assert Image.open(io.BytesIO(data)).convert("RGB").tobytes() == picture.tobytes()


def test_dense_scatter_is_vector_and_compact():
    x, y = np.random.default_rng(0).normal(size=(2, 5000))
    fig, ax = plt.subplots()
    figures.scatter(ax, x, y)
    svg = figures.markup(fig, "A cloud of points")
    assert svg.count("h0") == 5000
    assert len(svg) < 120_000
    assert not embedded(svg)
    low, high = ax.get_xlim()
    assert low <= x.min() < x.max() <= high


def test_labels_beside_curves_do_not_overlap():
    fig, ax = plt.subplots()
    for i in range(4):
        figures.curve(ax, [0, 1], [0, 1 - 0.01 * i], label=f"net {i}")
    ax.set_ylim(0, 1.3)
    _svg.render(fig, "Four lines")
    boxes = sorted((t.get_window_extent() for t in ax.texts), key=lambda b: b.y0)
    for lower, upper in itertools.pairwise(boxes):
        assert lower.y1 <= upper.y0 + 1
    order = [t.get_text() for t in sorted(ax.texts, key=lambda t: -t.get_window_extent().y0)]
    assert order == ["net 0", "net 1", "net 2", "net 3"]


def test_text_stays_legible_on_a_phone():
    svg = figures.markup(line(), "A rising line")
    assert "max-width:6" in svg
    least = float(re.search(r"min-width:(\d+)px", svg)[1])
    assert least <= 343, "an ordinary figure fits a phone"
    fig = line()
    fig.axes[0].tick_params(labelsize=5)
    tiny = figures.markup(fig, "A rising line")
    assert float(re.search(r"min-width:(\d+)px", tiny)[1]) > 400, "tiny text scrolls instead"


# --- plots ------------------------------------------------------------------------------------

@pytest.mark.parametrize("shape", [(5, 6), (1, 5, 6), (3, 5, 6), (5, 6, 3)])
def test_image_accepts_the_usual_shapes(shape):
    out = figures.array(torch.rand(shape, requires_grad=True))
    assert figures.array(torch.rand(3, 4, 4)).shape == (4, 4, 3), "a tensor's channels come first"
    assert figures.array(np.zeros((3, 4, 4))).shape == (3, 4, 4), "an array's come last"
    assert out.shape == ((5, 6, 3) if 3 in shape else (5, 6))


@pytest.mark.parametrize(("img", "message"), [
    (np.zeros((2, 3, 4, 4)), r"\(2, 3, 4, 4\). Pick one image of a batch"),
    (np.full((4, 4), np.nan), "NaN"),
    (np.full((3, 4, 4), 2.0), "Undo the normalisation"),
])
def test_image_says_what_is_wrong(img, message):
    with pytest.raises(ValueError, match=message):
        figures.array(img)


def test_signed_image_has_zero_in_the_middle():
    _, ax = plt.subplots()
    figures.image(ax, np.array([[-1.0, 0.0], [0.0, 3.0]]), signed=True)
    assert ax.images[0].get_clim() == (-3, 3)


def test_grid_and_filters_draw_what_they_are_given():
    fig = figures.feature_maps(torch.rand(1, 20, 7, 7), k=[3, 19], shared=True)
    assert sum(bool(ax.images) for ax in fig.axes) == 2
    assert len({ax.images[0].get_clim() for ax in fig.axes if ax.images}) == 1
    weights = torch.randn(5, 3, 4, 4)
    fig = figures.filters(weights)
    drawn = fig.axes[0].images[0].get_array()
    peak = weights[0].abs().max()
    assert np.allclose(drawn, (0.5 + 0.5 * weights[0] / peak).permute(1, 2, 0), atol=1e-6)
    with pytest.raises(ValueError, match="choose one input channel"):
        figures.filters(torch.randn(5, 64, 3, 3))
    with pytest.raises(ValueError, match="2 titles for 1 images"):
        figures.image_grid([np.zeros((2, 2))], ["a", "b"])


def test_bars_and_curve_check_their_input():
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="2 labels for 3 values"):
        figures.bars(ax, ["a", "b"], [1, 2, 3])
    with pytest.raises(ValueError, match=r"\['c'\] is none of the labels"):
        figures.bars(ax, ["a", "b"], [1, 2], highlight="c")
    with pytest.raises(ValueError, match=r"interval must be \(2,3\)"):
        figures.curve(ax, [0, 1, 2], [0, 1, 2], [[0, 1], [1, 2]])
    with pytest.raises(ValueError, match="8 groups, but only 7 colours"):
        figures.scatter(ax, range(8), range(8), groups=range(8))


# --- words and tables -------------------------------------------------------------------------

def test_say_is_markdown(page):
    figures.say("It is **7**.")
    assert page == [{"text/markdown": "It is **7**.", "text/plain": "It is **7**."}]


def test_table_has_headers_caption_and_formats(page):
    figures.table({"net": ["LeNet", "<b>"], "accuracy": [0.8125, None]}, "Two nets",
                  {"accuracy": lambda v: f"{v:.1%}"})
    markup = page[0]["text/html"]
    assert '<th scope="col"' in markup
    assert markup.count('<th scope="row"') == 2
    assert ">81.2%<" in markup
    assert ">–<" in markup
    assert "&lt;b&gt;" in markup
    assert "<caption" in markup


def test_table_takes_a_data_frame(page):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"n": [1, 2]}, index=pandas.Index(["a", "b"], name="net"))
    figures.table(frame, "Counts")
    assert page[0]["text/plain"].splitlines() == ["Counts", "net\tn", "a\t1", "b\t2"]


@pytest.mark.parametrize(("rows", "caption", "formats", "message"), [
    ([], "c", None, "no rows"), ([{"a": 1}], "", None, "needs a caption"),
    ([{"a": 1}, {"b": 1}], "c", None, "need the columns"), ([{"a": 1}], "c", {"b": ""}, "formats"),
])
def test_table_says_what_is_wrong(rows, caption, formats, message):
    with pytest.raises(ValueError, match=message):
        figures.table(rows, caption, formats)

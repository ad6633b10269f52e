"""The slider: its frames, its two forms, its errors, and in a browser its keyboard."""

import base64
import gzip
import json
import re
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest

from brainkit import _html, checks, interact


@pytest.fixture
def page(monkeypatch):
    """As in the book's build; what is displayed is collected."""
    shown = []
    monkeypatch.setenv("BRAINKIT_BOOK", "1")
    monkeypatch.setattr(interact, "_page", [])
    monkeypatch.setattr(_html, "publish", lambda markup, plain, metadata=None: shown.append(markup))
    yield shown
    plt.close("all")


def wave(frequency):
    fig, ax = plt.subplots(figsize=(4, 2))
    x = np.linspace(0, 6, 50)
    ax.plot(x, np.sin(frequency * x))
    ax.set_ylim(-1.1, 1.1)
    return fig


def words(value):
    return f"A sine of frequency {value}"


def unpack(markup):
    packed = re.search(r'class="bk-frames">([^<]+)<', markup)[1]
    data = json.loads(gzip.decompress(base64.b64decode(packed)))
    return [f and "\n".join(data["lines"][i] for i in f) for f in data["frames"]]


def test_page_holds_every_frame_and_shows_the_start(page):
    interact.slider(wave, [1, 2, 4], "frequency (Hz)", words, "A *sine*.", start=2)
    (markup,) = page
    one, start, three = unpack(markup)
    assert start is None, "the first frame stands in the page and is not sent twice"
    assert words(2) in markup
    assert words(1) in one
    assert words(4) in three
    assert one.startswith("<svg")
    assert one.endswith("</svg>")
    assert re.findall(r'viewBox="[^"]+"', one) == re.findall(r'viewBox="[^"]+"', three)
    assert 'type="range" min="0" max="2" step="1" value="1"' in markup
    assert 'aria-valuetext="2"' in markup
    assert "<em>sine</em>" in markup
    assert not plt.get_fignums()


def test_what_frames_share_is_sent_once(page):
    shared = np.random.default_rng(0).random((60, 60))

    def draw(i):
        fig, axes = plt.subplots(1, 2)
        axes[0].imshow(shared)
        axes[1].imshow(np.eye(3) * i)
        return fig

    interact.slider(draw, [1, 2], "i", "An image")
    interact.slider(draw, range(1, 9), "i", "An image")
    few, many = map(len, page)
    assert many < 1.5 * few


def test_the_same_call_gives_the_same_bytes(page):
    for _ in range(2):
        interact.slider(wave, [1, 2], "frequency", words)
    assert page[0] == page[1]


def test_one_alt_text_gets_the_value(page):
    interact.slider(wave, [0.5, 1], "frequency", "A sine wave", format="{:.2f} Hz")
    assert 'aria-label="A sine wave (frequency: 0.50 Hz)"' in page[0]


def test_prepared_frames_and_names(page):
    interact.slider([wave(1), wave(2)], ["low", "high"], "tone", words)
    assert 'aria-label="A sine of frequency low"' in page[0]


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"values": [1]}, ValueError, "at least 2 values, got 1"),
    ({"start": 3}, ValueError, r"start=3 is not one of the values \(1, 2\)"),
    ({"draw": lambda v: None}, TypeError, r"draw\(1\) returned NoneType.*return fig"),
    ({"draw": [1]}, ValueError, "1 frames for 2 values"),
    ({"label": ""}, ValueError, "label must say"),
    ({"alt": ""}, ValueError, "needs an alt text"),
    ({"alt": lambda v: ""}, ValueError, "needs an alt text"),
    ({"format": "{:.0e}", "values": [1.1, 1.2]}, ValueError, "written alike"),
    ({"budget": 2000}, ValueError, r"weighs \d+ kB.*limit is 2 kB"),
])
def test_says_what_is_wrong(page, change, error, message):
    arguments = {"draw": wave, "values": [1, 2], "label": "frequency", "alt": words, **change}
    with pytest.raises(error, match=message):
        interact.slider(**arguments)
    assert not page


def test_the_budget_counts_all_sliders_of_a_page(page):
    interact.slider(wave, [1, 2], "frequency", words)
    size = len(page[0])
    with pytest.raises(ValueError, match="the 2 sliders of this page"):
        interact.slider(wave, [1, 2], "frequency", words, budget=int(1.5 * size))


def test_in_a_kernel_it_is_a_widget_that_draws_when_asked(page, monkeypatch):
    ipywidgets = pytest.importorskip("ipywidgets")
    monkeypatch.delenv("BRAINKIT_BOOK")
    boxes, drawn = [], []
    monkeypatch.setattr("IPython.display.display", boxes.append)

    def draw(value):
        drawn.append(value)
        if value == 3:
            raise ZeroDivisionError("no third frame")
        return wave(value)

    interact.slider(draw, [1, 2, 3], "frequency", words)
    handle, stage = boxes[0].children
    assert isinstance(handle, ipywidgets.SelectionSlider)
    assert words(1) in stage.value
    assert drawn == [1]
    handle.value = 1
    assert words(2) in stage.value
    handle.value = 0
    handle.value = 1
    assert drawn == [1, 2], "a frame is drawn once"
    handle.value = 2
    assert "no third frame" in stage.value
    assert page == []


def test_without_ipywidgets_it_is_the_same_slider_as_in_the_book(page, monkeypatch):
    monkeypatch.delenv("BRAINKIT_BOOK")
    monkeypatch.setattr(interact, "find_spec", lambda name: None)
    interact.slider(wave, [1, 2], "frequency", words, budget=10)
    assert "bk-frames" in page[0]


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.skip("no Chromium on this machine")
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(chromium, tmp_path, markup, **options):
    """The markup as a page from disk; fails on any script error."""
    path = tmp_path / "page.html"
    path.write_text(f'<!doctype html><meta charset="utf-8"><body>{markup}', encoding="utf-8")
    tab = chromium.new_context(**options).new_page()
    tab.errors = []
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.goto(path.as_uri())
    return tab


@pytest.mark.browser
def test_keyboard_moves_each_slider_alone(chromium, page, tmp_path):
    interact.slider(wave, [1, 2, 4], "frequency", words)
    interact.slider(wave, [1, 2, 4], "frequency", words, start=4)
    tab = opened(chromium, tmp_path, "".join(page))
    frames = tab.locator(".bk-frame svg")
    assert frames.nth(0).get_attribute("aria-label") == words(1)
    tab.get_by_role("slider", name="frequency").nth(0).focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_selector(f'.bk-frame svg[aria-label="{words(2)}"]')
    handle = tab.locator("input").nth(0)
    assert handle.get_attribute("aria-valuetext") == "2"
    assert tab.locator("output").nth(0).inner_text() == "2"
    tab.keyboard.press("End")
    tab.wait_for_function(f'document.querySelector(".bk-frame svg").ariaLabel == "{words(4)}"')
    tab.keyboard.press("Home")
    tab.wait_for_function(f'document.querySelector(".bk-frame svg").ariaLabel == "{words(1)}"')
    assert frames.nth(1).get_attribute("aria-label") == words(4)
    assert not tab.errors


@pytest.mark.browser
def test_without_javascript_the_first_frame_and_the_answers_are_there(chromium, page, tmp_path):
    interact.slider(wave, [1, 2, 4], "frequency", words, start=2)
    quiz = checks.predict("01-edges")._repr_html_()
    tab = opened(chromium, tmp_path, page[0] + quiz, java_script_enabled=False)
    assert tab.locator(".bk-frame svg").get_attribute("aria-label") == words(2)
    assert not tab.locator("input[type=range]").is_visible()
    assert "needs JavaScript" in tab.locator("body").inner_text()
    assert tab.locator("details").is_visible()
    assert not tab.locator("button").is_visible()


@pytest.mark.browser
def test_quiz_by_keyboard_says_why(chromium, tmp_path):
    quiz = checks.predict("01-edges")
    tab = opened(chromium, tmp_path, quiz._repr_html_() * 2)
    assert not tab.locator("details").nth(0).is_visible()
    radios = tab.locator(".bk-quiz").nth(0).get_by_role("radio")
    commit = tab.get_by_role("button").nth(0)
    assert commit.is_disabled()
    output = tab.locator("output").nth(0)
    assert not output.is_visible()
    radios.nth(0).focus()
    tab.keyboard.press("Space")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert output.inner_text().startswith("It came out otherwise.")
    assert "cancel" in output.inner_text()
    right = [right for _, _, right in quiz.options].index(True)
    radios.nth(right).check()
    commit.click()
    assert output.inner_text().startswith("That is how it came out.")
    assert tab.locator("input:checked").count() == 1, "the second quiz is not touched"
    assert not tab.errors

"""The built pages, opened from disk in a headless Chromium, light and dark, wide and narrow."""

import shutil
from pathlib import Path

import pytest

HTML = Path(__file__).parents[2] / "build/html"
PAGES = sorted(
    p for p in HTML.rglob("*.html") if "_static" not in p.parts and p.name != "index.html"
)
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

pytestmark = pytest.mark.browser
if not PAGES:
    pytest.skip("the book is not built yet (make book)", allow_module_level=True)
if CHROMIUM is None:
    pytest.skip("no Chromium on this machine (apt-get install chromium)", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api")

DESKTOP, PHONE = 1280, 375
LOOKS = [(theme, width) for theme in ("light", "dark") for width in (DESKTOP, PHONE)]

each_page = pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(HTML).as_posix())
each_look = pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}px")

RAW_FORMULAS = r"""() => {
  const found = [];
  const walker = document.createTreeWalker(document.querySelector("article") || document.body, 4);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest("pre, code, script, style, mjx-container, textarea")) continue;
    const raw = /\\[(\[][\s\S]*?\\[)\]]|\$[^$\s][^$]*\$/.test(node.data);
    if (raw) found.push(node.data.trim().slice(0, 90));
  }
  for (const m of document.querySelectorAll(".math"))
    if (!m.querySelector("mjx-container")) found.push("not typeset: " + m.textContent.slice(0, 60));
  for (const m of document.querySelectorAll("mjx-merror, [data-mjx-error]"))
    found.push("error in formula: " + m.textContent.slice(0, 60));
  return found;
}"""

# WCAG 2 contrast of every visible text against the nearest opaque background behind it.
LOW_CONTRAST = r"""() => {
  const rgba = c => { const n = (c.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
    if (c.startsWith("color(")) for (let i = 0; i < 3; i++) n[i] *= 255;
    return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = el => { const layers = [];
    for (let e = el; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) layers.push(c); if (c[3] === 1) break; }
    return layers.reverse().reduce((below, c) => over(c, below), [255, 255, 255, 1]); };
  const found = new Map();
  const walker = document.createTreeWalker(document.body, 4);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), el = walker.currentNode.parentElement;
    const apart = "script, style, noscript, mjx-container, svg, button[disabled]";
    if (!text || el.closest(apart)) continue;
    if (!el.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) continue;
    const style = getComputedStyle(el), below = behind(el);
    const front = over(rgba(style.color), below);
    const [hi, lo] = [light(front), light(below)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    const ratio = (hi + 0.05) / (lo + 0.05);
    if (ratio < needed) {
      const what = `${el.tagName}.${el.className} ${style.color} on ${below.slice(0, 3)}`;
      const said = `${ratio.toFixed(2)} < ${needed}: ${what}: ${text.slice(0, 40)}`;
      if (!found.has(what)) found.set(what, said);
    }
  }
  return [...found.values()];
}"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def contexts(browser):
    made = {}
    for theme, width in LOOKS:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
        context.add_init_script(
            f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
        )
        made[theme, width] = context
    yield made
    for context in made.values():
        context.close()


class Visit:
    """A page opened and settled, with what it asked for and complained of."""

    def __init__(self, context, url):
        self.page = context.new_page()
        self.outside, self.errors = [], []
        self.page.on("request", lambda r: self.note(r.url))
        self.page.on("requestfailed", lambda r: self.errors.append(f"not loaded: {r.url}"))
        self.page.on("pageerror", lambda e: self.errors.append(f"script error: {e}"))
        self.page.on("console", lambda m: m.type == "error" and self.errors.append(m.text))
        self.page.goto(url, wait_until="load")
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        self.page.wait_for_timeout(150)  # scripts that wait for the load event

    def note(self, url):
        if not url.startswith(("file:", "data:", "blob:")):
            self.outside.append(url)


@pytest.fixture
def visit(contexts):
    opened = []

    def open_(look, path, query=""):
        opened.append(Visit(contexts[look], path.as_uri() + query))
        return opened[-1]

    yield open_
    for one in opened:
        one.page.close()


@each_page
@each_look
def test_page_is_whole(path, look, visit):
    """One visit, many questions: opening a chapter is what costs the time."""
    here = visit(look, path)
    page = here.page
    assert not here.outside, "asks the network"
    assert not here.errors
    assert page.evaluate("document.documentElement.dataset.theme") == look[0]
    # A picture that is lazy or within a folded hint loads when it comes into view: make it.
    missing = page.evaluate("""async () => {
      const pictures = [...document.images];
      for (const p of pictures) p.loading = "eager";
      await Promise.allSettled(pictures.map(p => p.decode()));
      return pictures.filter(p => !(p.complete && p.naturalWidth)).map(p => p.src.slice(0, 120));
    }""")
    assert not missing, "missing image"
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    assert not page.evaluate(RAW_FORMULAS), "unrendered formula"
    too_wide = page.evaluate("""() => document.documentElement.scrollWidth
      > document.documentElement.clientWidth + 1""")
    assert not too_wide, "the page scrolls sideways"
    assert not page.evaluate(LOW_CONTRAST), "low contrast"


@each_page
def test_sliders_move_by_keyboard(path, visit):
    page = visit(("light", DESKTOP), path).page
    for slider in page.locator("article input[type=range]").all():
        figure = slider.locator("xpath=ancestor::*[starts-with(@class, 'bk-')][last()]")
        before, shown = slider.input_value(), figure.screenshot()
        slider.focus()
        page.keyboard.press("ArrowRight" if before != slider.get_attribute("max") else "ArrowLeft")
        assert slider.input_value() != before
        page.wait_for_timeout(80)
        assert figure.screenshot() != shown, "the slider moves and the picture does not"


def test_focus_can_be_seen(visit):
    page = visit(("light", DESKTOP), HTML / "book/intro.html").page
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("""() => { const s = getComputedStyle(document.activeElement);
          return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2; }""")
        )
    assert all(seen[1:]), "an element with the focus looks like any other"


@pytest.mark.parametrize(
    ("word", "place"),
    [("convolution", "glossary"), ("Neocognitron", "from_cortex"), ("manifold", "intro")],
)
def test_search_finds(word, place, visit):
    page = visit(("light", DESKTOP), HTML / "search.html", f"?q={word}").page
    page.wait_for_selector("#search-results .search li a", timeout=10_000)
    page.wait_for_timeout(300)
    hrefs = [a.get_attribute("href") for a in page.locator("#search-results li a").all()]
    assert any(place in href for href in hrefs), hrefs


def test_search_starts_from_a_page(visit):
    """As a reader does it: the key, the word, Enter."""
    page = visit(("light", DESKTOP), HTML / "book/intro.html").page
    page.keyboard.press("Control+k")
    page.keyboard.type("convolution")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a", timeout=10_000)


def test_theme_can_be_switched(browser):
    """By a reader whose system says nothing about colours, on the first visit."""
    page = browser.new_page(viewport={"width": DESKTOP, "height": 800})
    page.goto((HTML / "book/intro.html").as_uri())
    seen = set()
    for _ in range(3):
        seen.add(page.evaluate("document.documentElement.dataset.theme"))
        page.locator(".theme-switch-button").first.click()
    page.close()
    assert seen == {"light", "dark"}

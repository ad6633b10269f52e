"""The live net in a headless Chromium, opened from disk: its numbers are PyTorch's."""

import copy
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from brainkit import live, models, objects
from brainkit.attacks import fgsm, pgd

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
STYLE = Path(__file__).parents[2] / "book/_static/brainkit.css"

pytestmark = pytest.mark.browser
if CHROMIUM is None:
    pytest.skip("no Chromium on this machine (apt-get install chromium)", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api")


@pytest.fixture(scope="module")
def net():
    return models.load("live_cnn-objects", 0)


@pytest.fixture(scope="module")
def shown(net):
    """Six that the net recognises, as the page rounds them."""
    many = objects.sample(60, "medium", seed=4)
    many.images = (many.images * 255).round() / 255
    with torch.no_grad():
        return many[net(many.images).argmax(1) == many.labels][:6]


@pytest.fixture(scope="module")
def url(net, shown, tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "page.html"
    page, _ = live.markup(net, shown, epsilon=4, steps=10)
    path.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Live</title>'
        '<meta name="viewport" content="width=device-width"><style>'
        f"{STYLE.read_text(encoding='utf-8')}</style><body><article>{page}</article>",
        encoding="utf-8",
    )
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, url):
    page = browser.new_page(viewport={"width": 800, "height": 1200})
    complaints = []
    page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.on("request", lambda r: r.url == url or complaints.append(f"asks for {r.url}"))
    page.goto(url)
    yield page
    page.close()
    assert not complaints


def part(page, name):
    return page.locator(f'.bk-live [data-part="{name}"]')


def ask(page, call, *arguments):
    """What a method of the page's net returns, as a tensor."""
    answer = page.evaluate(
        """([call, image, ...rest]) => {
          const net = document.querySelector(".bk-live").brainkit;
          return Array.from(net[call](Float32Array.from(image), ...rest));
        }""",
        [call, arguments[0].flatten().tolist(), *arguments[1:]],
    )
    return torch.tensor(answer)


def says(page):
    page.wait_for_timeout(50)  # until the frame that was asked for is there
    page.evaluate("() => new Promise(requestAnimationFrame)")
    root = page.locator(".bk-live")
    return root.get_attribute("data-clean"), root.get_attribute("data-attacked")


def gradient(net, images, labels):
    images = images.clone().requires_grad_()
    F.cross_entropy(net(images), labels).backward()
    return images.grad.flatten()


def pixels(page):
    """The image as the page holds it, (64, 64)."""
    held = page.evaluate('Array.from(document.querySelector(".bk-live").brainkit.image)')
    return torch.tensor(held).view(64, 64)


def test_logits_gradient_and_attacks_are_pytorchs(page, net, shown):
    exact = copy.deepcopy(net).double()
    for image, label in zip(shown.images, shown.labels, strict=True):
        one, its = image[None], label[None]
        with torch.no_grad():
            torch.testing.assert_close(ask(page, "logits", one), net(one)[0], rtol=0, atol=1e-4)
        # Of doubles: where the net is sure, PyTorch's own floats are off by more than the page's.
        there = gradient(exact, one.double(), its)
        here = ask(page, "gradient", one, int(label))
        assert (here - there).norm() < 1e-5 * there.norm()

        # A pixel whose gradient is nothing but rounding may step either way.
        epsilon, sure = 4 / 255, there.abs() > 1e-4 * there.abs().max()
        attacked = ask(page, "attack", one, int(label), epsilon, 1)
        expected = fgsm(net, one, its, epsilon).flatten()
        assert sure.float().mean() > 0.9
        torch.testing.assert_close(attacked[sure], expected[sure], rtol=0, atol=1e-6)

        for target in (None, (int(label) + 3) % 8):
            attacked = ask(page, "attack", one, int(label), epsilon, 10, target).view_as(one)
            targets = None if target is None else torch.tensor([target])
            expected = pgd(net, one, its, epsilon, 10, random_start=False, targets=targets)
            assert (attacked - one).abs().max() <= epsilon + 1e-6
            assert attacked.min() >= 0
            assert attacked.max() <= 1
            with torch.no_grad():
                torch.testing.assert_close(net(attacked), net(expected), rtol=0, atol=0.05)


def test_epsilon_changes_what_the_net_says(page, shown):
    name = objects.CATEGORIES[int(shown.labels[0])]
    part(page, "epsilon").fill("0")
    assert says(page) == (name, name)
    assert "none" in part(page, "louder").inner_text()
    part(page, "epsilon").fill("16")
    clean, fooled = says(page)
    assert clean == name != fooled
    assert fooled in part(page, "said").inner_text()
    assert part(page, "level").inner_text() == "16/255"
    assert "×8" in part(page, "louder").inner_text()


def test_a_target_is_reached_and_other_images_can_be_chosen(page, shown):
    part(page, "epsilon").fill("16")
    part(page, "steps").select_option("20")
    target = (int(shown.labels[1]) + 1) % 8
    part(page, "goal").select_option(str(target))
    button = part(page, "object").nth(1)
    button.focus()
    page.keyboard.press("Enter")
    assert says(page) == (objects.CATEGORIES[int(shown.labels[1])], objects.CATEGORIES[target])
    assert button.get_attribute("aria-pressed") == "true"


def test_drawing_by_mouse_and_by_keyboard(page):
    part(page, "blank").click()
    says(page)
    assert (pixels(page) == 0.5).all()
    box = part(page, "clean").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3 / 4, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    says(page)
    drawn = pixels(page)
    assert (drawn[32, 18:46] == 0).all()
    assert (drawn[:28] == 0.5).all()
    assert "the net's answer" in part(page, "goal").locator("option").first.inner_text()

    part(page, "shade").select_option("1")
    part(page, "clean").focus()
    for key in [*["ArrowUp"] * 12, " ", *["ArrowLeft"] * 9]:
        page.keyboard.press(key)
    says(page)
    assert (pixels(page) == 1).sum() > 20
    assert (pixels(page)[26:] != 1).all()

    # Without drawing, a finger on the image scrolls the page and marks nothing.
    part(page, "draw").click()
    before = pixels(page)
    part(page, "clean").click()
    assert torch.equal(pixels(page), before)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_fits_a_phone_and_follows_the_theme(page, theme):
    page.set_viewport_size({"width": 375, "height": 800})
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    for drawing in range(2):
        if drawing:
            part(page, "draw").click()
        says(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
    colour = part(page, "live").evaluate("e => getComputedStyle(e).color")
    assert colour == {"light": "rgb(27, 31, 36)", "dark": "rgb(227, 231, 236)"}[theme]


def test_the_still_figure_stands_where_scripts_are_off(browser, url, page):
    assert part(page, "live").is_visible()
    assert not part(page, "still").is_visible()
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(url)
    assert part(plain, "still").is_visible()
    assert "computed by PyTorch" in part(plain, "still").inner_text()
    assert not part(plain, "live").is_visible()
    context.close()

"""The built pages, read as files: links, pictures, headings, weight. Needs no browser."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

HTML = Path(__file__).parents[2] / "build/html"
OWN = {"genindex.html", "index.html", "search.html"}  # made by Sphinx and by us, not written
PAGES = sorted(p for p in HTML.rglob("*.html") if "_static" not in p.parts)
HEAVY = 6_000_000  # bytes of one page: what a phone should load for a chapter with its sliders

if not PAGES:
    pytest.skip("the book is not built yet (make book)", allow_module_level=True)

each_page = pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(HTML).as_posix())
_parsed = {}


def soup(path):
    if path not in _parsed:
        _parsed[path] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    return _parsed[path]


def ids(path):
    return {tag["id"] for tag in soup(path).find_all(id=True)}


def article(path):
    return soup(path).find("article") or soup(path)


@each_page
class TestPage:
    def test_loads_nothing_from_elsewhere(self, path):
        tags = soup(path).find_all(["script", "img", "iframe", "source", "video", "audio", "embed"])
        loaded = [tag.get("src", "") for tag in tags]
        loaded += [
            tag.get("href", "")
            for tag in soup(path).find_all("link")
            if set(tag.get("rel", []))
            & {"stylesheet", "preload", "icon", "preconnect", "modulepreload"}
        ]
        text = " ".join(tag.get_text() for tag in soup(path).find_all(["script", "style"]))
        outside = [url for url in loaded if re.match(r"(https?:)?//", url)]
        outside += re.findall(r"url\(['\"]?https?:[^)]*|https?://(?:unpkg|cdn)[^'\"]*", text)
        assert not outside

    def test_files_it_names_exist(self, path):
        for tag in soup(path).find_all(["script", "img", "link", "source"]):
            url = urlsplit(tag.get("src") or tag.get("href") or "")
            if (
                url.path
                and not url.scheme
                and not url.netloc
                and "canonical" not in tag.get("rel", [])
            ):
                assert (path.parent / unquote(url.path)).exists(), f"missing: {url.path}"

    def test_links_lead_somewhere(self, path):
        for link in soup(path).find_all("a", href=True):
            url = urlsplit(link["href"])
            if url.scheme or url.netloc:
                assert url.scheme in {"https", "mailto"}, f"not encrypted: {link['href']}"
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            assert target.exists(), f"dead link: {link['href']}"
            fragment = unquote(url.fragment)
            if fragment and target.suffix == ".html" and HTML in target.parents:
                assert fragment in ids(target) or fragment == "top", (
                    f"no such place: {link['href']}"
                )

    def test_headings_are_in_order(self, path):
        headings = article(path).find_all(re.compile("^h[1-6]$"))
        levels = [int(tag.name[1]) for tag in headings]
        if path.name in OWN:
            assert levels[:1] == [1]
            return
        assert levels.count(1) == 1, "a page has one h1"
        assert levels[0] == 1
        for tag, a, b in zip(headings[1:], levels, levels[1:], strict=False):
            assert b <= a + 1, f"{tag.get_text()!r} skips from h{a} to h{b}"

    def test_pictures_say_what_they_show(self, path):
        for picture in article(path).find_all("img"):
            said = picture.get("alt")
            assert said is not None, f"no alt: {str(picture)[:120]}"
            hidden = picture.find_parent(attrs={"aria-hidden": "true"})
            assert said.strip() or hidden, f"empty alt: {str(picture)[:120]}"
            assert not re.fullmatch(r".*\.(png|svg|jpe?g)", said), f"a file name is no alt: {said}"
        for drawing in article(path).find_all("svg"):
            within = [drawing, *drawing.parents]
            named = any(
                tag.get("aria-label")
                or tag.get("aria-labelledby")
                or tag.get("aria-hidden") == "true"
                for tag in within
            )
            assert named or drawing.find("title"), f"unnamed svg: {str(drawing)[:120]}"

    def test_controls_have_names(self, path):
        labelled = {tag.get("for") for tag in soup(path).find_all("label")}
        for control in article(path).find_all(["input", "select", "textarea"]):
            named = control.get("aria-label") or control.get("aria-labelledby")
            inside = control.find_parent("label") or control.get("id") in labelled
            assert named or inside or control.get("type") in {"hidden", "submit"}, str(control)[
                :120
            ]

    def test_ids_are_unique(self, path):
        every = [tag["id"] for tag in article(path).find_all(id=True)]
        # Sphinx's own search form stands in the page and in its dialogue.
        twice = {i for i in every if every.count(i) > 1} - {"search-input"}
        assert not twice

    def test_says_its_language_and_title(self, path):
        assert soup(path).html.get("lang", "").startswith("en")
        assert soup(path).title.get_text().strip()

    def test_is_not_too_heavy(self, path):
        assert path.stat().st_size <= HEAVY, f"{path.stat().st_size / 1e6:.1f} MB"

    def test_shows_no_error_and_no_warning(self, path):
        """A traceback or a warning printed by a library is no part of a lesson."""
        text = "\n".join(tag.get_text() for tag in article(path).find_all(class_="cell_output"))
        if path.parent.name == "notebooks":
            for word in ("Traceback (most recent call last)", "Warning:", "/site-packages/"):
                assert word not in text


CHAPTERS = [p for p in PAGES if p.parent.name == "notebooks"]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
class TestChapter:
    def test_opens_in_colab(self, path):
        hrefs = [a["href"] for a in soup(path).find_all("a", href=True)]
        colab = [h for h in hrefs if h.startswith("https://colab.research.google.com/github/")]
        assert len(set(colab)) == 1
        assert colab[0].endswith(f"/blob/main/notebooks/{path.stem}.ipynb")

    def test_offers_the_notebook(self, path):
        hrefs = [a["href"] for a in soup(path).find_all("a", href=True)]
        downloads = [h for h in hrefs if h.endswith(f"{path.stem}.ipynb") and "colab" not in h]
        assert downloads
        assert (path.parent / downloads[0]).exists()


def test_there_is_a_page_for_every_notebook():
    notebooks = {p.stem for p in (HTML.parents[1] / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert {p.stem for p in CHAPTERS} == notebooks


def test_nothing_of_the_machine_shows():
    for path in PAGES:
        text = article(path).get_text()
        for word in (str(HTML.parents[1]), str(Path.home()) + "/"):
            assert word not in text, f"{path.name} shows the path {word}"

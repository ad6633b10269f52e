"""Make the built book whole by itself: read from a disk with no network, it lacks nothing.

- MathJax comes from the pip package sphinx-mathjax-offline, and only its parts in use.
- Thebe, which Jupyter Book names on every page with a CDN's address, is taken out.
- Sphinx 7 with this theme prints inline scripts twice, and the second copy of a `const` is a
  script error on every page: each is kept once.
"""

import importlib
from pathlib import Path

from sphinx.util.fileutil import copy_asset

MATHJAX = [
    "tex-chtml.js", "core.js", "startup.js", "loader.js", "a11y", "input/tex", "output/chtml", "ui",
]  # fmt: skip


def remove_thebe(app, config):
    """Undo sphinx_thebe's setup: its listeners, script and style sheet."""
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if not is_thebes(one.handler)]
    sheets = app.registry.css_files
    sheets[:] = [(name, attributes) for name, attributes in sheets if "thebe" not in (name or "")]


def is_thebes(handler):
    return getattr(handler, "__module__", "").startswith("sphinx_thebe")


def once(app, pagename, templatename, context, doctree):
    """Each script of a page once."""
    seen = set()
    kept = []
    for script in context.get("script_files", []):
        key = (getattr(script, "filename", script), getattr(script, "attributes", {}).get("body"))
        if key not in seen:
            seen.add(key)
            kept.append(script)
    context["script_files"] = kept


def copy_mathjax(app, error):
    """Lay MathJax's files into the book's _static, if anything in the book is a formula."""
    if error is not None or app.builder.format != "html":
        return
    package = importlib.import_module("sphinx-mathjax-offline")
    source = Path(package.__file__).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in MATHJAX:
        if (source / part).exists():
            place = target / part
            copy_asset(source / part, place.parent if (source / part).is_file() else place)


def setup(app):
    app.connect("config-inited", remove_thebe)
    app.connect("html-page-context", once, priority=900)
    app.connect("build-finished", copy_mathjax)
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    return {"parallel_read_safe": True, "parallel_write_safe": True}

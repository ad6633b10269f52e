"""What figures, interact, checks and claims share: small HTML, and the way to the page."""

import html
import re

# Inline, so that a card is readable where the book's style sheet is absent: in Jupyter, Colab or
# VS Code, light or dark. In the book the variables follow the theme.
PAPER = "background:var(--bk-paper,#fff);color:var(--bk-fg,#1b1f24)"


def publish(markup, plain, metadata=None):
    """Display `markup` (HTML) with `plain` as its text; outside IPython print the text.

    `metadata` (dict) is kept with the output in the executed notebook.
    """
    publish_mime({"text/html": markup, "text/plain": plain}, metadata)


def publish_mime(data, metadata=None):
    """Display a dict of MIME type to content; outside IPython print its text/plain."""
    try:
        from IPython import get_ipython

        shell = get_ipython()
    except ImportError:
        shell = None
    if shell is None:
        print(data["text/plain"])
    else:
        shell.display_pub.publish(data=data, metadata=metadata or {})


def escape(text):
    """`text` safe inside HTML and inside a double-quoted attribute."""
    return html.escape(str(text), quote=True)


def inline(text):
    """HTML of one paragraph of text in which `code`, *emphasis* and **strong** are marked."""
    parts = re.split(r"`([^`]+)`", str(text))
    for i, part in enumerate(parts):
        part = escape(part)
        if i % 2:
            parts[i] = f"<code>{part}</code>"
        else:
            part = re.sub(r"\*\*(\S(?:.*?\S)?)\*\*", r"<strong>\1</strong>", part)
            parts[i] = re.sub(r"\*(\S(?:.*?\S)?)\*", r"<em>\1</em>", part)
    return "".join(parts)


def plain(text):
    """The same text without its marks."""
    return re.sub(r"`([^`]+)`|\*\*(\S(?:.*?\S)?)\*\*|\*(\S(?:.*?\S)?)\*",
                  lambda m: m[1] or m[2] or m[3], str(text))

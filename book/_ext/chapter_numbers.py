"""A chapter's number is its file's: 05_cornet_s is chapter 5, whether or not chapter 4 is there.

Sphinx counts the chapters that it finds, and would count on where one is still to be written.
"""

import re

from docutils import nodes


def renumber(app, env):
    """Put the file's number in the place of Sphinx's, in contents, titles and headings."""
    for name, numbers in env.toc_secnumbers.items():
        number = re.search(r"(\d\d)_[^/]*$", name)
        if number is None or not numbers:
            continue
        chapter = (int(number[1]),)
        numbers[""] = chapter
        env.titles[name]["secnumber"] = chapter
        for reference in env.tocs[name].findall(nodes.reference):
            if not reference["anchorname"]:
                reference["secnumber"] = chapter
    return []


def setup(app):
    # After Sphinx's own count, which answers to the same event.
    app.connect("env-get-updated", renumber, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

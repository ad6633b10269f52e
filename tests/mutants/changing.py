"""Right answers with one thing wrong."""


def but(source, *changes):
    """The right answer with some of its text replaced, (old, new) each."""
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    return source


def returning(source, value):
    """The right answer that returns something else at its end."""
    head, _, _ = source.rpartition("return ")
    return f"{head}return {value}\n"

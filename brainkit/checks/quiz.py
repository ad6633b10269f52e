"""Predictions: before a result, the learner commits to a guess.

The questions stand in predictions/ch01.yml and so on, so that a notebook's cell shows only
`checks.predict("01-edges")`. A question tells of ideas, never of numbers: those the run prints.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from .. import _html

_FOLDER = Path(__file__).parent / "predictions"

_SCRIPT = """<script>(() => {
for (const root of document.querySelectorAll(".bk-quiz:not([data-ready])")) {
  root.dataset.ready = "";
  const [button, out, list] = ["button", "output", "details"].map(t => root.querySelector(t));
  const inputs = [...root.querySelectorAll("input")], words = list.querySelectorAll("li");
  // Names keep the radio buttons of one question together; a page may show a question twice.
  const name = "bk" + Math.random().toString(36).slice(2);
  inputs.forEach(i => { i.name = name; i.disabled = false;
                        i.addEventListener("change", () => { button.disabled = false; }); });
  list.hidden = true;
  button.hidden = false;
  button.addEventListener("click", () => {
    const chosen = inputs.findIndex(i => i.checked);
    const right = words[chosen].dataset.right === "1";
    out.innerHTML = "<strong>" + (right ? "That is how it came out."
      : "It came out otherwise.") + "</strong> " + words[chosen].dataset.says;
    out.style.borderLeftColor = right ? "var(--bk-good,#1a7f37)" : "var(--bk-bad,#b35900)";
    out.hidden = false;
    out.style.display = "block";
    button.textContent = "Guess again";
  });
}
})();</script>"""


@dataclass(frozen=True)
class Prediction:
    """A question with its options, each (text, feedback, right); exactly one is right."""

    name: str
    question: str
    options: tuple

    def __repr__(self):
        options = "\n".join(f"  ( ) {_html.plain(text)}" for text, _, _ in self.options)
        return f"{_html.plain(self.question)}\n{options}"

    def _repr_html_(self):
        rows, words = "", ""
        for text, feedback, right in self.options:
            # Disabled until the script runs: without it a choice would do nothing.
            rows += ('<label style="display:flex;gap:.6em;align-items:baseline;margin:.25em 0">'
                     f'<input type="radio" autocomplete="off" disabled><span>{_html.inline(text)}'
                     "</span></label>")
            verdict = "this is how it came out. " if right else ""
            said = _html.inline(feedback)
            words += (f'<li data-right="{int(right)}" data-says="{_html.escape(said)}">'
                      f"<em>{_html.inline(text)}</em>: {verdict}{said}</li>")
        return (
            f'<div class="bk-quiz" data-name="{_html.escape(self.name)}" style="{_html.PAPER};'
            'border:1px solid var(--bk-grid,#d8dee4);border-radius:.4em;padding:.8em 1em;'
            'margin:1em 0"><fieldset><legend>Predict: '
            f"{_html.inline(self.question)}</legend>{rows}"
            '<button type="button" hidden disabled style="margin-top:.5em">Commit to this guess'
            '</button></fieldset><output hidden role="status" style="border-left:'
            '4px solid;padding:.1em .8em;margin-top:.8em"></output>'
            f"<details><summary>What each guess means</summary><ul>{words}</ul></details></div>"
            f"{_SCRIPT}")


def predict(name):
    """The prediction called `name`, which displays itself; KeyError lists the known ones."""
    known = predictions()
    if name not in known:
        raise KeyError(f"No prediction {name!r}; there are {', '.join(sorted(known))}.")
    return known[name]


@cache
def predictions():
    """All predictions by name, read from predictions/*.yml; ValueError where one is malformed."""
    found = {}
    for path in sorted(_FOLDER.glob("*.yml")):
        for name, entry in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
            where = f"{path.name}, {name}"
            if name in found:
                raise ValueError(f"{where}: a prediction of this name exists already.")
            found[name] = _read(name, entry, where)
    return found


def _read(name, entry, where):
    if not isinstance(entry, dict) or set(entry) != {"question", "options"}:
        raise ValueError(f"{where}: needs `question` and `options`, nothing else.")
    options = []
    for option in entry["options"]:
        extra = set(option) - {"text", "feedback", "right"}
        if extra or not option.get("text") or not option.get("feedback"):
            raise ValueError(f"{where}: each option needs `text` and `feedback`, and the right "
                             f"one `right: true`; got {option}.")
        options.append((str(option["text"]), str(option["feedback"]).strip(),
                        option.get("right", False)))
    if len(options) < 2 or sum(right for _, _, right in options) != 1:
        raise ValueError(f"{where}: needs 2 or more options, exactly one with `right: true`.")
    return Prediction(name, str(entry["question"]).strip(), tuple(options))

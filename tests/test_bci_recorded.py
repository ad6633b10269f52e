"""What chapter 11 says about recordings: on made ones, and the record against the originals."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from golub import DIRECTIONS, GOLUB, MAPPING, SPIKES, WITHIN, made_activity, original

from brainkit import bci, data


def planted(n=3000, units=40, factors=4, share=0.4, seed=0):
    """Counts whose units each share so much of their variance, by so many factors."""
    rng = np.random.default_rng(seed)
    L = rng.standard_normal((units, factors))
    L *= np.sqrt(share / (L**2).sum(1, keepdims=True))
    x = rng.standard_normal((n, factors)) @ L.T
    x += np.sqrt(1 - share) * rng.standard_normal((n, units))
    return 5 + rng.uniform(0.5, 2, units) * x, L


def test_dimensions_of_a_planted_population():
    x, L = planted()
    found = bci.dimensions(x, [300, 3000], sizes=(1, 2, 4, 8, 12), factors=4)
    assert (found["units"], found["bins"]) == (40, 3000)
    assert found["shared"] == pytest.approx(0.4, abs=0.02)
    strengths = np.linalg.eigvalsh(L.T @ L)
    assert found["pr_shared"] == pytest.approx(strengths.sum() ** 2 / (strengths**2).sum(), abs=0.1)
    values = np.linalg.eigvalsh(np.corrcoef(x.T))[::-1]
    assert found["spectrum"] == pytest.approx(values / 40)
    assert found["pr"] == pytest.approx(values.sum() ** 2 / (values**2).sum())
    assert found["components_95"] == 1 + int((np.cumsum(values) / 40 < 0.95).sum())
    assert found["pr_shuffled"] > 38
    gain = np.array(found["curves"]["3000"]["gain"])
    assert gain.argmax() == 2
    assert found["curves"]["3000"]["error"][2] == 0
    assert min(np.delete(found["curves"]["3000"]["error"], 2)) > 0
    # What is to be gained, nats a bin: from units by themselves to the planted model.
    covariance = L @ L.T + 0.6 * np.eye(40)
    assert gain[2] == pytest.approx(-np.linalg.slogdet(covariance)[1] / 2, abs=0.5)
    few = np.array(found["curves"]["300"]["gain"])
    assert few[2] - few[-1] > 2 * (gain[2] - gain[-1])  # few points punish more


def made_learning():
    after, directions = made_activity(seed=1)
    mapping = SimpleNamespace(M1=GOLUB["M1"], M2=GOLUB["M2_intuitive"], m0=GOLUB["m0_intuitive"])
    intuitive = bci.Decoder.from_mapping(MAPPING)
    perturbed = intuitive.perturbed(within=WITHIN)
    parts = [SimpleNamespace(counts=u, directions=d, intuitive=intuitive.pushes(u),
                             perturbed=perturbed.pushes(u))
             for u, d in ((SPIKES, DIRECTIONS), (after, directions))]  # fmt: skip
    factors = SimpleNamespace(loadings=GOLUB["L"], private=GOLUB["Ph"], mean=GOLUB["mu_u"],
                              sd=GOLUB["sd_u"])
    return SimpleNamespace(
        before=parts[0], after=parts[1], targets=np.arange(8) * np.pi / 4, factors=factors,
        intuitive=mapping, order=WITHIN, gain=GOLUB["K"], offset=GOLUB["d"],
        factor_scale=1 / GOLUB["sd_z"])


def made_session(trials=40, bins=12):
    """A session whose cursor goes to the target at 80 mm/s, and in the other block faster by 1
    mm/s in each trial, from 20 on."""
    u, _ = made_activity(trials * bins // 8)
    rng = np.random.default_rng(0)
    blocks = {}
    for kind in ("intuitive", "perturbed"):
        trial = np.repeat(np.arange(trials), bins)
        angle = rng.uniform(0, 2 * np.pi, trials * bins)
        directions = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        speed = 80 if kind == "intuitive" else 20 + trial
        frozen = np.tile(np.arange(bins) < 2, trials)
        velocities = directions * np.where(frozen, 1e6, speed)[:, None]
        directions[7] = np.nan
        blocks[kind] = SimpleNamespace(
            counts=u.reshape(-1, 86), trial=trial, frozen=frozen, directions=directions,
            next_velocities=velocities, mapping=SimpleNamespace(M2=GOLUB["M2_intuitive"]))
    factors = SimpleNamespace(loadings=GOLUB["L"], sd=GOLUB["sd_u"])
    return SimpleNamespace(**blocks, factors=factors)


def made_reaching():
    rng = np.random.default_rng(3)
    target = np.arange(80) % 8
    tuning = 2 * np.cos(target[:, None] * np.pi / 4 - np.arange(12))[:, None]
    counts = rng.poisson(np.clip(3 + tuning * (np.arange(6) > 2)[:, None], 0, None), (80, 6, 12))
    counts = np.concatenate([counts, np.zeros((80, 6, 1))], axis=2)  # a silent unit
    positions = np.arange(6)[:, None] * np.stack([np.cos(target * np.pi / 4),
                                                  np.sin(target * np.pi / 4)], 1)[:, None]
    times, onset, units = np.arange(6) * 50.0, np.zeros(80), np.arange(13).astype(str)
    return data.M1Reaching("made", counts.astype(float), target, np.zeros((80, 6, 2)), positions,
                           times, 50, "onset", onset, units)


@pytest.fixture(scope="module")
def learning():
    return bci.summarise_learning(made_learning(), n=300)


def test_learning_summarised(learning):
    found = learning
    intuitive = bci.Decoder.from_mapping(MAPPING)
    assert found["shares"]["intuitive"] == pytest.approx(0.990, abs=5e-4)
    assert found["shares"]["outside"] < 0.6 < 0.9 < found["shares"]["within"]
    assert found["shared"]["outside"] < found["shared"]["within"]
    pushes = intuitive.perturbed(within=WITHIN).pushes(SPIKES)
    assert found["pushes"]["animal"] == pytest.approx(pushes.mean(1))
    forward = (pushes * DIRECTIONS).sum(-1).mean(1)
    assert found["progress"]["perturbed_before"] == pytest.approx(forward)
    assert abs(found["after_effect"]) < 5
    assert found["impairment"] == pytest.approx(
        1 - np.mean(forward) / np.mean(found["progress"]["intuitive_before"]))
    assert abs(found["repertoire"]["change"]) < 0.1  # the same model drew both
    w, o = found["pair"]["impairment"]
    assert abs(w - o) <= 0.05


def test_shared_variance_of_a_control_space():
    """From the model: activity drawn without private noise, and with it."""
    from brainkit.bci.recorded import _shared

    decoder = bci.Decoder.from_mapping(MAPPING)
    rng = np.random.default_rng(0)
    common = rng.standard_normal((20000, 10)) @ decoder.L.T @ decoder.control_space
    private = (rng.standard_normal((20000, 86)) * decoder.Psi**0.5) @ decoder.control_space
    expected = common.var(0).sum() / (common + private).var(0).sum()
    assert _shared(decoder) == pytest.approx(expected, abs=0.02)


def test_session_summarised():
    found = bci.summarise_session(made_session(), group=10)
    assert found["shares"]["perturbed"] == pytest.approx(0.990, abs=5e-4)
    blocks = found["blocks"]
    assert blocks["intuitive"]["trials"] == [4.5, 14.5, 24.5, 34.5]
    assert blocks["intuitive"]["progress"] == pytest.approx([80] * 4)
    assert blocks["perturbed"]["progress"] == pytest.approx([24.5, 34.5, 44.5, 54.5])
    assert blocks["perturbed"]["progress_error"] == pytest.approx([np.std(range(10), ddof=1)
                                                                   / 10**0.5] * 4)  # fmt: skip
    assert blocks["intuitive"]["duration"][1:] == pytest.approx([0.45] * 3)
    assert list(found["dimensions"]["curves"]) == ["60", "480"]


def test_reaching_summarised():
    recording = made_reaching()
    with pytest.raises(ValueError, match="units"):  # 12 units, and 30 factors to try
        bci.summarise_reaching(recording)
    wide = np.tile(recording.counts[..., :12], (1, 1, 4)) \
        + np.random.default_rng(0).poisson(1, (80, 6, 48))  # fmt: skip
    recording = data.M1Reaching(*(wide if name == "counts" else getattr(recording, name)
                                  for name in recording.__dataclass_fields__))
    found = bci.summarise_reaching(recording)
    angle = np.arange(8) * np.pi / 4
    ends = np.array(found["hand"])[:, -1]
    assert ends == pytest.approx(5 * np.stack([np.cos(angle), np.sin(angle)], 1))
    assert np.shape(found["latents"]) == (8, 6, 3)
    latents = np.array(found["latents"])
    spread = latents[..., :2].std(0).mean(1)  # over targets
    assert spread[3:].min() > 3 * spread[:3].max()
    rates = np.array(found["rates"])
    assert rates.shape == (3, 8, 6)
    assert any(rates[0, 0, 2] == pytest.approx(20 * unit[recording.target == 0, 2].mean())
               for unit in np.moveaxis(wide, 2, 0))


# ---- the record


def shape_of(value):
    """Its keys, and the shapes of its lists, without the numbers."""
    if isinstance(value, dict):
        return {name: shape_of(part) for name, part in value.items()}
    return np.shape(value) if isinstance(value, list) else type(value).__name__


def test_record_has_what_the_functions_give(learning):
    record = data.bci_summary()
    assert shape_of(record["learning"]) == shape_of(learning)
    session = record["session"]
    assert {n: len(b["progress"]) for n, b in session["blocks"].items()} \
        == {"intuitive": 10, "perturbed": 10}  # fmt: skip
    assert session["blocks"].keys() == made_session().__dict__.keys() - {"factors"}
    assert record["reaching"].keys() == {"session", "trials", "times", "hand", "rates", "latents",
                                         "dimensions"}
    for name in ("reaching", "learning", "session"):
        assert record[name]["dimensions"].keys() == learning["dimensions"].keys()


def test_record_holds_no_bins():
    def sizes(value):
        if isinstance(value, dict):
            return [s for part in value.values() for s in sizes(part)]
        return [np.size(value)] if isinstance(value, list) else []

    text = json.dumps(data.bci_summary())
    assert len(text) < 40_000
    assert max(sizes(data.bci_summary())) <= 8 * 16 * 3  # mean paths of the factors


def close(found, expected, path=""):
    if isinstance(found, dict):
        assert found.keys() == expected.keys(), path
        for name in found:
            close(found[name], expected[name], f"{path}.{name}")
    elif isinstance(found, str):
        assert found == expected, path
    else:
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max(),
                                   err_msg=path)  # fmt: skip


@pytest.mark.parametrize(("name", "asset", "load", "summarise"), [
    ("learning", "bci-learning", data.bci_learning, bci.summarise_learning),
    ("session", "bci-session", data.bci_session, bci.summarise_session),
    ("reaching", "m1-reaching", lambda: data.m1_reaching(width=50), bci.summarise_reaching),
])  # fmt: skip
def test_record_is_what_the_originals_give(name, asset, load, summarise):
    if asset == "m1-reaching" and data.state(data.ASSETS[asset]) == "absent":
        pytest.skip("m1-reaching is not in the cache, and a download of 15 MB")
    original(asset)
    close(summarise(load()), data.bci_summary()[name])


def test_chapter_draws_from_the_record_alone(monkeypatch, capsys):
    """As where no recording can be had, the M1 one included: the cells up to the network."""
    def refused(*args, **kwargs):
        raise data.AssetError("no source is within reach")

    for name in ("bci_learning", "bci_session", "m1_reaching"):
        monkeypatch.setattr(data, name, refused)
    monkeypatch.setenv("BRAINKIT_BOOK", "1")
    path = Path(__file__).parents[1] / "notebooks/11_neural_manifolds.ipynb"
    space = {"__name__": "__main__"}
    drawn = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code" and cell["id"] != "bootstrap":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), space)
            drawn.append(cell["id"])
        if cell["id"] == "net-text":
            break
    assert drawn[-1] == "monkey-figure"
    assert set(space["origin"].values()) == {f"recorded on {data.bci_summary()['recorded']}"}
    shown = capsys.readouterr().out
    for words in ("Out of reach from this machine: reaching, monkey C", "[Figure: Left: progress"):
        assert words in shown

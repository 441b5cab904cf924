"""Write requirements-dev.txt: all that development needs, with versions and hashes, for `pip install --require-hashes`.

    python .ci/requirements.py          # or: make requirements

pip resolves what pyproject.toml asks for, once for each Python that is supported, and tells the hash of the file that
it would install there. Nothing is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64")
HEAD = """\
# Everything that building, testing, linting and benchmarking need: CPython {pythons}, Linux x86-64.
# Written by .ci/requirements.py from pyproject.toml; `make requirements` writes it anew.
#     pip install --require-hashes --only-binary :all: -r requirements-dev.txt
"""


def wanted() -> list[str]:
    """What pyproject.toml asks for, build requirements included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    return [*project["build-system"]["requires"], *project["project"]["dependencies"],
            *(line for extra in extras.values() for line in extra)]


def resolve(python: str, asked: list[str]) -> dict[str, tuple[str, str]]:
    """Name -> (version, sha256) of what pip would install for that Python."""
    # Nothing but the registry: a mirror that this machine's pip is set to may have other files.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX")}
    environment["PIP_CONFIG_FILE"] = os.devnull
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--dry-run",
             "--ignore-installed", "--only-binary", ":all:", "--python-version", python, *platforms, "--target", folder,
             "--report", str(report), *asked], check=True, env=environment)
        found = {}
        for entry in json.loads(report.read_text())["install"]:
            name = entry["metadata"]["name"].lower().replace("_", "-").replace(".", "-")
            found[name] = (entry["metadata"]["version"], entry["download_info"]["archive_info"]["hashes"]["sha256"])
        return found


def main() -> None:
    asked = wanted()
    per_python = {python: resolve(python, asked) for python in PYTHONS}
    lines = [HEAD.format(pythons=", ".join(PYTHONS))]
    for name in sorted({name for found in per_python.values() for name in found}):
        versions: dict[str, dict[str, list[str]]] = {}      # version -> hash -> Pythons
        for python, found in per_python.items():
            if name in found:
                version, digest = found[name]
                versions.setdefault(version, {}).setdefault(digest, []).append(python)
        for version, digests in versions.items():
            pythons = [python for held in digests.values() for python in held]
            marker = "" if len(pythons) == len(PYTHONS) else " ; " + " or ".join(
                f'python_version == "{python}"' for python in pythons)
            lines.append(f"{name}=={version}{marker} \\\n" + " \\\n".join(
                f"    --hash=sha256:{digest}" for digest in sorted(digests)) + "\n")
    (ROOT / "requirements-dev.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()

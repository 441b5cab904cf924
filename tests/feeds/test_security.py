"""What SECURITY.md promises: no code from data, TLS verified and no way to turn it off, no redirects, no secrets."""

from __future__ import annotations

import ast
import asyncio
import logging
import re
import ssl
import tomllib
import warnings
from pathlib import Path

import pytest

import feeds
from feeds.pipeline import Pipeline
from feeds.rest import Rest, RestError
from feeds.transport import open_line
from feeds.venues import load
from tests.loopback import Venue, make_certificate, until

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for package in ("orderbook", "feeds") for path in sorted((ROOT / package).rglob("*"))
           if path.suffix in {".py", ".pyx", ".pxd", ".pxi"}]

MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "xml", "code",
           "codeop", "ctypes"}
CALLS = {"eval", "exec", "compile", "__import__", "input"}
METHODS = {("os", "system"), ("os", "popen"), ("ssl", "_create_unverified_context"), ("ssl", "_create_stdlib_context"),
           ("ssl", "wrap_socket"), ("tls", "_create_unverified_context"), ("numpy", "load"), ("np", "load"),
           ("tempfile", "mktemp")}
ATTRIBUTES = {"CERT_NONE", "CERT_OPTIONAL", "check_hostname", "verify_mode", "maximum_version", "SSLv3", "TLSv1",
              "TLSv1_1"}
SWITCHED_OFF = {("ssl", False), ("verify", False), ("verify_ssl", False), ("check_hostname", False), ("shell", True),
                ("allow_redirects", True), ("trust_env", True), ("allow_pickle", True)}
# The same for Cython source, which Python's grammar does not read.
WORDS = re.compile(
    rf"\b(?:import|cimport)\s+(?:{'|'.join(MODULES)})\b|\bfrom\s+(?:{'|'.join(MODULES)})\s+c?import\b"
    rf"|(?<![\w.])(?:{'|'.join(CALLS)})\s*\(|\b(?:{'|'.join(ATTRIBUTES)})\b|\b(?:os\.system|os\.popen)\b"
    rf"|\b(?:{'|'.join(f'{name}={value}' for name, value in SWITCHED_OFF)})\b")


def identify(path):
    return str(path.relative_to(ROOT))


def forbidden(source):
    """What Python source does that it may not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module] if (node.module or "").split(".")[0] in MODULES else []
        elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
            found.append(node.attr)
        elif isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in CALLS:
                found.append(called.id)
            if (isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)
                    and (called.value.id, called.attr) in METHODS):
                found.append(f"{called.value.id}.{called.attr}")
            found += [f"{word.arg}={word.value.value}" for word in node.keywords
                      if isinstance(word.value, ast.Constant) and (word.arg, word.value.value) in SWITCHED_OFF]
    return found


def forbidden_words(source):
    """The same of Cython source."""
    return [match.group() for match in WORDS.finditer(re.sub(r'"""[\s\S]*?"""|#.*', "", source))]


@pytest.mark.parametrize("source", [
    "import pickle", "from pickle import loads", "import xml.etree", "eval('1')", "def f():\n    exec(x)",
    "__import__('os')", "os.system('x')", "run(x, shell=True)", "Session(verify=False)", "get(ssl=False)",
    "context.check_hostname = False", "context.verify_mode = ssl.CERT_NONE", "np.load(f, allow_pickle=True)",
    "ssl._create_unverified_context()", "get(url, allow_redirects=True)",
])
def test_what_is_forbidden_is_seen(source):
    assert forbidden(source)
    if "_create_unverified" not in source:
        assert forbidden_words(source)


def test_what_is_allowed_is_not_taken_for_it():
    source = "import json\nre.compile('x')\nsession.eval_all(1)\nget(ssl=context)\nf(verify=True)\nlast_exec = 1\n"
    assert not forbidden(source)
    assert not forbidden_words(source + '# eval(x)\n"""exec(x)"""\n')


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_no_code_comes_from_data_and_nothing_turns_verification_off(path):
    source = path.read_text()
    assert (forbidden(source) if path.suffix == ".py" else forbidden_words(source)) == []


# ---- TLS

def test_the_context_of_a_feed_verifies_and_takes_no_old_tls():
    feed = feeds.connect("binance_spot", "BTCUSDT")
    context = feed.ssl_for("wss://stream.example.com/ws")
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert feed.ssl_for("ws://127.0.0.1:1/") is None
    own = ssl.create_default_context()
    assert feeds.connect("binance_spot", "BTCUSDT", ssl=own).ssl_for("wss://stream.example.com/ws") is own
    for wrong in (False, True, "no", 0):
        with pytest.raises(ValueError, match="ssl must be an ssl.SSLContext or None"):
            feeds.connect("binance_spot", "BTCUSDT", ssl=wrong)


def test_every_address_of_a_venue_is_encrypted():
    for name in feeds.VENUES:
        spec = load(name)
        addresses = [*spec.roots.values(), *([spec.rest_url] if spec.rest_url else [])]
        assert [address for address in addresses if not address.startswith(("wss://", "https://"))] == []


def served_with_tls(certificate, key, newest=None):
    """A venue that speaks TLS; `newest` is the latest version that it knows."""
    venue = Venue()
    venue.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    venue.tls.load_cert_chain(certificate, key)
    if newest is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            venue.tls.minimum_version = ssl.TLSVersion.TLSv1
            venue.tls.maximum_version = newest
        venue.tls.set_ciphers("ALL:@SECLEVEL=0")
    return venue


def test_rest_verifies_certificates_too(tmp_path):
    async def main():
        certificate, key = make_certificate(tmp_path)
        async with served_with_tls(certificate, key) as venue:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            url = venue.url.replace("wss", "https")
            for trust, verified in ((None, False), (ssl.create_default_context(cafile=certificate), True)):
                rest = Rest(load("binance_spot"), url, trust)
                rest.tries = 1
                with pytest.raises(RestError, match="status 404" if verified else "(?i)certificate"):
                    await rest.get(url + "/x", 1)
                await rest.close()
    asyncio.run(main())


def test_a_server_that_knows_old_tls_only_is_refused(tmp_path):
    async def main():
        certificate, key = make_certificate(tmp_path)
        trust = ssl.create_default_context(cafile=certificate)
        async with served_with_tls(certificate, key, ssl.TLSVersion.TLSv1_1) as venue:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            with pytest.raises(ConnectionError, match="(?i)ssl|tls|version|alert|closed|reset"):
                await open_line(Pipeline("binance_spot"), venue.url, ssl_context=trust, timeout=5)
            assert venue.peers == []
        async with served_with_tls(certificate, key) as venue:     # the same, but for the version
            line = await open_line(Pipeline("binance_spot"), venue.url, ssl_context=trust)
            line.close()
            await line.wait_closed()
    asyncio.run(main())


# ---- redirects, secrets

def test_a_handshake_that_redirects_is_not_followed():
    async def main():
        asked = []

        async def redirect(reader, writer):
            asked.append((await reader.readuntil(b"\r\n\r\n")).split()[1])
            port = server.sockets[0].getsockname()[1]
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:{port}/other\r\n"
                         "Content-Length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(redirect, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError):
            await open_line(Pipeline("binance_spot"), f"ws://127.0.0.1:{port}/ws")
        assert asked == [b"/ws"]
        server.close()
        await server.wait_closed()
    asyncio.run(main())


def test_keys_and_tokens_are_in_no_log_and_no_error(caplog):
    async def main():
        secret = {"X-Api-Key": "sekrit-header"}
        async with Venue() as venue:
            url = venue.url + "/ws?token=sekrit-query"
            line = await open_line(Pipeline("binance_spot"), url, headers=secret)
            await until(lambda: venue.peers)
            assert venue.peer.path.endswith("sekrit-query")
            line.close()
            await line.wait_closed()
            venue.upgrade = False
            with pytest.raises(ConnectionError) as refused:
                await open_line(Pipeline("binance_spot"), url, headers=secret)
        with pytest.raises(ConnectionError) as gone:
            await open_line(Pipeline("binance_spot"), url, headers=secret)
        return [str(refused.value), str(gone.value)]

    with caplog.at_level(1):
        logging.getLogger("picows").setLevel(1)
        try:
            told = asyncio.run(main())
        finally:
            logging.getLogger("picows").setLevel(logging.NOTSET)
    assert all("127.0.0.1" in text and "sekrit" not in text for text in told)
    assert caplog.records
    assert "sekrit" not in caplog.text


# ---- requirements

def test_development_requirements_are_pinned_with_hashes():
    path = ROOT / "requirements-dev.txt"
    if not path.is_file():
        pytest.skip("a copy of the sources without requirements-dev.txt")
    text = re.sub(r"#.*", "", path.read_text()).replace("\\\n", " ")
    pinned = {}
    for line in filter(str.strip, text.splitlines()):
        name, version, rest = re.fullmatch(r"([\w.-]+)==([\w.]+)( .*)", line).groups()
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", rest), line
        pinned.setdefault(name, []).append(version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"],
             *sum(project["project"]["optional-dependencies"].values(), [])]
    missing = {re.match(r"[\w.-]+", line).group().lower() for line in asked} - pinned.keys()
    assert not missing, f"{missing} are not pinned: make requirements"

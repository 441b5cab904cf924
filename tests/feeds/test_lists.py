"""Every recorded list of instruments: it is read, its figures are sound, and names lead back to their instruments."""

from __future__ import annotations

import json
import random
from decimal import Decimal, InvalidOperation

import pytest

from feeds.instruments import KINDS, STATUSES, Instrument
from feeds.listing import Listing, form_of, needs_list
from feeds.venue import Answer
from feeds.venues import VENUES, load
from tests.lists import RECORDED, recorded_answers, recorded_instruments

# Records of the recorded lists, counted once; a list that is read by halves shows here.
COUNTS = {
    "binance_coinm": 36, "binance_spot": 1695, "binance_usdm": 122, "bitfinex": 328, "bitget": 304, "bitmex": 34,
    "bitstamp": 140, "bybit": 15, "coinbase_exchange": 162, "cryptocom": 250, "deribit": 1017, "dydx": 27,
    "gateio": 1760, "gemini": 71, "htx": 1109, "kraken": 358, "kraken_futures": 17, "kucoin": 634, "okx": 1479,
}
NUMBERS = ("tick_size", "lot_size", "min_qty", "min_value", "contract_size", "multiplier", "strike")

pytestmark = pytest.mark.skipif(not RECORDED, reason="no recorded lists")


def listing_of(venue: str) -> Listing:
    return Listing(load(venue), recorded_instruments(load(venue)))


def test_every_recorded_list_is_counted():
    assert {venue: len(listing_of(venue)) for venue in RECORDED} == COUNTS


@pytest.mark.parametrize("venue", RECORDED)
def test_the_fields_are_what_the_record_says(venue):
    spec = load(venue)
    for it in recorded_instruments(spec):
        assert it.kind in KINDS, it
        assert it.status in STATUSES, it
        assert it.market in (spec.markets or ("",)), it
        assert it.base, it
        assert it.quote, it
        if it.status != "closed":       # old spellings of what is still traded stand in some lists for recordings
            assert {it.base, it.quote, it.settle}.isdisjoint({"XBT", "XDG", "XXBT", "XBt", "USDt"}), it
        for name in NUMBERS:
            text = getattr(it, name)
            assert isinstance(text, str), it
            if text:
                assert "e" not in text.lower(), it
                number = Decimal(text)
                assert number.is_finite(), it
                assert number > 0 or (name in ("min_qty", "min_value", "multiplier")), it
        assert (it.kind in ("future", "option")) == (it.expiry_ns > 0), it
        assert (it.kind == "option") == bool(it.strike) == (it.option_type in ("call", "put")), it
        assert not it.contract_size or it.contract_unit, it
        assert it.kind != "spot" or not it.settle, it


@pytest.mark.parametrize("venue", RECORDED)
def test_names_lead_back_to_their_instruments(venue):
    spec, listing = load(venue), listing_of(venue)
    names = set()
    for it in listing:
        name = listing.name(it)
        assert listing.find(name, it.market) is it, name
        assert listing.find(name.lower(), it.market) is it, name
        assert listing.find(it.symbol, it.market) is it, it.symbol
        assert (it.market, name.upper()) not in names
        names.add((it.market, name.upper()))
        # What is asked for under its symbol needs no list, unless the symbol looks like a name of something else.
        assert not needs_list(spec, it.symbol) or form_of(it.symbol), it.symbol


@pytest.mark.parametrize("venue", RECORDED)
def test_what_is_known_by_its_form_is_told_by_the_list_too(venue):
    """`own_names` lets a feed take a text as a symbol without the list: the list must not say otherwise."""
    spec, listing = load(venue), listing_of(venue)
    for it in listing:
        name = listing.name(it)
        if not needs_list(spec, name) and form_of(name) and name != it.symbol:
            assert listing.get(name, it.market) is None, (name, it.symbol)
            assert spec.symbol(name) == it.symbol, (name, it.symbol)


@pytest.mark.parametrize("venue", VENUES)
def test_the_addresses_of_the_lists_are_known_as_such(venue):
    spec = load(venue)
    assert spec.instruments_addresses, venue
    for market, addresses in spec.instruments_addresses.items():
        assert market in (*spec.markets, "")
        for address in addresses:
            assert address.startswith("https://")
            answer = spec.read_address(address)
            assert answer is not None and answer.kind == "instruments", address
            assert answer.market in (market, ""), Answer


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]]", b'"text"', b"7", b"null", b'{"a":[{}]}', b"[[[]]]",
                                  b'[{"symbol":7}]', b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_list_is_an_error_that_says_what_was_expected(venue, body):
    with pytest.raises(ValueError, match="expected"):
        load(venue).read_instruments(body)
    assert list(load(venue).next_page("https://example", body)) == [] or venue == "gemini"


@pytest.mark.parametrize("venue", RECORDED)
def test_a_list_that_changed_its_shape_is_an_error_or_has_less_never_nonsense(venue, seed):
    """A key of the entries that is missing, null or of another kind."""
    spec = load(venue)
    random.seed(seed)
    url, body = max(recorded_answers(venue).items(), key=lambda item: len(item[1]) if spec.read_address(item[0]) else 0)
    whole = json.loads(body)
    entries = find_entries(whole)
    keys = sorted({key for entry in entries[:50] if isinstance(entry, dict) for key in entry})
    for key in keys:
        for value in (None, [], "", "text", -1):
            changed = [entry | {key: value} if isinstance(entry, dict) else entry for entry in entries[:5]]
            text = json.dumps(put_entries(whole, changed)).encode()
            try:
                found = spec.read_instruments(text)
            except ValueError as error:
                assert "expected" in str(error), (key, value)
                continue
            for it in found:
                check_types(it, key, value)


def check_types(it: Instrument, key: str, value: object) -> None:
    assert isinstance(it.symbol, str) and it.symbol, (key, value)
    assert it.kind in KINDS, (key, value)
    assert it.status in STATUSES, (key, value)
    for name in (*NUMBERS, "base", "quote", "settle", "contract_unit", "option_type", "market"):
        assert isinstance(getattr(it, name), str), (key, value, name)
    for name in NUMBERS:
        if getattr(it, name):
            try:
                Decimal(getattr(it, name))
            except InvalidOperation:
                pytest.fail(f"{name} is {getattr(it, name)!r} where {key} is {value!r}")
    assert isinstance(it.expiry_ns, int)


def find_entries(document):
    """The longest list of objects in a document, or the values of its longest object of objects."""
    best: list = []
    stack = [document]
    while stack:
        node = stack.pop()
        children = node if isinstance(node, list) else list(node.values()) if isinstance(node, dict) else []
        if children and all(isinstance(child, dict) for child in children) and len(children) > len(best):
            best = children
        stack += [child for child in children if isinstance(child, (list, dict))]
    return best


def put_entries(document, entries):
    """The same document with other entries in their place."""
    old = find_entries(document)
    if isinstance(document, list):
        return entries if document == old else [put_entries(child, entries) if child is not old else entries
                                                for child in document]
    if isinstance(document, dict):
        if list(document.values()) == old:
            return dict(zip(document, entries, strict=False))
        return {key: put_entries(child, entries) if isinstance(child, (list, dict)) and find_entries(child) == old
                else child for key, child in document.items()}
    return document

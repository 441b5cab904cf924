"""Listings: names that collide, aliases, near names, the front future, and what changed between two of them."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from feeds.instruments import Instrument
from feeds.listing import InstrumentChange, Listing, UnknownInstrument, changes, form_of, needs_list
from tests.own import own_spec

DAY = 86_400_000_000_000
DEC26, JAN27 = 1_798_358_400_000_000_000, 1_799_136_000_000_000_000      # 2026-12-27 and 2027-01-05, 08:00
NOW = DEC26 - 30 * DAY
SPEC = replace(own_spec(fields=[]), symbol=lambda text: text.upper() if text.islower() else text)
MANY = replace(SPEC, markets=("spot", "linear", "inverse"))


def spot(symbol="BTCUSDT", base="BTC", quote="USDT", **more):
    return Instrument(symbol, "0.01", "0.001", base=base, quote=quote, **more)


def perpetual(symbol, base="BTC", quote="USD", settle="", **more):
    return Instrument(symbol, "0.5", "1", kind="perpetual", base=base, quote=quote, settle=settle, **more)


def future(symbol, expiry_ns=DEC26, base="BTC", quote="USD", settle="", **more):
    return Instrument(symbol, "0.5", "1", kind="future", base=base, quote=quote, settle=settle, expiry_ns=expiry_ns,
                      **more)


def option(symbol, strike="100000", side="call", expiry_ns=DEC26, base="BTC", quote="USD", settle="", **more):
    return Instrument(symbol, "0.0001", "0.1", kind="option", base=base, quote=quote, settle=settle,
                      expiry_ns=expiry_ns, strike=strike, option_type=side, **more)


# ---- names

@pytest.mark.parametrize(("it", "name"), [
    (spot(), "BTC-USDT"), (perpetual("X"), "BTC-USD-PERP"), (perpetual("X", quote="USDT"), "BTC-USDT-PERP"),
    (future("X"), "BTC-27DEC26"), (future("X", JAN27), "BTC-5JAN27"), (future("X", quote="USDC"), "BTC-USDC-27DEC26"),
    (option("X"), "BTC-27DEC26-100000-C"), (option("X", "0.50", "put", quote="USDC"), "BTC-USDC-27DEC26-0.5-P"),
    (option("X", ""), "X"), (future("X", 0), "X"), (spot("X", base=""), "X"),
    (Instrument("X", "1", "1", kind="combo", base="BTC", quote="USD"), "X"),
    (Instrument("X", "1", "1", kind="index", base="BTC", quote="USD"), "X"),
])
def test_the_name_of_an_instrument(it, name):
    assert it.name == name
    listing = Listing(SPEC, [it])
    assert listing.name(it) == name
    assert listing.find(name) == it


@pytest.mark.parametrize(("text", "form"), [
    ("BTC-USDT", "pair"), ("btc-usdt", "pair"), ("1000PEPE-USDT", "pair"), ("牛来-USDT", "pair"),
    ("BTC-USDT-PERP", "perpetual"), ("BTC-USD:BTC-PERP", "perpetual"), ("BTC-USD-FRONT", "front"),
    ("BTC-USD:BTC-FRONT", "front"), ("BTC-27DEC26", "dated"), ("BTC-5JAN27", "dated"), ("BTC-05JAN27", "dated"),
    ("BTC-USD-27DEC26", "dated"), ("BTC-27DEC26-100000-C", "dated"), ("ETH-USDC-27DEC26-0.5-P", "dated"),
    ("BTC-PERPETUAL", ""), ("BTC-PERP", ""), ("BTCUSD-PERP", ""), ("BTC-FRONT", ""), ("BTC-USDT-SWAP", ""),
    ("BTC-USD-261225", ""), ("BTCUSD-261225", ""), ("BTC-27DEC26-100000-C-USDT", ""), ("BIT-28JUL23-CDE", ""),
    ("BTCUSDT", ""), ("BTC/USD", ""), ("BTC_USDT", ""), ("@107", ""), ("xyz:SP500", ""), ("", ""), ("-", ""),
    ("BTC-", ""), ("BTC-USDT-", ""), ("BTC--USDT", ""), ("BTC USDT", ""), ("BTC-27FOO26", "pair"),
])
def test_the_form_of_a_text(text, form):
    assert form_of(text) == form


def test_only_texts_that_may_be_names_need_the_list():
    assert needs_list(SPEC, "BTC-USDT")
    assert not needs_list(SPEC, "BTCUSDT")
    own = replace(SPEC, own_names=("pair", "dated"))
    assert not needs_list(own, "BTC-USDT")
    assert not needs_list(own, "BTC-27DEC26-100000-C")
    assert needs_list(own, "BTC-USDT-PERP")
    assert needs_list(own, "BTC-USD-FRONT")


def test_names_that_collide_have_the_settlement_currency():
    inverse, linear = perpetual("XBTUSD", settle="BTC"), perpetual("PF_XBTUSD", settle="USD")
    dated, other = future("FI", settle="BTC"), future("FF", settle="USD")
    listing = Listing(SPEC, [inverse, linear, dated, other, option("O1", settle="BTC"), option("O2", settle="USD")])
    assert [listing.name(it) for it in listing] == [
        "BTC-USD:BTC-PERP", "BTC-USD:USD-PERP", "BTC-USD:BTC-27DEC26", "BTC-USD:USD-27DEC26",
        "BTC-USD:BTC-27DEC26-100000-C", "BTC-USD:USD-27DEC26-100000-C"]
    for it in listing:
        assert listing.find(listing.name(it)) is it
    with pytest.raises(UnknownInstrument, match=r"could be BTC-USD:BTC-PERP \(XBTUSD\) or BTC-USD:USD-PERP"):
        listing.find("BTC-USD-PERP")


def test_what_the_settlement_currency_does_not_tell_apart_has_its_symbol():
    one, two = perpetual("A", settle="BTC"), perpetual("B", settle="BTC")
    listing = Listing(SPEC, [one, two, spot("C"), spot("D")])
    assert [listing.name(it) for it in listing] == ["A", "B", "C", "D"]
    with pytest.raises(UnknownInstrument, match=r"BTC-USDT could be C \(C\) or D \(D\)"):
        listing.find("BTC-USDT")


def test_what_is_closed_takes_no_name_away():
    old, new = future("OLD", status="closed"), future("NEW")
    listing = Listing(SPEC, [old, new])
    assert listing.name(new) == "BTC-27DEC26"
    assert listing.name(old) == "OLD"
    assert listing.find("BTC-USD-27DEC26") is new
    assert listing.find("OLD") is old


def test_a_symbol_is_never_the_name_of_another():
    """At some venues BTC-USD is a perpetual: the pair has another name then."""
    perp, pair = perpetual("BTC-USD"), spot("S", quote="USD")
    listing = Listing(SPEC, [perp, pair])
    assert (listing.name(perp), listing.name(pair)) == ("BTC-USD-PERP", "S")
    assert listing.find("BTC-USD") is perp
    assert listing.find("BTC-USD-PERP") is perp


def test_random_lists_have_names_that_lead_back(seed):
    random.seed(seed)
    for _ in range(200):
        made = []
        for number in range(random.randrange(1, 30)):
            base, quote = random.choice(("BTC", "ETH")), random.choice(("USD", "USDT", "BTC"))
            settle = random.choice(("", "BTC", "USD", "USDT"))
            symbol = random.choice((f"S{number}", f"{base}-{quote}", f"{base}-{quote}-PERP", f"{base}-27DEC26"))
            market, status = random.choice(MANY.markets), random.choice(("trading", "halted", "closed"))
            more = {"base": base, "quote": quote, "settle": settle, "market": market, "status": status}
            made.append(random.choice((spot, perpetual, future, option))(symbol, **more))
        listing = Listing(MANY, made)
        for it in listing:
            assert listing.find(listing.name(it), it.market) is it
            assert listing.find(it.symbol, it.market) is it


# ---- finding

def test_what_is_found_and_by_what():
    pair, perp, dated, jan = spot(), perpetual("BTCUSD_PERP"), future("BTCUSD_261227"), future("BTCUSD_270105", JAN27)
    call = option("BTC-261227-C")
    listing = Listing(SPEC, [pair, perp, dated, jan, call])
    for text, found in [
        ("BTCUSDT", pair), ("btcusdt", pair), ("BTC-USDT", pair), ("btc-usdt", pair), ("BTC-USD-PERP", perp),
        ("btcusd_perp", perp), ("Btcusd_Perp", perp), ("BTC-27DEC26", dated), ("BTC-USD-27DEC26", dated),
        ("btc-27dec26", dated), ("BTC-5JAN27", jan), ("BTC-05JAN27", jan), ("BTC-USD-05JAN27", jan),
        ("BTC-27DEC26-100000-C", call), ("BTC-USD-27DEC26-100000-C", call),
    ]:
        assert listing.find(text) is found, text


@pytest.mark.parametrize(("text", "words"), [
    ("BTC-USTD", "own has no instrument BTC-USTD; near: BTC-USDT"), ("BTCUSTD", "near: BTCUSDT"),
    ("ETH-27DEC26", "near: BTC-27DEC26"), ("BTC", "near: BTC-USDT"), ("ZZZ", "own has no instrument ZZZ$"),
    ("", "own has no instrument $"),
])
def test_an_unknown_name_suggests_the_nearest(text, words):
    listing = Listing(SPEC, [spot(), future("X"), spot("ZED", "ZED", "USDT", status="closed")])
    with pytest.raises(UnknownInstrument, match=words):
        listing.find(text)


def test_an_unknown_name_says_what_could_not_be_read():
    listing = Listing(SPEC, [spot()], failures=["own: https://x/options: status 503"])
    with pytest.raises(UnknownInstrument, match=r"\(not all lists could be read: own: https://x/options: status 503\)"):
        listing.find("BTC-27DEC26-1-C")


def test_a_name_that_two_markets_share():
    linear, inverse = perpetual("BTCPERP", market="linear"), perpetual("BTCUSD", market="inverse")
    listing = Listing(MANY, [spot(market="spot"), linear, inverse])
    with pytest.raises(UnknownInstrument, match=r"own: the markets linear \(BTCPERP\), inverse \(BTCUSD\) all have "
                                                r"BTC-USD-PERP; say which market"):
        listing.find("BTC-USD-PERP")
    assert listing.find("BTC-USD-PERP", "linear") is linear
    assert listing.find("BTC-USD-PERP", "inverse") is inverse
    with pytest.raises(UnknownInstrument, match="own spot has no instrument BTC.*; it is in the market linear"):
        listing.find("BTC-USD-PERP", "spot")


def test_a_symbol_that_two_markets_share():
    listing = Listing(MANY, [spot(market="spot"), perpetual("BTCUSDT", quote="USDT", market="linear")])
    with pytest.raises(UnknownInstrument, match=r"spot \(BTCUSDT\), linear \(BTCUSDT\)"):
        listing.get("BTCUSDT")
    assert listing.get("BTCUSDT", "spot").kind == "spot"
    assert listing.get("NONE") is None
    assert listing.markets == ["spot", "linear"]
    assert listing.find("BTC-USDT-PERP").market == "linear"


def test_a_name_goes_before_the_symbol_of_another_market():
    pair, swap = spot("btcusdt", market="spot"), perpetual("BTC-USDT", quote="USDT", market="linear")
    listing = Listing(MANY, [swap, pair])
    assert listing.find("BTC-USDT") is pair
    assert listing.find("BTC-USDT", "linear") is swap
    assert listing.find("BTC-USDT-PERP") is swap


def test_records_of_one_instrument_are_put_together():
    first, more = Instrument("A", "", "0.1"), Instrument("A", "0.5", "", base="BTC", quote="USD", kind="perpetual")
    held, = Listing(SPEC, [first, more])
    assert held == Instrument("A", "0.5", "0.1", base="BTC", quote="USD", kind="perpetual")


@pytest.mark.parametrize(("text", "symbols"), [
    ("", {"BTCUSDT", "F", "C", "P"}), ("all", {"BTCUSDT", "F", "C", "P"}), ("usdt", {"BTCUSDT"}),
    ("*-C", {"C"}), ("btc-27dec26*", {"F", "C", "P"}), ("?", {"F", "C", "P"}), ("none", set()),
])
def test_what_a_pattern_fits(text, symbols):
    listing = Listing(SPEC, [spot(), future("F"), option("C"), option("P", side="put")])
    assert {it.symbol for it in listing.matching(text)} == symbols


# ---- the front future

def test_the_front_future():
    first, second, gone = future("A"), future("B", JAN27), future("OLD", NOW - DAY)
    halted, other = future("H", DEC26 - DAY, status="halted"), future("E", DEC26 - DAY, base="ETH")
    listing = Listing(SPEC, [second, gone, first, halted, other])
    assert listing.front("BTC-USD", now_ns=NOW) is first
    assert listing.front("btc-usd", now_ns=DEC26) is second
    assert listing.find("ETH-USD-FRONT") is other
    with pytest.raises(UnknownInstrument, match=r"own has no trading future of BTC-USDT; there are futures of BTC-USD"):
        listing.front("BTC-USDT", now_ns=NOW)
    with pytest.raises(UnknownInstrument, match="own has no trading future of BTC-USD"):
        listing.front("BTC-USD", now_ns=JAN27)


def test_two_futures_that_expire_together():
    inverse, linear = future("FI", settle="BTC"), future("FF", settle="USD")
    listing = Listing(SPEC, [inverse, linear])
    with pytest.raises(UnknownInstrument, match="FI, FF; say BTC-USD:BTC-FRONT or BTC-USD:USD-FRONT"):
        listing.front("BTC-USD", now_ns=NOW)
    assert listing.find("BTC-USD:BTC-FRONT") is inverse
    assert listing.front("BTC-USD:USD", now_ns=NOW) is linear


# ---- changes

def kinds(old, new, **more):
    return [(change.kind, change.instrument.symbol)
            for change in changes(Listing(SPEC, old), Listing(SPEC, new, **more))]


def test_what_changes_between_two_lists():
    a, b = spot("A"), spot("B")
    assert kinds([a, b], [a, b]) == []
    assert kinds([a], [a, b]) == [("listed", "B")]
    assert kinds([a, b], [a]) == [("delisted", "B")]
    assert kinds([a], [replace(a, status="halted")]) == [("halted", "A")]
    assert kinds([replace(a, status="halted")], [a]) == [("resumed", "A")]
    assert kinds([replace(a, status="pre")], [a]) == [("resumed", "A")]
    assert kinds([a], [replace(a, status="closed")]) == [("delisted", "A")]
    assert kinds([replace(a, status="closed")], [a]) == [("listed", "A")]
    assert kinds([replace(a, status="closed")], []) == []
    assert kinds([], [replace(a, status="closed")]) == []
    assert kinds([a], [replace(a, tick_size="0.5")]) == [("tick_changed", "A")]
    assert kinds([a], [replace(a, lot_size="5", status="halted")]) == [("halted", "A"), ("tick_changed", "A")]
    assert kinds([a], [replace(a, min_qty="5")]) == []


def test_what_a_failed_list_does_not_say_has_not_changed():
    a, b = spot("A"), spot("B")
    assert kinds([a, b], [a], failures=["own: no answer"]) == []
    assert changes(Listing(SPEC, [a], failures=["own: no answer"]), Listing(SPEC, [a, b])) == []


def test_a_change_has_both_records():
    before, after = spot("A"), spot("A", status="halted")
    assert changes(Listing(SPEC, [before]), Listing(SPEC, [after])) == [InstrumentChange("halted", before, after)]
    assert InstrumentChange("delisted", before, None).instrument is before


def test_every_pair_of_states_tells_at_most_one_change():
    states = ("trading", "pre", "halted", "closed")
    for old, new in itertools.product(states, states):
        told = kinds([spot("A", status=old)], [spot("A", status=new)])
        assert len(told) == (0 if old == new or new == "pre" and old != "closed" else 1), (old, new, told)

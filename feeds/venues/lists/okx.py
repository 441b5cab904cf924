"""OKX: GET /api/v5/public/instruments, one list a type of instruments, options by family.

Sizes of derivatives are contracts of ctVal x ctMult ctValCcy. All numbers are text, "" is what does not apply.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.instruments import Instrument, expiry_of, reader

HOST = "https://www.okx.com/api/v5/public/instruments"
ADDRESSES = {"": (f"{HOST}?instType=SPOT", f"{HOST}?instType=SWAP", f"{HOST}?instType=FUTURES",
                  f"{HOST}?instType=OPTION&instFamily=BTC-USD", f"{HOST}?instType=OPTION&instFamily=ETH-USD")}

KIND = {"SPOT": "spot", "MARGIN": "spot", "SWAP": "perpetual", "FUTURES": "future", "OPTION": "option"}
STATUS = {"live": "trading", "suspend": "halted", "rebase": "halted", "preopen": "pre", "test": "pre",
          "post_only": "halted", "expired": "closed", "settling": "closed"}


def instruments(answer: Any) -> Iterator[Instrument]:
    # {"code":"0","data":[{"instId":"BTC-USDT","instType":"SPOT","lotSz":"0.00000001","tickSz":"0.1", ...}],"msg":""}
    for entry in answer["data"]:
        if not entry["tickSz"]:
            continue                              # announced, without figures yet
        kind = KIND[entry["instType"]]
        derived = kind != "spot"
        # Of derivatives baseCcy and quoteCcy are "": the family names them, BTC-USD or BTC-USD_UM
        base, _, quote = (entry.get("instFamily") or entry["instId"]).partition("-")
        yield Instrument(
            entry["instId"], entry["tickSz"], entry["lotSz"], "", kind,
            entry.get("baseCcy") or base, entry.get("quoteCcy") or quote.partition("-")[0].partition("_")[0],
            entry.get("settleCcy", "") if derived else "", entry.get("minSz", ""), "",
            entry.get("ctVal", "") if derived else "", entry.get("ctValCcy", "") if derived else "",
            entry.get("ctMult", "") if derived else "", expiry_of(entry.get("expTime")), entry.get("stk", ""),
            {"C": "call", "P": "put"}.get(entry.get("optType", ""), ""), STATUS.get(entry.get("state", ""), "halted"))


read = reader("a list of instruments with instId, instType, tickSz and lotSz", instruments)

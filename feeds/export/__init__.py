"""Recordings and captures as tables: for Parquet and Arrow, numpy, pandas and polars, hftbacktest, tardis' CSV files.

    from feeds.export import collect, export
    export("session/", "parquet", "out/")
    tables = collect("capture.ws.gz", symbols="BTCUSDT")
"""

from feeds.export.files import export, load
from feeds.export.tables import Collecting, Tables, collect

__all__ = ["Collecting", "Tables", "collect", "export", "load"]

"""The `wirebook` command: how its parts are called. What they do is in `feeds.commands`, imported when it is needed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from feeds.commands.common import clean_end, complain, read_speed, read_symbols

app = typer.Typer(
    name="wirebook", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Order books from market data: live, recorded or simulated.")

Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Captures, plain or gzip'd, in their order.")]
VenueOption = Annotated[str | None, typer.Option("--venue", help="Venue, where the folder's name does not tell it.")]
MarketOption = Annotated[str | None, typer.Option("--market", help="Which of the venue's markets, where it has several "
                                                                   "(`wirebook venues VENUE` lists them).")]
WireOption = Annotated[str | None, typer.Option("--wire", help="The form in which the venue writes, where it has "
                                                               "several (`wirebook venues VENUE` lists them).")]
ProxyOption = Annotated[str | None, typer.Option("--proxy", metavar="URL", help="http://host:port to connect by; "
                                                 "'environment' is what HTTPS_PROXY and NO_PROXY say.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"wirebook {version('wirebook')}")
        except PackageNotFoundError:
            print("wirebook, not installed")
        raise typer.Exit


@app.callback()
def _wirebook(version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True,
                                                    help="Print the version.")] = False) -> None:
    pass


@app.command()
def replay(
    files: Annotated[list[str], typer.Argument(metavar="FILE|DIR...", help="Captures, plain or gzip'd, in their order, "
                                                                           "or recordings.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document with exact figures and digests.")] = False,
    venue: VenueOption = None,
    market: MarketOption = None,
    wire: WireOption = None,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="From this time on: 2026-11-22T10:00:00Z, or ns "
                                                                   "since 1970.")] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
    symbols: Annotated[list[str] | None, typer.Option("--symbols", help="Nothing but these.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, metavar="N", help="Days and venues for themselves, in N "
                                                                      "processes.")] = None,
    cluster: Annotated[str | None, typer.Option(metavar="tcp://HOST:PORT", help="The same on a Dask cluster.")] = None,
) -> None:
    """Feed captures or recordings through the pipeline: the books they end in, and the speed."""
    with clean_end():
        from feeds.commands.replay import run

        code = run(files, venue, market, as_json, wire, start=start, end=end,
                   symbols=None if symbols is None else read_symbols(symbols), jobs=jobs, cluster=cluster)
    raise typer.Exit(code)


@app.command()
def export(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="A recording, or captures in their order.")],
    to: Annotated[str, typer.Option("--to", help="parquet, arrow, numpy, hftbacktest, tardis, or capture (the text "
                                                 "format; of a recording).")],
    out: Annotated[str, typer.Option("--out", metavar="PATH", help="The folder to write to; of a capture the file.")],
    tables: Annotated[list[str] | None, typer.Option("--tables", help="Of book, trades, quotes, states, snapshots and "
                                                                      "features; without it the first four.")] = None,
    features: Annotated[list[str] | None, typer.Option("--features", help="A table of these numbers of the book: "
                                                                          "mid,microprice,imbalance_5,ofi,...")] = None,
    depth: Annotated[int | None, typer.Option("--depth", help="A table of snapshots of so many levels a side.")] = None,
    every: Annotated[str, typer.Option("--every", metavar="TIME", help="Between rows of snapshots and features: 100ms, "
                                                                       "1s; update is every change.")] = "update",
    start: Annotated[str | None, typer.Option("--start", metavar="TIME", help="From then on: 2026-11-22T10:00:00Z, or "
                                                                              "ns.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="TIME", help="Before then.")] = None,
    symbols: Annotated[list[str] | None, typer.Option("--symbols", help="Only these.")] = None,
    venue: VenueOption = None,
    market: MarketOption = None,
    wire: WireOption = None,
) -> None:
    """Write what was recorded as tables for other programs; docs/export.md."""
    with clean_end():
        from feeds.commands.export import run

        code = run(paths, to, out, tables=read_symbols(tables or []), features=read_symbols(features or []),
                   depth=depth, every=every, start=start, end=end, symbols=read_symbols(symbols or []), venue=venue,
                   market=market, wire=wire)
    raise typer.Exit(code)


@app.command()
def serve(
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE...", help="Captures, in their order.")] = None,
    sim: Annotated[str | None, typer.Option("--sim", metavar="VENUE", help="A simulated market of this venue.")] = None,
    venue: VenueOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 0,
    speed: Annotated[str, typer.Option(metavar="X|max", help="Times the recorded pace; max lets the clients pace, and "
                                                             "the clock starts with the first of them.")] = "1",
    loop: Annotated[bool, typer.Option("--loop", help="Start over at the end.")] = False,
    symbols: Annotated[list[str] | None, typer.Option("--symbols", help="What the simulated market trades.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = 0,
    rate: Annotated[float, typer.Option(help="Actions a second and symbol in the simulated market.")] = 500.0,
    faults: Annotated[str | None, typer.Option(metavar="FILE.toml", help="A script of what goes wrong; see "
                                                                         "docs/faults.md.")] = None,
    compression: Annotated[bool, typer.Option("--compression", help="Compress for clients that offer it.")] = False,
    until_eof: Annotated[bool, typer.Option("--until-eof", help="End when standard input does; for programs "
                                                                "that start a server.")] = False,
) -> None:
    """Be the venue: a WebSocket and REST server on this machine. Its first line is its URL."""
    with clean_end():
        from feeds.commands.serve import run

        code = run(files or [], sim=sim, venue=venue, host=host, port=port, speed=read_speed(speed), loop=loop,
                   symbols=read_symbols(symbols or []), seed=seed, rate=rate, compression=compression,
                   until_eof=until_eof, faults=faults)
    raise typer.Exit(code)


@app.command()
def watch(
    venue: Annotated[str, typer.Argument(help="Name of the venue; `wirebook venues` lists them.")],
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="What to watch.")],
    url: Annotated[str | None, typer.Option(help="ws://host:port to connect to instead of the venue.")] = None,
    rest_url: Annotated[str | None, typer.Option(help="http://host:port for REST; that of --url.")] = None,
    depth: Annotated[int, typer.Option(min=1, max=100, help="Levels to show on each side.")] = 10,
    market: MarketOption = None,
    wire: WireOption = None,
    compression: Annotated[bool, typer.Option("--compression", help="Let the venue compress its messages.")] = False,
    proxy: ProxyOption = None,
    seconds: Annotated[float | None, typer.Option(help="End after so long.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="A line a second and symbol, also on a terminal.")] = False,
) -> None:
    """Show live books."""
    with clean_end():
        from feeds.commands.watch import run

        code = run(venue, read_symbols(symbols), url=url, rest_url=rest_url, market=market, depth=depth,
                   seconds=seconds, plain=plain, wire=wire, compression=compression, proxy=proxy)
    raise typer.Exit(code)


@app.command()
def record(
    venue: Annotated[str, typer.Argument(help="Name of the venue; `wirebook venues` lists them.")],
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="What to record.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="Directory of the recording; there may be others in it.")],
    channels: Annotated[list[str] | None, typer.Option("--channels", help="Channels; without it book and trades.")
                        ] = None,
    url: Annotated[str | None, typer.Option(help="ws://host:port to connect to instead of the venue.")] = None,
    rest_url: Annotated[str | None, typer.Option(help="http://host:port for REST; that of --url.")] = None,
    market: MarketOption = None,
    wire: WireOption = None,
    depth: Annotated[int | None, typer.Option(help="Levels a side of partial books; without it whole books.")] = None,
    speed: Annotated[str | None, typer.Option(help="Of the books, as the venue writes it.")] = None,
    lines: Annotated[int, typer.Option(min=1, max=4, help="Connections that carry each subscription.")] = 1,
    compression: Annotated[bool, typer.Option("--compression", help="Let the venue compress its messages.")] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="End after so long.")] = None,
    chunk_size: Annotated[int, typer.Option(min=1024, help="Bytes of records in a chunk.")] = 4 << 20,
    chunk_seconds: Annotated[float, typer.Option(min=0.01, help="Until what there is becomes a chunk: what a kill can "
                                                                "cost.")] = 1.0,
    rotate_size: Annotated[int, typer.Option(min=1024, help="Bytes after which a new segment begins.")] = 1 << 30,
    rotate_minutes: Annotated[float, typer.Option(min=0.01, help="Minutes after which a new one does.")] = 60.0,
    buffer: Annotated[int, typer.Option(min=1 << 16, help="Bytes that wait for the disk at most.")] = 64 << 20,
) -> None:
    """Record all that a venue sends, until Ctrl-C: status 1 if anything was lost."""
    with clean_end():
        from feeds.commands.record import run

        code = run(venue, read_symbols(symbols), read_symbols(channels or ["book", "trades"]), out,
                   seconds=seconds if minutes is None else 60 * minutes + (seconds or 0.0),
                   sizes={"chunk_size": chunk_size, "chunk_s": chunk_seconds, "rotate_size": rotate_size,
                          "rotate_s": 60 * rotate_minutes, "buffer_size": buffer},
                   url=url, rest_url=rest_url, market=market, wire=wire, depth=depth, speed=speed, lines=lines,
                   compression=compression)
    raise typer.Exit(code)


@app.command()
def check(
    path: Annotated[str, typer.Argument(metavar="DIR", help="A recording, or one segment of it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON document.")] = False,
) -> None:
    """Verify a recording, and mend the end that a killed recorder has left: status 1 if something else is damaged."""
    with clean_end():
        from feeds.commands.check import run

        code = run(path, dry_run=dry_run, as_json=as_json)
    raise typer.Exit(code)


@app.command("import")
def import_(
    files: Files,
    out: Annotated[str, typer.Option(metavar="DIR", help="Directory of the recording; there may be others in it.")],
    venue: VenueOption = None,
    market: MarketOption = None,
    wire: WireOption = None,
    chunk_size: Annotated[int, typer.Option(min=1024, help="Bytes of records in a chunk.")] = 4 << 20,
    rotate_size: Annotated[int, typer.Option(min=1024, help="Bytes after which a new segment begins.")] = 1 << 30,
) -> None:
    """Turn captures of the text format into a recording."""
    with clean_end():
        from feeds.commands.check import run_import

        code = run_import(files, out, venue=venue, market=market, wire=wire,
                          sizes={"chunk_size": chunk_size, "rotate_size": rotate_size})
    raise typer.Exit(code)


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(min=1.0, help="How long it runs.")] = 20.0,
    venue: Annotated[str | None, typer.Option(help="Which venue is simulated.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a ladder, also on a terminal.")] = False,
) -> None:
    """A simulated venue and a live client over a real socket; ends by itself with a report."""
    with clean_end():
        from feeds.commands.demo import run

        code = run(venue, seconds, plain)
    raise typer.Exit(code)


@app.command()
def venues(
    venue: Annotated[str | None, typer.Argument(help="Everything about one venue.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON document.")] = False,
) -> None:
    """List the venues, their channels, and how each is known to be read rightly."""
    with clean_end():
        from feeds.commands.venues import run

        run(venue, as_json)


@app.command()
def instruments(
    venue: Annotated[str, typer.Argument(help="Name of the venue; `wirebook venues` lists them.")],
    like: Annotated[str, typer.Option("--like", metavar="TEXT", help="A part of a name or symbol, or a pattern such as "
                                                                    "'BTC-*-C'.")] = "",
    market: MarketOption = None,
    kind: Annotated[str | None, typer.Option(help="spot, perpetual, future, option, combo or index.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every field of every instrument as one JSON document.")
                       ] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the venue, whatever is on disk.")] = False,
    max_age: Annotated[str, typer.Option(metavar="TIME", help="How old a list on disk may be: 90s, 15m, 12h, 7d.")
                       ] = "1d",
    url: Annotated[str | None, typer.Option(help="http://host:port to ask instead of the venue.")] = None,
) -> None:
    """List what a venue trades: names, steps, contracts, expiries."""
    with clean_end():
        from feeds.commands.instruments import run

        code = run(venue, like=like, market=market, kind=kind, as_json=as_json, refresh=refresh, max_age=max_age,
                   url=url)
    raise typer.Exit(code)


@app.command()
def plan(
    venue: Annotated[str, typer.Argument(help="Name of the venue; `wirebook venues` lists them.")],
    symbols: Annotated[list[str], typer.Option("--symbols", help="Symbols or names, @FILE with some, all, or a pattern "
                                                                 "like '*USDT'.")],
    channels: Annotated[list[str] | None, typer.Option("--channels", help="Channels; without it book.")] = None,
    market: MarketOption = None,
    depth: Annotated[int | None, typer.Option(help="Levels a side of partial books; without it whole books.")] = None,
    speed: Annotated[str | None, typer.Option(help="Of the books, as the venue writes it.")] = None,
    rest_url: Annotated[str | None, typer.Option(help="http://host:port to ask for lists, not the venue.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON document.")] = False,
) -> None:
    """Show how a subscription is spread over connections, and how long the venue's limits make it take."""
    with clean_end():
        from feeds.commands.plan import run

        code = run(venue, symbols, read_symbols(channels or ["book"]), market=market, depth=depth, speed=speed,
                   rest_url=rest_url, as_json=as_json)
    raise typer.Exit(code)


@app.command()
def verify(
    venue: Annotated[str, typer.Argument(help="Name of the venue; `wirebook venues` lists them.")],
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="Whose books.")],
    url: Annotated[str | None, typer.Option(help="ws://host:port to connect to instead of the venue.")] = None,
    rest_url: Annotated[str | None, typer.Option(help="http://host:port for REST; that of --url.")] = None,
    market: MarketOption = None,
    proxy: ProxyOption = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Go on for so long, not once.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every verdict in one JSON document.")] = False,
) -> None:
    """Hold live books against fresh snapshots by REST: status 0 equal, 1 not, 3 nothing could be compared."""
    with clean_end():
        from feeds.commands.verify import run

        code = run(venue, read_symbols(symbols), url=url, rest_url=rest_url, market=market, seconds=seconds,
                   as_json=as_json, proxy=proxy)
    raise typer.Exit(code)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON document.")] = False,
) -> None:
    """Show what of this machine and installation slows wirebook down; status 1 if something cannot work."""
    with clean_end():
        from feeds.commands.doctor import run

        code = run(as_json)
    raise typer.Exit(code)


@app.command()
def plot(
    files: Annotated[list[str], typer.Argument(metavar="DIR|FILE...", help="A recording, or captures in their order.")],
    symbol: Annotated[str | None, typer.Option(help="Whose book; without it that with the most updates.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="depth, heatmap, spread, latency, gaps; without it all.")
                    ] = None,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="From then on, in UTC: 2026-11-22T10:00.")] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Until then.")] = None,
    out: Annotated[str | None, typer.Option(metavar="PATH", help="Folder, or the file for one plot; this folder.")
                   ] = None,
    form: Annotated[str | None, typer.Option("--format", metavar="png|svg", help="Of the files; png.")] = None,
    width: Annotated[float | None, typer.Option(min=5, max=60, help="Inches; 11.")] = None,
    height: Annotated[float | None, typer.Option(min=3, max=60, help="Inches; 6.5, of gaps what their books need.")
                      ] = None,
    dpi: Annotated[float, typer.Option(min=20, max=1200, help="Pixels an inch of a PNG.")] = 120,
    venue: VenueOption = None,
    market: MarketOption = None,
    wire: WireOption = None,
) -> None:
    """Draw what was recorded: depth, heat map with trades, spread and imbalance, latency, gaps."""
    with clean_end():
        from feeds.commands.plot import run

        code = run(files, read_symbols(kind or []), symbol=symbol, start=start, end=end, out=out, form=form,
                   width=width, height=height, dpi=dpi, venue=venue, market=market, wire=wire)
    raise typer.Exit(code)


def main() -> None:
    """Entry point of the `wirebook` command."""
    try:
        app(prog_name="wirebook")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:      # a fault of ours: still one line, with the type that helps to report it
        complain(f"internal error: {type(error).__name__}: {error}")
        sys.exit(70)


if __name__ == "__main__":
    main()

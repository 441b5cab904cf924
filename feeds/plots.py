"""Plots of a recorded book, for papers and post-mortems: what `feeds.plotdata.collect` gathered, as matplotlib figures.

    data = collect("session/", symbol=symbol)
    figure = draw(data, "heatmap")                  # a matplotlib Figure; nothing is shown or kept open
    save(figure, "heatmap.svg")

Colours are those of Okabe and Ito, which people with any kind of colour vision tell apart: https://jfly.uni-koeln.de/color
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feeds.extras import need
from feeds.plotdata import KINDS, LEVELS, Floats, PlotData, PlotError
from orderbook.types import BookState

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")
SIZE = (11.0, 6.5)      # inches; a gap timeline is as high as its books need
DPI = 120
FONT = 9.5              # points, in a figure that is not small
MOST_BOOKS = 40         # rows of a gap timeline
MOST_REASONS = 8
DAY_NS = 86_400 * 10 ** 9

BLUE, VERMILLION, GREEN, ORANGE, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#000000"
GREY, PALE, UNKNOWN = "#595959", "#D9D9D9", "#FBF0CF"
BID, ASK = BLUE, VERMILLION
STATE_STYLE = {BookState.LIVE: (GREEN, ""), BookState.SYNCING: (SKY, "..."), BookState.STALE: (VERMILLION, "///"),
               BookState.EMPTY: (PALE, "")}

# Text is text in an SVG, and a dollar sign is no formula.
_RC = {"svg.fonttype": "none", "svg.hashsalt": "wirebook", "text.parse_math": False, "font.size": FONT,
       "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#E5E5E5",
       "grid.linewidth": 0.6, "axes.axisbelow": True, "legend.frameon": False, "hatch.linewidth": 0.6,
       "axes.titlesize": "medium", "axes.titlelocation": "left", "axes.labelsize": "medium",
       "image.interpolation": "nearest"}


def draw(data: PlotData, kind: str, size: tuple[float, float] | None = None) -> Figure:
    """The plot of one kind, as a Figure of so many inches (width, height), None for what suits it.

    Raises: PlotError if there is nothing of that kind in the data, or it was not collected; MissingExtra.
    """
    if kind not in _DRAWN:
        raise PlotError(f"no plot is called {kind}; there are {', '.join(KINDS)}")
    if kind in data.missing:
        raise PlotError(f"{data.venue} {data.symbol}: no plot of {kind}: {data.missing[kind]}")
    need("matplotlib", "plot")
    width, height = size or (SIZE[0], min(12.0, 2.8 + 0.27 * len(data.timelines)) if kind == "gaps" else SIZE[1])
    scale = max(0.5, min(1.0, width / 9, 1.0 if kind == "gaps" else height / 5.5))
    with _style(scale):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), layout="constrained")
        figure.get_layout_engine().set(hspace=0.03, h_pad=0.06, w_pad=0.08)
        _DRAWN[kind](data, figure)
        return figure


def save(figure: Figure, path: str | PathLike[str], dpi: float = DPI) -> None:
    """Write a figure as the name's end says: .png or .svg. A file is written whole or not at all.

    Raises: PlotError for another format, OSError where it cannot be written.
    """
    form = Path(path).suffix.lower().lstrip(".")
    if form not in FORMATS:
        raise PlotError(f"{path}: expected a name that ends in {' or '.join('.' + form for form in FORMATS)}")
    with _style():
        image = io.BytesIO()
        figure.savefig(image, format=form, dpi=dpi, metadata={"Date": None} if form == "svg" else None)
    Path(path).write_bytes(image.getvalue())


# Between two marks of an axis of time: 1, 2, 5 from a microsecond to 500 ms, then what divides minutes, hours, days.
_STEPS_NS = [digit * 10 ** exponent for exponent in range(3, 9) for digit in (1, 2, 5)] + [
    seconds * 10 ** 9 for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600,
                                      43_200, 86_400)]


@contextmanager
def _style(scale: float = 1.0) -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context({**_RC, "font.size": FONT * scale}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")       # of a symbol in a script that the font lacks
        yield


# ---- the plots

def _depth(data: PlotData, figure: Figure) -> None:
    """Cumulative quantity on both sides, at the end of what was replayed."""
    depth = data.depth
    assert depth is not None
    axes = figure.subplots()
    best = [side[0, 0] for side in (depth.bids, depth.asks) if len(side)]
    middle = sum(best) / len(best)
    bid_price, bid_qty, ask_price, ask_qty = depth.best
    spread = f"   spread {_short(best[1] - best[0])}" + (f" ({_short((best[1] - best[0]) / middle * 1e4)} bps)"
                                                          if middle > 0 else "") if len(best) == 2 else ""
    state = depth.state.name + (f" ({_words(depth.reason)})" if depth.reason else "")
    _title(figure, axes, data, "order book depth",
           f"{moment(depth.receive_ns)} UTC   {state}\n"
           f"best bid {bid_price} × {bid_qty}   best ask {ask_price} × {ask_qty}{spread}")
    half = _half_width(depth.bids, depth.asks, middle)
    low, high = middle - half, middle + half
    if low < 0 <= min(float(side[-1, 0]) for side in (depth.bids, depth.asks) if len(side)):
        low = 0.0           # below there is no price
    top = 0.0
    for levels, colour, name, edge, where in ((depth.bids, BID, "bids", low, "pre"),
                                              (depth.asks, ASK, "asks", high, "post")):
        if not len(levels):
            axes.plot([], [], color=colour, label=f"{name}: none")
            continue
        shown = levels[abs(levels[:, 0] - middle) <= half]
        total = np.cumsum(shown[:, 1])
        # A step from 0 at the best price, and on to the edge of the picture at what was reached.
        prices, qty = np.r_[shown[:1, 0], shown[:, 0], edge], np.r_[0.0, total, total[-1:]]
        order = slice(None, None, -1) if where == "pre" else slice(None)
        axes.fill_between(prices[order], qty[order], step=where, color=colour, alpha=0.25, linewidth=0)
        axes.step(prices[order], qty[order], where=where, color=colour, linewidth=1.6,
                  label=f"{name}: {len(levels):,} level{'s' if len(levels) > 1 else ''}, {len(shown):,} of them shown")
        top = max(top, float(total[-1]))
    axes.axvline(middle, color=GREY, linewidth=0.8, linestyle=":")
    for limit, colour, name in zip(depth.trusted, (BID, ASK), ("bids", "asks"), strict=True):
        if low < limit < high:
            axes.axvline(limit, color=colour, linewidth=1.2, linestyle="--", label=f"{name}: complete up to here")
    axes.set(xlim=(low, high), ylim=(0, top * 1.08 or 1), xlabel=f"price ({data.units.price})",
             ylabel=f"cumulative quantity ({data.units.qty})")
    _numbers(axes.xaxis)
    _numbers(axes.yaxis)
    if middle > 0:
        parts, unit = (1e4, "bps") if half < 0.05 * middle else (1e2, "%")
        away = axes.secondary_xaxis("top", functions=(lambda price: (price / middle - 1) * parts,
                                                      lambda away: middle * (1 + away / parts)))
        away.set_xlabel(f"distance from the mid ({unit})")
        away.spines["top"].set_visible(True)
        _numbers(away.xaxis)
    _legend(figure, axes)


def _heatmap(data: PlotData, figure: Figure) -> None:
    """What rested at which price over time, with the best prices and the trades."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm
    from matplotlib.patheffects import withStroke

    heat, held = data.heat, data.held
    if heat is None or held is None:
        raise PlotError("a heat map was not collected")
    axes = figure.subplots()
    _title(figure, axes, data, "resting quantity by price and time, and trades",
           f"{_range(data)}   columns of {duration(heat.width_ns)}, rows of {_short(heat.step)}")
    qty = heat.qty.T
    positive = qty[qty > 0]
    prices = heat.prices
    axes.set_facecolor(UNKNOWN)
    if positive.size:
        low, high = np.quantile(positive, (0.35, 0.995))
        greys = ListedColormap(colormaps["Greys"](np.linspace(0.1, 0.95, 256)), "resting").with_extremes(under="white")
        image = axes.imshow(np.where(qty == 0, low / 10, qty.clip(low)), origin="lower", aspect="auto", cmap=greys,
                            norm=LogNorm(low, max(high, low * 1.01)), zorder=0.5,
                            extent=(_day(heat.start_ns), _day(heat.end_ns), prices[0], prices[-1]))
        bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.04, extend="max")
        bar.set_label(f"quantity in a row ({data.units.qty})")
        _numbers(bar.ax.yaxis)
    axes.grid(False)
    edges = _day(held.edges_ns)
    halo = [withStroke(linewidth=4, foreground="white", alpha=0.8)]
    for column, colour, width, name in ((0, BID, 2.4, "best bid"), (1, ASK, 1.1, "best ask")):
        axes.stairs(held.mean[:, column], edges, baseline=None, color=colour, linewidth=width, label=name, zorder=2,
                    path_effects=halo if column == 0 else None)
    _trades(data, axes)
    if np.isnan(qty).any():
        axes.fill_between([], [], [], color=UNKNOWN, label="not known: not LIVE, or deeper than the venue told")
    axes.set(ylim=(prices[0], prices[-1]), ylabel=f"price ({data.units.price})")
    _numbers(axes.yaxis)
    _time(axes, data)
    _legend(figure, axes)


def _trades(data: PlotData, axes: Axes) -> None:
    heat = data.heat
    assert heat is not None
    largest = heat.trades[:, :, 0].max()
    if not largest > 0:
        axes.plot([], [], " ", label="no trades")
        return
    edges = np.linspace(heat.start_ns, heat.end_ns, len(heat.trades) + 1)
    at = _day((edges[1:] + edges[:-1]) / 2)
    for side, colour, marker, name in ((0, BID, "^", "buys"), (1, ASK, "v", "sells"), (2, BLACK, "o", "trades")):
        qty, value = heat.trades[:, side].T
        done = qty > 0
        if done.any():
            axes.scatter(at[done], value[done] / qty[done], 10 + 130 * qty[done] / largest, color=colour, marker=marker,
                         alpha=0.7, edgecolors="white", linewidths=0.5, zorder=3,
                         label=f"{name} in {duration((heat.end_ns - heat.start_ns) / len(heat.trades))}, at their mean "
                               f"price (largest {_short(qty.max())})")


def _spread(data: PlotData, figure: Figure) -> None:
    """Mid, spread and imbalance over time."""
    held = data.held
    if held is None:
        raise PlotError("the spread was not collected")
    price, spread, imbalance = figure.subplots(3, 1, sharex=True, height_ratios=(1.1, 1.2, 1))
    mean, least, largest = held.mean, held.least, held.largest
    whole = np.nanmean(mean, axis=0)
    mid = (whole[0] + whole[1]) / 2
    _title(figure, price, data, "best prices, spread and imbalance",
           f"{_range(data)}   mean spread {_short(whole[2])}" +
           (f" ({_short(whole[2] / mid * 1e4)} bps)" if mid > 0 else "") + f"   means over {duration(held.width_ns)}")
    edges = _day(held.edges_ns)
    for column, colour, width, name in ((0, BID, 2.6, "best bid"), (1, ASK, 1.0, "best ask")):
        price.stairs(mean[:, column], edges, baseline=None, color=colour, linewidth=width, label=name)
    low, high = np.nanmin(mean[:, :2]), np.nanmax(mean[:, :2])
    price.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low) or low + 1)
    price.set_ylabel(f"price\n({data.units.price})")
    _numbers(price.yaxis)
    spread.stairs(largest[:, 2], edges, baseline=least[:, 2], fill=True, color=GREEN, alpha=0.25,
                  label="spread: least to largest")
    spread.stairs(mean[:, 2], edges, baseline=None, color=GREEN, linewidth=1.2, label="spread: mean")
    top = np.nanmax(largest[:, 2])
    cut = max(np.nanquantile(largest[:, 2], 0.98) * 1.5, np.nanmax(mean[:, 2]) * 1.1)
    spread.set_ylabel(f"spread\n({data.units.price})")
    if top > cut > 0:
        spread.set_title(f"largest {_short(top)}, out of the picture", loc="right", color=GREY, fontsize="small")
    spread.set_ylim(min(0.0, np.nanmin(least[:, 2])) * 1.1, (min(top, cut) or 1.0) * 1.1)
    _numbers(spread.yaxis)
    if mid > 0:
        bps = spread.secondary_yaxis("right", functions=(lambda y: y / mid * 1e4, lambda y: y * mid / 1e4))
        bps.set_ylabel("bps of the mid")
        bps.spines["right"].set_visible(True)
        _numbers(bps.yaxis)
    for above, colour in ((True, BID), (False, ASK)):
        part = np.where((mean[:, 3] > 0) == above, mean[:, 3], np.nan)
        imbalance.stairs(part, edges, fill=True, color=colour, alpha=0.75, linewidth=0,
                         label=f"more {'bid' if above else 'ask'} quantity in the best {LEVELS} levels")
    imbalance.axhline(0, color=GREY, linewidth=0.8)
    imbalance.set(ylim=(-1.05, 1.05), ylabel="imbalance\n(−1 to 1)")
    _time(imbalance, data)
    for axes in (price, spread, imbalance):
        _not_live(axes, data)
    figure.align_ylabels()
    _legend(figure, price, spread, imbalance)


def _latency(data: PlotData, figure: Figure) -> None:
    """Receive time - the venue's time over time, and the stages of the replay."""
    delays = data.delays
    if delays is None:
        raise PlotError("the latency was not collected")
    shares = ((0.5, "p50", BLUE, 1.2), (0.99, "p99", ORANGE, 2.0), (0.999, "p99.9", VERMILLION, 3.2))
    over_time = delays.percentiles(*(share for share, *_ in shares))
    whole = delays.percentiles(*(share for share, *_ in shares), whole=True)[:, 0]
    unit, unit_ns = _unit_of(max(abs(whole)))
    if data.stages:
        axes, stages = figure.subplots(2, 1, height_ratios=(3.2, 1))
    else:
        axes, stages = figure.subplots(), None
    early = "" if delays.floor_ns >= 0 else (
        "\nbelow 0 our clock was behind the venue's: the differences hold, the level does not")
    _title(figure, axes, data, "latency of its messages, receive time − the venue's time",
           f"{_range(data)}   {int(delays.counts.sum()):,} messages, in bins of {duration(delays.width_ns)}{early}")
    edges = _day(np.minimum(delays.edges_ns, data.end_ns))
    counts = delays.counts.sum(axis=1)
    for row, (_, name, colour, width) in reversed(list(enumerate(shares))):
        values = over_time[row] / unit_ns
        axes.stairs(values, edges, baseline=None, color=colour, linewidth=width,
                    label=f"{name}: {_short(whole[row] / unit_ns)} {unit} over all")
    known = over_time[np.isfinite(over_time)]
    if known.min() > 0 and known.max() > 20 * known.min():
        axes.set_yscale("log")
    elif known.max() - known.min() < 1e-3 * abs(known).max():        # one value: no axis of its last digits
        axes.set_ylim(known.min() / unit_ns - 1, known.max() / unit_ns + 1)
    axes.set_ylabel(f"latency ({unit})")
    _numbers(axes.yaxis)
    _time(axes, data)
    _not_live(axes, data)
    if counts.max() < 1000:
        axes.plot([], [], " ", label="a bin holds fewer than 1,000: p99.9 is its largest")
    if stages is not None:
        for row, (_, stage) in enumerate(sorted(data.stages.items())):
            stages.plot([stage["p50"], stage["p99_9"]], [row, row], color=GREY, linewidth=1.0, zorder=1)
            for key, colour, size in (("p99_9", VERMILLION, 9), ("p99", ORANGE, 7), ("p50", BLUE, 5)):
                stages.plot(stage[key], row, "o", color=colour, markersize=size)
        stages.set_yticks(range(len(data.stages)), sorted(data.stages))
        stages.set(ylim=(-0.6, len(data.stages) - 0.4), xscale="log",
                   xlabel="stages of this replay, on this machine (ns a message)")
        stages.grid(axis="y", visible=False)
        _numbers(stages.xaxis)
    _legend(figure, axes)


def _gaps(data: PlotData, figure: Figure) -> None:
    """The states of every book over time, with the reasons."""
    from matplotlib import rcParams

    rows = data.timelines
    if len(rows) > MOST_BOOKS:
        rows = sorted(rows, key=lambda row: row[1].shares(data.end_ns)[BookState.LIVE])[:MOST_BOOKS]
    axes = figure.subplots()
    shown = f"the {MOST_BOOKS} of {len(data.timelines)} books that were LIVE least" if len(rows) < len(data.timelines) \
        else f"{len(rows)} book{'s' if len(rows) > 1 else ''}"
    _title(figure, axes, data, "states of the books", f"{_range(data)}   {shown}", whole=len(data.timelines) > 1)
    spans = [(row, *span) for row, (_, timeline) in enumerate(rows) for span in timeline.spans(data.end_ns)]
    lost: dict[str, tuple[int, float]] = {}        # state and reason -> changes, seconds
    for _, since, to, state, reason, count in spans:
        if state in (BookState.STALE, BookState.SYNCING):
            key = f"{state.name}: {_words(reason)}"
            times, seconds = lost.get(key, (0, 0.0))
            lost[key] = times + count, seconds + (to - since) / 1e9
    longest = sorted(lost, key=lambda key: -lost[key][1])[:MOST_REASONS]
    letters = dict(zip(longest, "ABCDEFGHIJ", strict=False))
    room = (data.end_ns - data.start_ns) * 0.012       # that a letter takes
    free_from = [data.start_ns] * len(rows)
    for row, state in sorted({(span[0], span[3]) for span in spans}):
        colour, hatch = STATE_STYLE[state]
        times = np.array([span[1:3] for span in spans if (span[0], span[3]) == (row, state)]) / DAY_NS
        axes.broken_barh(np.c_[times[:, 0], np.diff(times)], (row - 0.36, 0.72), facecolor=colour, hatch=hatch,
                         edgecolor="white", linewidth=0)
        if state in (BookState.STALE, BookState.SYNCING):       # what took less than a pixel is seen all the same
            axes.vlines(times[:, 0], row - 0.36, row + 0.36, color=colour, linewidth=1.2)
    for row, since, to, state, reason, _ in spans:
        if state in (BookState.STALE, BookState.SYNCING):
            at = max((since + to) / 2, free_from[row] + room / 2)
            letter = letters.get(f"{state.name}: {_words(reason)}")
            if letter and at <= to + room:
                axes.text(_day(at), row, letter, ha="center", va="center", fontsize="x-small", fontweight="bold",
                          bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"})
                free_from[row] = at + room
    for number, since, to in data.losses:
        axes.axvspan(_day(since), _day(to), facecolor="none", edgecolor=BLACK, hatch="xx", linewidth=1.0)
        axes.text(_day(since), -0.7, f"recorder lost {number:,}", fontsize="x-small")
    size = min(rcParams["font.size"], figure.get_figheight() * 40 / len(rows))
    axes.set_yticks(range(len(rows)), [symbol for symbol, _ in rows], fontsize=size)
    for row, (_, timeline) in enumerate(rows):
        axes.text(1.01, row, percent(timeline.shares(data.end_ns)[BookState.LIVE]), va="center", fontsize=size,
                  transform=axes.get_yaxis_transform())
    axes.text(1.01, -0.75, "LIVE", va="center", fontsize=size, fontweight="bold", transform=axes.get_yaxis_transform())
    axes.set_ylim(len(rows) - 0.4, -0.9)
    axes.grid(axis="y", visible=False)
    for state in BookState:
        if any(span[3] is state for span in spans):
            colour, hatch = STATE_STYLE[state]
            axes.fill_between([], [], [], facecolor=colour, hatch=hatch, edgecolor="white", label=state.name)
    for key, letter in letters.items():
        times, seconds = lost[key]
        axes.plot([], [], " ",
                  label=f"{letter}   {key}, {times:,} time{'s' if times > 1 else ''}, {duration(seconds * 1e9)}")
    if len(lost) > len(letters):
        axes.plot([], [], " ", label=f"and {len(lost) - len(letters)} other reasons")
    _time(axes, data)
    _legend(figure, axes)


_DRAWN: dict[str, Callable[[PlotData, Figure], None]] = {
    "depth": _depth, "heatmap": _heatmap, "spread": _spread, "latency": _latency, "gaps": _gaps}


# ---- what they share

def _title(figure: Figure, axes: Axes, data: PlotData, what: str, below: str, whole: bool = False) -> None:
    """The title, and in grey below it what the picture spans. whole -- it is about all books of the venue."""
    venue = f"{data.venue} {data.market}".strip()
    figure.suptitle(f"{venue}: {what}" if whole else f"{data.symbol} on {venue}: {what}", x=0.01, ha="left",
                    fontsize="large", fontweight="bold")
    axes.set_title(below, color=GREY, pad=8)


def _legend(figure: Figure, *axes: Axes) -> None:
    """One legend below everything, in as many columns as fit."""
    from matplotlib import rcParams

    found: dict[str, Any] = {}
    for one in axes:
        handles, labels = one.get_legend_handles_labels()
        found.update(zip(labels, handles, strict=True))
    longest = max(map(len, found))
    fit = figure.get_figwidth() * 125 / rcParams["font.size"]         # letters, about
    columns = max(1, min(len(found), int(fit / (longest + 8))))
    figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=columns)


def _time(axes: Axes, data: PlotData) -> None:
    """The axis of time, from end to end of what was replayed, with marks at round times of day."""
    span = data.end_ns - data.start_ns
    step = next((step for step in _STEPS_NS if span / step <= 8), _STEPS_NS[-1] * -(-span // (8 * _STEPS_NS[-1])))
    ticks = range(-(-data.start_ns // step) * step, data.end_ns + 1, step)
    form = "%H:%M:%S" if step < 60 * 10 ** 9 else "%H:%M" if span < DAY_NS else "%d %b\n%H:%M"
    digits = 0 if step >= 10 ** 9 else 3 if step >= 10 ** 6 else 6
    axes.set_xticks([_day(tick) for tick in ticks],
                    [f"{datetime.fromtimestamp(tick // 10 ** 9, UTC):{form}}" +
                     (f".{tick % 10 ** 9:09d}"[:digits + 1] if digits else "") for tick in ticks])
    axes.set_xlim(_day(data.start_ns), _day(data.end_ns))
    axes.set_xlabel("time (UTC)")


def _not_live(axes: Axes, data: PlotData) -> None:
    """Mark when the book was not LIVE."""
    spans = [span for span in data.timeline.spans(data.end_ns) if span[2] is not BookState.LIVE]
    seen = sum(to - since for since, to, *_ in spans) > 0.002 * (data.end_ns - data.start_ns)
    axes.broken_barh([(_day(since), _day(to - since)) for since, to, *_ in spans], (0, 1), facecolor=UNKNOWN,
                     edgecolor="none", zorder=0.4, transform=axes.get_xaxis_transform(),
                     label="the book was not LIVE" if seen else None)


def _numbers(axis: Any) -> None:
    """Ticks as plain numbers, without exponents and offsets."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if axis.get_scale() == "log":
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def plain(value: float) -> str:
    """A number as people write it: 61,659.7 and 0.00001234; 12 digits at most."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    decimals = max(0, 11 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(decimals, 14)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "\N{MINUS SIGN}")


def _short(value: float) -> str:
    """Four digits of a number, plain."""
    return plain(float(f"{value:.4g}"))


def percent(share: float) -> str:
    """A part of the whole: only all of it is 100 %, and only nothing is 0 %."""
    digits = next((digits for digits in range(6) if 0 < round(share * 100, digits) < 100), 0)
    return f"{share * 100:.{digits}f} %"


def moment(ns: int) -> str:
    """A time in UTC, to the millisecond."""
    return f"{datetime.fromtimestamp(ns // 10 ** 9, UTC):%Y-%m-%d %H:%M:%S}.{ns % 10 ** 9 // 10 ** 6:03d}"


def duration(ns: float) -> str:
    """How long something took, in the unit that suits it."""
    for unit_ns, unit in ((86_400e9, "d"), (3600e9, "h"), (60e9, "min"), (1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= unit_ns:
            return f"{ns / unit_ns:.3g} {unit}"
    return f"{ns:.0f} ns"


def _unit_of(ns: float) -> tuple[str, float]:
    for unit, unit_ns in (("s", 1e9), ("ms", 1e6)):
        if ns >= 2 * unit_ns:
            return unit, unit_ns
    return "µs", 1e3


def _range(data: PlotData) -> str:
    until = moment(data.end_ns)
    if until[:10] == moment(data.start_ns)[:10]:
        until = until[11:]
    return f"{moment(data.start_ns)} to {until} UTC ({duration(data.end_ns - data.start_ns)})"


def _day(ns: Any) -> Any:
    """Times as matplotlib counts them: days since 1970."""
    return ns / DAY_NS


def _words(reason: str) -> str:
    """A reason without its numbers, so that equal ones are counted together."""
    return re.sub(r"\d+", "…", reason.partition(":")[0]) or "not told why"


def _half_width(bids: Floats, asks: Floats, middle: float) -> float:
    """How far from the middle a depth chart goes: to where half of the levels are, but no further than two percent,
    unless fewer than ten of a side are as near."""
    away = [abs(side[:, 0] - middle) for side in (bids, asks) if len(side)]
    tenth = max(float(side[:10][-1]) for side in away)
    half = min(float(np.median(np.concatenate(away))), abs(middle) * 0.02)
    return max(tenth, half) * 1.04 or abs(middle) * 1e-4 or 1.0

"""Breakages that somebody might make: each is put in on purpose, and has to be caught.

(what it is, file, function, words of the statement or condition, what becomes of these words). None: no such statement.
" #2" behind the words: the second and last place that has them.
"""

from __future__ import annotations

SYNC, PATH, INTAKE, ARBITER = "feeds/sync.pxd", "feeds/path.pxd", "feeds/intake.pyx", "feeds/arbiter.pxd"
LINES, CORE, LADDER, NUMBERS = "feeds/lines.pxd", "orderbook/core.pxd", "orderbook/ladder.pxd", "feeds/numbers.pxd"
REQUESTS, STALENESS, CONNECTION = "feeds/requests.py", "feeds/staleness.py", "feeds/connection.py"

LISTED = (
    # ---- numbers
    ("skip the check for a gap", PATH, "path_delta", "verdict != LOOSE", "False"),
    ("apply what is old", PATH, "path_delta", "verdict == OLD and (not self.strict", "False and (not self.strict"),
    ("ranges: never a gap", SYNC, "judge", "return LOOSE if first <= last else GAP", "return LOOSE"),
    ("ranges: off by one at the join", SYNC, "judge", "first <= following <= final", "first <= following + 1 <= final"),
    ("ranges: off by one later", SYNC, "judge", "first == following or", "first == following + 1 or"),
    ("links: off by one at the join", SYNC, "judge", "return LOOSE if prev <= last else GAP",
     "return LOOSE if prev <= last + 1 else GAP"),
    ("links: never a gap", SYNC, "judge", "return OLD if final <= last else GAP",
     "return OLD if final <= last else APPLY"),
    ("counters: off by one", SYNC, "judge", "final == following", "final == following + 1"),
    ("chains: never a gap", SYNC, "judge", "return OLD if prev < last and", "return APPLY if prev < last and"),
    ("overlaps: off by one", SYNC, "judge", "APPLY if first <= following", "APPLY if first <= following + 1"),
    ("numbers of a connection: never missing", PATH, "path_line", "path_lose(", None),
    ("believe old numbers for ever", PATH, "path_old", "track.old_in_row >", "False and track.old_in_row >"),
    # ---- snapshots
    ("LIVE before the kept deltas have joined", INTAKE, "join", "not self.path.strict and track.pending.count",
     "False"),
    ("a snapshot forgets the kept deltas", INTAKE, "join", "self.replay_pending(target)", None),
    ("a snapshot's number is not taken", INTAKE, "join", "track.last = last", None),
    ("an older snapshot replaces a newer book", INTAKE, "join", "last < track.last", "False"),
    ("a snapshot ahead of the stream is LIVE at once", PATH, "path_old", "track.ahead = True", None),
    ("a snapshot is added to the book", CORE, "book_apply_snapshot", "ladder_empty(&self.bids)", None),
    ("deltas are kept without end", "feeds/track.pxd", "pending_add", "need > MAX_PENDING_BYTES", "False"),
    ("levels beyond a snapshot's depth are taken for none", PATH, "path_apply", "ran_out(book)", "False"),
    # ---- losses
    ("a gap leaves the book LIVE", PATH, "path_lose", "path_set_status(", None),
    ("a gap keeps the snapshot", PATH, "path_lose", "track.has_snapshot = track.ahead = False", None),
    ("a gap keeps older deltas", PATH, "path_lose", "track.pending.size = track.pending.count = 0", None),
    ("a gap asks for nothing", PATH, "path_lose", "track.wants_snapshot = True", None),
    ("accept a bad checksum", PATH, "path_apply", "path_checks(track, m)", "True"),
    ("a bad frame leaves the book LIVE", INTAKE, "bad", "path_lose(", None),
    ("apply after close", INTAKE, "reset_books", "track.has_snapshot = track.joined = track.ahead = False", None),
    ("a book stays LIVE without its line", INTAKE, "reset_books", "path_set_status(&self.path, i, BOOK_STALE", None),
    ("forget to clear at a reconnect", INTAKE, "reset_books", "book_clear(track.book, BOOK_EMPTY)", None),
    ("deltas of the line before are kept", INTAKE, "reset_books", "track.pending.size = track.pending.count = 0", None),
    ("close one line, lose all books", INTAKE, "reset_books", "track.line != line and track.line != NO_LINE", "False"),
    # ---- two lines
    ("apply every copy", ARBITER, "arbitrate", "return FATE_COPY if final <= last or may_bring", "return FATE_FIRST if"
     " final <= last or may_bring"),
    ("a gap of one line is a gap", ARBITER, "arbitrate", "return FATE_HOLD if", "return FATE_MISSING if"),
    ("a gap of both lines is none", ARBITER, "arbitrate", "else FATE_MISSING", "else FATE_FIRST"),
    ("a line that began anew is not noticed", ARBITER, "note_copy", "return FATE_ANEW", "return FATE_FIRST"),
    ("a trade counts on both lines", ARBITER, "ids_new", "recent_find(&self.recent, id) >= 0", "False"),
    ("an older quote replaces a newer one", ARBITER, "newest_takes", "self.behind <= BEHIND_IN_A_ROW", "False"),
    ("a line that ends takes the books along", INTAKE, "leaves_line", "not carried(&shared.arbiter, others)", "True"),
    ("what lacks a number waits for ever", INTAKE, "settle_held", "now - shared.since < HOLD_S", "True"),
    ("a line that stands by counts too", LINES, "lines_standby", "line != group.heir", "False"),
    # ---- the book
    ("a quantity of 0 stays", LADDER, "ladder_apply", "kept = qty != 0", "kept = 1"),
    ("the best level is not looked for", LADDER, "ladder_apply", "ladder_settle(self, top) #2", None),
    ("half a message stays without memory", CORE, "book_apply_delta", "ladder_undo(", None),
    ("a negative quantity is taken", CORE, "book_apply_delta", "not (qtys_valid(bids) and qtys_valid(asks))", "False"),
    ("a price off the tick is rounded", CORE, "tick_index",
     "<uint64_t> found + <uint64_t> self.limit <= 2 * <uint64_t> self.limit", "True"),
    ("an inexact number is rounded", NUMBERS, "read_units", "not number.exact", "False"),
    # ---- the session
    ("a new line inherits the old one's answers", REQUESTS, "begin", "self.confirmed = set(self.asked)",
     "self.confirmed |= set(self.asked)"),
    ("a new line waits for the old one's answers", REQUESTS, "begin", "noted.clear()", None),
    ("a new line asks for nothing", REQUESTS, "begin", "self.asked = dict.fromkeys(by_url, now)", None),
    ("a request without an answer is not repeated", REQUESTS, "_miss", "self.asked.pop(name, None)", None),
    ("a silent line is not left", CONNECTION, "_watch", "line.abort()", None),
    ("a silent book is believed", STALENESS, "look", "not self.step", "False"),
    ("a lifetime that ends is not minded", CONNECTION, "_watch", "now > replace_at", "False"),
)

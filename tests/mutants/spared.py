"""Mutants that no test can catch, as they are the same program: (file, function, change) -> why."""

from __future__ import annotations

SPARED: dict[tuple[str, str, str], str] = {
    ("feeds/sync.pxd", "judge",
     "or (final < last and not -> or (final <= last and not"):
        "final == last has been answered just before",
    ("feeds/sync.pxd", "judge",
     "link == LINK_NONE or link == LINK_OFFSETS -> link == LINK_NONE and link == LINK_OFFSETS"):
        "Cython (3.3.1) compiles `a == B and a == C` as one switch, as it does `or`: the same C",
    ("feeds/sync.pxd", "judge",
     "OLD if prev < last and ( -> OLD if prev <= last and ("):
        "prev == last has been answered just before",
    ("feeds/sync.pxd", "line_follows",
     "not self.started -> False"):
        "only the clearing of `came` hangs on it, and the counts of a connection that has not started are all 0",
    ("feeds/path.pxd", "path_quick",
     "size == 0 or data[0 -> size == 0 and data[0"):
        "what is JSON or empty fails the binary reader, too: only slower",
    ("feeds/path.pxd", "path_several",
     "not (self.wants or m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT or engine.symbols.target[m.target].wanted "
     "!= 1 or engine.n_kept <= engine.next_part < engine.n_parts) -> False"):
        "the messages of the frame are done one by one with the GIL, as those are that somebody wants: only slower",
    ("feeds/path.pxd", "path_delay",
     "> calloc(1, sizeof( -> > calloc(2, sizeof("):
        "more memory than is used",
    ("feeds/path.pxd", "path_apply",
     ", WHY_CHECKSUM, 0, final) -> , WHY_CHECKSUM, 1, final) (#2)"):
        "the words for a checksum hold no number",
    ("feeds/path.pxd", "path_apply",
     ".kind) & 1 else DONE -> .kind) | 1 else DONE"):
        "`deliver` asks again what is wanted: only slower",
    ("feeds/path.pxd", "path_checks",
     "== CHECKSUM_PAIRS else 1 -> == CHECKSUM_PAIRS else 2"):
        "the other recipes do not read what is varied: the same text is hashed twice",
    ("feeds/path.pxd", "path_convert",
     "status == NEEDS_SCALE -> False (#3)"):
        "the scale was widened to the most decimals of the whole message, so it cannot lack any more",
    ("feeds/arbiter.pxd", "may_bring",
     "no return False"):
        "a C function of Cython that ends without a return gives 0",
    ("feeds/arbiter.pxd", "ids_new",
     "not self.started or id > self.top -> False"):
        "a short cut: an id above all others (ids are above 0) is not among those kept, and is taken behind it",
    ("feeds/arbiter.pxd", "ids_new",
     "no return True"):
        "a short cut: an id above all others is not among those kept, nor older than they are, and is taken behind it",
    ("feeds/arbiter.pxd", "ids_new",
     "KEPT_IDS and id < self.recent -> KEPT_IDS and id <= self.recent"):
        "the oldest id that is kept has been found just before",
    ("feeds/lines.pxd", "line_comes",
     "return False -> return True"):
        "who asks looks only where there is a group",
    ("feeds/track.pxd", "track_printed",
     "no self.price_trailing = m.price_trailing"):
        "only which of the four ways of writing `path_checks` tries first; it tries all before it says no",
    ("feeds/intake.pyx", "replaced",
     "return 0 -> return 1"):
        "the value is not used, and a Pipeline has a method of its own",
    ("feeds/intake.pyx", "keep_control",
     "no return 0"):
        "the value is not used, and is 0 without it",
    ("feeds/intake.pyx", "take_over",
     "no return 0"):
        "the value is not used, and is 0 without it",
    ("feeds/intake.pyx", "resolve",
     "target = -2 -> target = -3 (#2)"):
        "any number below 0 is none",
    ("orderbook/core.pxd", "drop_zeros",
     "likely(zeros == 0) -> False"):
        "a short cut: the loop behind it leaves all in place",
    ("orderbook/ladder.pxd", "ladder_reserve",
     ">> 1) + 8 -> >> 1) - 8"):
        "the room grows in other steps, never to less than is needed",
    ("orderbook/ladder.pxd", "ladder_purge",
     "* kept if 2 * kept > -> * kept if 3 * kept >"):
        "empty pages are looked for at another time: speed alone",
    ("orderbook/ladder.pxd", "ladder_settle",
     "likely(self.best.occupied != 0) -> False"):
        "a short cut: what is behind it stays on the same page",
    ("orderbook/ladder.pxd", "ladder_settle",
     "passed += 1 -> passed -= 1"):
        "empty pages are dropped later, by their number: speed alone",
    ("orderbook/ladder.pxd", "ladder_apply",
     "self.n_pages > self.purge_at -> self.n_pages >= self.purge_at"):
        "empty pages are looked for at another time: speed alone",
    ("orderbook/ladder.pxd", "ladder_fill",
     "no last = key"):
        "the page is looked up once more: speed alone",
    ("orderbook/quantity.pxd", "qty_double",
     "qty >= 0 -> qty >= 1"):
        "0 is 0.0 in either way",
    ("feeds/levelmap.pxd", "map_slot",
     "((at ^ (at >> -> ((at | (at >>"):
        "another hash: speed alone",
    ("feeds/levelmap.pxd", "map_reserve",
     "n_slots < 2 * ( -> n_slots <= 2 * ("):
        "the table grows one key earlier: memory alone",
    ("feeds/numbers.pxd", "read_double",
     "number.exponent > 2 * MAX_EXPONENT -> False"):
        "a number so large becomes infinite, and is refused then",
    ("feeds/numbers.pxd", "digits_at",
     "return -1 -> return -2"):
        "whoever calls looks whether it is below 0 or 1",
    ("feeds/numbers.pxd", "note_printed",
     "no return"):
        "only the way of writing that a checksum is tried with first: all are tried",
    ("feeds/checksum.pxd", "write_number",
     "decimals > scale -> decimals >= scale"):
        "with as many decimals as the scale has, both ways write the same text",
    ("feeds/checksum.pxd", "write_script",
     "or (scale <= 8 and value -> or (scale < 8 and value"):
        "a short cut: the way behind it writes the same text",
    ("feeds/checksum.pxd", "write_script",
     "no return write_number(out, <int64_t> value, scale, 0)"):
        "a short cut: the way behind it writes the same text over it",
    ("feeds/staleness.py", "__init__",
     "no self._until = inf"):
        "set with the first message, before it is read",
    ("feeds/staleness.py", "__init__",
     "no self._at = 0.0"):
        "set with the first step, before it is read",
    ("feeds/staleness.py", "__init__",
     "no self._frames = 0"):
        "set with the first step, before it is read",
    ("feeds/requests.py", "due",
     "no return None"):
        "a function without a return gives None",
    ("feeds/session.py", "_leave",
     "no self._owners.pop(symbol, None)"):
        "no owners are read like an empty set of them",
    ("feeds/rollover.py", "start",
     "lines > 1 -> True"):
        "a group of one line is dissolved at the first look, before anything has come",
    ("feeds/silence.py", "__init__",
     "tuple[int | None, float -> tuple[int & None, float"):
        "an annotation, which nobody evaluates",
}

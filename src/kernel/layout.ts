// Where everything lies in flat memory. All records are 8-aligned; offsets are bytes; "->" marks an address, 0 is none.
// This file is the format: engine code outside the kernel reads the same records through the same names.
//
//   Root ─▶ key table ─▶ Key ─▶ fields ─▶ targets ─▶ Group ─▶ Cell (one per open window, newest first)
//                                            │          └─▶ Ledger ─▶ RuleRecord
//                                            └─▶ Last (one per Group and Series, counters only)
//
// Key     the raw bytes `measurement,tags ` of a line and what its fields feed. A cache: dropping one costs an admission.
// Field   one field name of a Key: interned name bytes (with the `=`) and its targets.
// Target  (Group, Last) for one rule. Group 0: the rule wants the sample, but it is counted as dropped in the Ledger, or not ours.
// Group   one output identity of a Rule.  Cell: its Accumulator for one Window.
// Ledger  what one Rule did in one Part (a range of SliceKeys): pairs by outcome, and the end of the last closed Window.

// ---- page 0: constants shared by all engines -------------------------------------------------------------------------
/** f64: result of number.ts. */
export const VALUE: i32 = 16;
/** f64: scratch for bit access. */
export const BITS: i32 = 24;
/** f64 ms: since when the counter whose sample is being applied counts; 0: unknown, as for every line. */
export const START: i32 = 32;
/** f64 x 23: 10^0 .. 10^22, all exact. */
export const POWERS: i32 = 64;
/** f64 x 64: 0.5 * 2^(k/64), Prometheus' schema 6. */
export const BOUNDS: i32 = 512;
/** i32 x 256: by the top 8 mantissa bits, the first bound not below that mantissa's lower edge. */
export const BOUND_GUESS: i32 = 2048;

// ---- Root ------------------------------------------------------------------------------------------------------------
/** Three Tables. */
export const ROOT_KEYS: i32 = 0;
export const ROOT_GROUPS: i32 = 16;
export const ROOT_LASTS: i32 = 32;
/** -> Key of the previous line; its `next` predicts the coming one. */
export const ROOT_PREVIOUS: i32 = 48;
/** -> next free byte of the current chunk, and its end. */
export const ROOT_BUMP: i32 = 52;
export const ROOT_BUMP_END: i32 = 56;
/** Where run() stopped: the start of the line it did not consume. */
export const ROOT_STOP: i32 = 60;
/** Counts up at every sweep, whenever it has marked something, and whenever Parts change; a Key stamps it when used. */
export const ROOT_EPOCH: i32 = 64;
/** Input series: fields of Keys that some rule wants. */
export const ROOT_SERIES: i32 = 68;
/** f64 ms: arrival time of the batch. */
export const ROOT_ARRIVAL: i32 = 72;
/** f64 ms: samples after it are dropped{future}. */
export const ROOT_FUTURE: i32 = 80;
/** f64: lines, samples received, matched. */
export const ROOT_LINES: i32 = 88;
export const ROOT_RECEIVED: i32 = 96;
export const ROOT_MATCHED: i32 = 104;
/** f64 x 8: samples ignored, by ignore reason. */
export const ROOT_IGNORED: i32 = 112;
/** f64: samples whose integer was rounded to a double. */
export const ROOT_INEXACT: i32 = 176;
/** With RUN_NEW_KEY and RUN_NEW_FIELD: see there. */
export const ROOT_AT: i32 = 184;
export const ROOT_KEY: i32 = 188;
/** f64: samples passed on as they came. */
export const ROOT_PASSED: i32 = 192;
/** Bit set of PASS_*, 0: nothing passes. And the bytes in use of the list at PASS_AT. */
export const ROOT_PASS: i32 = 200;
export const ROOT_PASS_USED: i32 = 204;
/** Two Tables: Shapes, and the names of tags. */
export const ROOT_SHAPES: i32 = 208;
export const ROOT_TAGS: i32 = 224;
/** Of the key that shapeOf() looked at. */
export const ROOT_SHAPE_LENGTH: i32 = 240;
/** Hash of the key that was not found. */
export const ROOT_HASH: i32 = 244;
/** Counts the keys that shapeOf() looked at. */
export const ROOT_TAG_MARK: i32 = 248;
/** ROOT_EPOCH when Parts changed last: a Key that was not used since may point at what has gone, or nowhere. */
export const ROOT_CHANGED: i32 = 252;
/** i32 x 80: heads of the free lists. */
export const ROOT_FREE: i32 = 256;
/** With PASS_ROUTE: number of slices, of lanes, of the present division, of the current line, and of lanes marked for it. */
export const ROOT_SLICES: i32 = 576;
export const ROOT_LANES: i32 = 580;
export const ROOT_DIVISION: i32 = 584;
export const ROOT_LINE: i32 = 588;
export const ROOT_MARKED: i32 = 592;
/** Counts the copies taken; what changes after one bears a higher stamp. */
export const ROOT_COPY: i32 = 596;
/** Samples until the next one is picked (probe.ts), the state of its random numbers, and the SliceKeys on the list at PROBES_AT. */
export const ROOT_PROBE: i32 = 600;
export const ROOT_PROBE_SEED: i32 = 604;
export const ROOT_PROBED: i32 = 608;
/** ROOT_EPOCH when Parts changed or a sweep marked something last: a Key that was not used since is to be looked at before it is. */
export const ROOT_STALE: i32 = 612;
/** i32 each, in the Root's own page. Past the last one, pairs are not noted until the list is taken away. */
export const PROBES_AT: i32 = 4096;
export const PROBES_MAX: i32 = 8192;
/** Of 32 random bits: a distance of 1 to 512 samples. */
export const PROBE_GAP_SHIFT: i32 = 23;

/** Offsets from the root, whole pages. */
export const SCRATCH_AT: i32 = 65536;
/** { entry i32, kind i32, value f64 } per field of the current line. */
export const SCRATCH_BYTES: i32 = 16;
export const SCRATCH_MAX: i32 = 4096;
/** Kinds of its entries. */
export const SCRATCH_NUMBER: i32 = 0;
export const SCRATCH_STRING: i32 = 1;
export const INPUT_AT: i32 = 131072;
/** Longest single line, without its LF; past it the engine gives the line up and goes on behind the next LF. */
export const LINE_BYTES_MAX: i32 = 1048576;
/** Longest line, plus a read, plus slack that scans may look at. */
export const INPUT_BYTES: i32 = 2162688;
export const INPUT_SLACK: i32 = 64;
/** A piece of a whole document, beside the stream's unfinished line. INPUT_SLACK bytes of it stay unused. */
export const BODY_AT: i32 = 2293760;
export const BODY_BYTES: i32 = 1114112;
/** Key bytes that are put together from parts. */
export const COMPOSED_AT: i32 = 3407872;
export const COMPOSED_BYTES: i32 = 1114112;
/** What passes of the lines read last (pass.ts): more than SCRATCH_MAX + 2 entries. */
export const PASS_AT: i32 = 4521984;
export const PASS_BYTES: i32 = 131072;
export const ROOT_PAGES: i32 = 71;

/** Samples pass as the bytes of their lines, or as rows with the labels at FIELD_PASS. */
export const PASS_LINES: i32 = 1;
export const PASS_ROWS: i32 = 2;
/** What no rule wants passes. */
export const PASS_UNMATCHED: i32 = 4;
/** Nothing is added to Cells: each line is listed once per lane that one of its samples belongs to (route.ts). */
export const PASS_ROUTE: i32 = 8;
/** Entries of the list. PASS_ROUTE: { from i32, to i32, lane i32, unused, time f64 ms }. PASS_LINES: { from i32, to i32 }; PASS_ROWS: { -> labels i32, unused, time f64 ms, value f64 }. */
export const PASS_RANGE_BYTES: i32 = 8;
export const PASS_ROW_BYTES: i32 = 24;
export const PASS_ROUTE_BYTES: i32 = 24;
/** With PASS_ROUTE, in place of the stream's input: which lane has a SliceKey, and the lanes of the current line. */
export const SLICES_AT: i32 = 131072;
/** { lowest key of the slice ^ 0x80000000, lane } as i32 each, sorted. */
export const SLICE_BYTES: i32 = 8;
export const SLICES_MAX: i32 = 196608;
/** i32 per lane: number of the last line that was marked for it. Then i32 each: the lanes marked for the current line. */
export const LANES_AT: i32 = 1703936;
export const MARKED_AT: i32 = 1835008;
export const LANES_MAX: i32 = 4096;

/** Why a sample is ignored (index into ROOT_IGNORED). */
export const IGNORED_UNMATCHED: i32 = 0;
export const IGNORED_STRING: i32 = 1;
export const IGNORED_NAME: i32 = 2;
export const IGNORED_MEMORY: i32 = 3;
export const IGNORED_STALE: i32 = 4;
export const IGNORED_NAN: i32 = 5;
export const IGNORED_HISTOGRAM: i32 = 6;

// ---- Table: open addressing, slots of { hash i32, -> record }, at most 5/8 full ---------------------------------------
export const TABLE_SLOTS: i32 = 0;
export const TABLE_MASK: i32 = 4;
export const TABLE_COUNT: i32 = 8;

// ---- Key -------------------------------------------------------------------------------------------------------------
export const KEY_NEXT: i32 = 0;
export const KEY_HASH: i32 = 4;
/** Bytes of the key, without the space that ends it. */
export const KEY_LENGTH: i32 = 8;
export const KEY_FIELDS: i32 = 12;
export const KEY_FIELD_COUNT: i32 = 16;
export const KEY_FIELD_MAX: i32 = 20;
/** KEY_SWEPT: it has no Fields, and goes with the end of the sweep unless it is used before. */
export const KEY_EPOCH: i32 = 24;
export const KEY_SWEPT: i32 = -1;
/** The bytes, then the space. */
export const KEY_BYTES: i32 = 32;

// ---- Tag: a tag's name, and whether rules look at it -------------------------------------------------------------------
export const TAG_LENGTH: i32 = 0;
/** One of TAG_UNSEEN: no rule looks at it, TAG_SEEN, TAG_ODD: its label has another name. */
export const TAG_FLAGS: i32 = 4;
/** ROOT_TAG_MARK of the key it was last seen in. */
export const TAG_MARK: i32 = 8;
/** TAG_UNSEEN or TAG_SEEN, where it is a label of a series that comes with its name. */
export const TAG_NAMED: i32 = 12;
export const TAG_BYTES: i32 = 16;
export const TAG_UNSEEN: i32 = 0;
export const TAG_SEEN: i32 = 1;
export const TAG_ODD: i32 = 2;

// ---- Field -----------------------------------------------------------------------------------------------------------
export const FIELD_NAME: i32 = 0;
/** Bytes of the name, `=` included. */
export const FIELD_NAME_LENGTH: i32 = 4;
export const FIELD_TARGETS: i32 = 8;
/** 0: no rule wants it; then FIELD_TARGETS holds the ignore reason. */
export const FIELD_TARGET_COUNT: i32 = 12;
/** Not 0: numbers of this field pass. With PASS_ROWS -> the length (i32) of its labels in row form, then those. */
export const FIELD_PASS: i32 = 16;
export const FIELD_BYTES: i32 = 20;

// ---- Target ----------------------------------------------------------------------------------------------------------
export const TARGET_GROUP: i32 = 0;
/** -> Last; or, when the Group is 0, -> Ledger, the drop reason being in the lowest 3 bits; 0: no Part holds the sample. */
export const TARGET_LAST: i32 = 4;
export const TARGET_BYTES: i32 = 8;

// ---- RuleRecord ------------------------------------------------------------------------------------------------------
/** Bit set of KIND_*, FLAG_*. */
export const RULE_FLAGS: i32 = 4;
export const RULE_CELL_BYTES: i32 = 8;
/** Offsets of the states in a Cell (0: rule does not keep it). */
export const RULE_MOMENTS_AT: i32 = 12;
export const RULE_COUNTER_AT: i32 = 16;
export const RULE_SKETCH_AT: i32 = 20;
/** 0 auto, 1 zero, 2 baseline. */
export const RULE_FIRST: i32 = 24;
export const RULE_INTERVAL: i32 = 32;
/** f64 ms: start of the Window that was used last. */
export const RULE_WINDOW: i32 = 40;
export const RULE_MEMORY: i32 = 48;
export const RULE_SERIES_AT: i32 = 56;
export const RULE_VALUES_AT: i32 = 60;
export const RULE_HISTOGRAM_AT: i32 = 64;
/** Most series it takes (max_series). */
export const RULE_SERIES_MAX: i32 = 68;
/** f64 ms, with FLAG_DEDUP. */
export const RULE_DEDUP: i32 = 72;
/** Input series over all Parts; RULE_SERIES_MAX caps it. */
export const RULE_SERIES: i32 = 80;
/** f64 ms, with FLAG_BOUNDED: starts of the first Window it counts for, and of the first one it does not. */
export const RULE_FROM: i32 = 88;
export const RULE_UNTIL: i32 = 96;
export const RULE_BYTES: i32 = 104;

export const KIND_BASIC: i32 = 1;
export const KIND_MOMENTS: i32 = 2;
export const KIND_COUNTER: i32 = 4;
export const KIND_SKETCH: i32 = 8;
export const FLAG_RATE: i32 = 16;
export const FLAG_DELTA: i32 = 32;
/** Late increments go into the next cumulative output. */
export const FLAG_CARRY: i32 = 64;
export const FLAG_ARRIVAL: i32 = 128;
/** Distinct series, distinct values, vmrange histogram. */
export const KIND_SERIES: i32 = 256;
export const KIND_VALUES: i32 = 512;
export const KIND_HISTOGRAM: i32 = 1024;
/** A running sum of samples: sum_samples_total. */
export const FLAG_SAMPLES: i32 = 2048;
/** One sample of a Series counts per dedup interval. */
export const FLAG_DEDUP: i32 = 4096;
/** The sketch is a boxed t-digest: a Cell holds its number. */
export const FLAG_DIGEST: i32 = 8192;
/** Its version does not hold for all time. */
export const FLAG_BOUNDED: i32 = 16384;

export const FIRST_AUTO: i32 = 0;
export const FIRST_ZERO: i32 = 1;
export const FIRST_BASELINE: i32 = 2;

// ---- Ledger ----------------------------------------------------------------------------------------------------------
export const LEDGER_RULE: i32 = 0;
/** 0: samples are left alone, not even counted. */
export const LEDGER_ACCEPTS: i32 = 4;
/** -> first Group. */
export const LEDGER_GROUPS: i32 = 8;
export const LEDGER_GROUP_COUNT: i32 = 12;
/** Input series: Lasts for counters, else targets. */
export const LEDGER_SERIES_COUNT: i32 = 16;
/** 1: its Part was dropped, and all its Groups are dead. */
export const LEDGER_GONE: i32 = 20;
/** f64 ms: Windows that end here or earlier are closed. */
export const LEDGER_CLOSED: i32 = 24;
/** f64 ms: nothing this slice should hold has been lost or unseen since. */
export const LEDGER_COMPLETE: i32 = 32;
/** f64 each: pairs. */
export const LEDGER_MATCHED: i32 = 40;
export const LEDGER_APPLIED: i32 = 48;
export const LEDGER_SUPERSEDED: i32 = 56;
/** f64 x 8, by drop reason. */
export const LEDGER_DROPPED: i32 = 72;
/** f64: late increments that went into a total. */
export const LEDGER_CARRIED: i32 = 136;
/** f64: counter resets seen. */
export const LEDGER_RESETS: i32 = 144;
/** f64: negative samples, which only a vmrange histogram wanted. */
export const LEDGER_NEGATIVE: i32 = 152;
/** f64: samples that another one of the same dedup interval made superfluous; samples held until their Window closes. */
export const LEDGER_DUPLICATE: i32 = 160;
export const LEDGER_PENDING: i32 = 168;
export const LEDGER_BYTES: i32 = 176;

/** Why a pair is dropped (index into LEDGER_DROPPED). */
export const DROPPED_LATE: i32 = 0;
export const DROPPED_FUTURE: i32 = 1;
export const DROPPED_SERIES_CAP: i32 = 2;
export const DROPPED_IDENTITY: i32 = 3;
export const DROPPED_MEMORY: i32 = 4;

// ---- Group -----------------------------------------------------------------------------------------------------------
export const GROUP_LEDGER: i32 = 0;
/** -> next Group of the Ledger. */
export const GROUP_NEXT: i32 = 4;
export const GROUP_NEWEST: i32 = 8;
export const GROUP_OLDEST: i32 = 12;
/** -> first Last. */
export const GROUP_LASTS: i32 = 16;
/** -> identity bytes (row form) and their length. */
export const GROUP_IDENTITY: i32 = 20;
export const GROUP_IDENTITY_BYTES: i32 = 24;
/** uint32, as i32 bits. */
export const GROUP_SLICE_KEY: i32 = 28;
/** With PASS_ROUTE, where a Group has no Cells: its lane, and the division in which that was looked up. */
export const GROUP_LANE: i32 = 8;
export const GROUP_DIVISION: i32 = 12;
/** Index of the output names in the engine. */
export const GROUP_NAMES: i32 = 32;
/** 1: alive, 0: retired or not yet seen, -1: dead (awaits the sweep), as all are whose Ledger is gone. */
export const GROUP_STATE: i32 = 36;
/** f64 ms: greatest sample time within closed Windows. */
export const GROUP_SEEN: i32 = 40;
/** f64 ms: start timestamp of the total. */
export const GROUP_START: i32 = 48;
/** f64 x 2 each, running since the start: increases, first samples counted from zero, sum of samples. */
export const GROUP_TOTAL: i32 = 56;
export const GROUP_FIRSTS: i32 = 72;
export const GROUP_SAMPLES: i32 = 88;
export const GROUP_HASH: i32 = 104;
/** -> vmrange histogram since the start. */
export const GROUP_HISTOGRAM: i32 = 108;
/** Input series that the Ledger counts for it. */
export const GROUP_SERIES: i32 = 112;
/** ROOT_COPY when it changed last. */
export const GROUP_STAMP: i32 = 116;
export const GROUP_BYTES: i32 = 120;

// ---- Cell: header, then the states the rule keeps ---------------------------------------------------------------------
export const CELL_OLDER: i32 = 0;
export const CELL_NEWER: i32 = 4;
/** f64 ms: start of the Window. */
export const CELL_WINDOW: i32 = 8;
/** f64 ms: greatest sample time in it. */
export const CELL_NEWEST: i32 = 16;
/** basic, always first: count, sum (2), min, max, last value. */
export const BASIC_AT: i32 = 24;
export const BASIC_COUNT: i32 = 24;
export const BASIC_SUM: i32 = 32;
export const BASIC_MIN: i32 = 48;
export const BASIC_MAX: i32 = 56;
export const BASIC_LAST: i32 = 64;
export const BASIC_BYTES: i32 = 48;
/** moments: sum of squares (2). */
export const MOMENTS_BYTES: i32 = 16;
/** counter: increase (2), first samples counted from zero (2), rate sum (2), series in the rate. */
export const COUNTER_INCREASE: i32 = 0;
export const COUNTER_FIRSTS: i32 = 16;
export const COUNTER_RATE: i32 = 32;
export const COUNTER_SERIES: i32 = 48;
export const COUNTER_BYTES: i32 = 56;
/** sketch, series, values, histogram: in the Cell only -> record (8 bytes with padding). */
export const SLOT_BYTES: i32 = 8;

// ---- Sketch ----------------------------------------------------------------------------------------------------------
/** 6 at birth; each step down halves the resolution. May be negative. */
export const SKETCH_SCHEMA: i32 = 0;
/** f64: count of zeroes, smallest and greatest value. */
export const SKETCH_ZEROES: i32 = 8;
export const SKETCH_MIN: i32 = 16;
export const SKETCH_MAX: i32 = 24;
/** Two Sides: positive and negative values. */
export const SKETCH_POSITIVE: i32 = 32;
export const SKETCH_NEGATIVE: i32 = 48;
/** f64: values counted. */
export const SKETCH_COUNT: i32 = 64;
export const SKETCH_BYTES: i32 = 72;
/** Sketch: blocks in use on both sides. */
export const SKETCH_BLOCKS: i32 = 4;
/** Side: -> directory of blocks (i32 addresses, 0: empty), number of its first block, entries in use, room. */
export const SIDE_DIRECTORY: i32 = 0;
export const SIDE_FIRST: i32 = 4;
export const SIDE_LENGTH: i32 = 8;
export const SIDE_ROOM: i32 = 12;
/** Block: 16 f64 counts of neighbouring buckets. */
export const BLOCK_SHIFT: i32 = 4;
export const BLOCK_BUCKETS: i32 = 16;
export const BLOCK_BYTES: i32 = 128;
/** More blocks than this (32 KiB) halve the resolution. */
export const SKETCH_BLOCKS_MAX: i32 = 256;

// ---- Set (set.ts) and Histogram (histogram.ts) ------------------------------------------------------------------------
export const SET_SLOTS: i32 = 0;
export const SET_MASK: i32 = 4;
export const SET_COUNT: i32 = 8;
/** 1: holds the pair (0, 0). */
export const SET_ZERO: i32 = 12;
export const SET_BYTES: i32 = 16;
/** At SKETCH_BLOCKS its number of blocks, then one Side. */
export const HISTOGRAM_SIDE: i32 = 8;
export const HISTOGRAM_BYTES: i32 = 24;
/** Buckets of a vmrange histogram, those at both ends included. */
export const RANGE_BUCKETS: i32 = 488;

// ---- Last: what a Group remembers of one Series ---------------------------------------------------------------
/** i32 x 2: XXH64 of the Series' identity. */
export const LAST_HASH_LOW: i32 = 0;
export const LAST_HASH_HIGH: i32 = 4;
export const LAST_NEXT: i32 = 8;
/** -> Group; 0: dead (awaits the sweep). */
export const LAST_GROUP: i32 = 12;
/** f64 ms and value of the newest sample; time is -Infinity before the first. */
export const LAST_TIME: i32 = 16;
export const LAST_VALUE: i32 = 24;
/** Rate only. f64 ms: Window of the newest sample; time of the last sample before it; increase since. */
export const LAST_WINDOW: i32 = 32;
export const LAST_BEFORE: i32 = 40;
export const LAST_INCREASE: i32 = 48;
/** Deduplication only: -> newest Held. */
export const LAST_HELD: i32 = 64;
export const LAST_BYTES: i32 = 32;
export const LAST_RATE_BYTES: i32 = 64;
export const LAST_DEDUP_BYTES: i32 = 72;

// ---- Held: a sample that waits for its Window to close (held.ts) --------------------------------------------------------
export const HELD_OLDER: i32 = 0;
export const HELD_TIME: i32 = 8;
export const HELD_VALUE: i32 = 16;
export const HELD_BYTES: i32 = 24;

// ---- answers of run() -------------------------------------------------------------------------------------------------
/** Everything up to `end` is consumed. */
export const RUN_DONE: i32 = 0;
/** The line at ROOT_STOP is not one for the fast path: escapes, odd spacing, errors, an open quote. */
export const RUN_UNUSUAL: i32 = 1;
/** The line at ROOT_STOP has a new key, its first ROOT_AT bytes, free of doubled backslashes and control bytes. */
export const RUN_NEW_KEY: i32 = 2;
/** The line at ROOT_STOP has a new field: Key ROOT_KEY, name at address ROOT_AT. */
export const RUN_NEW_FIELD: i32 = 3;
/** The list at PASS_AT has no room for what may pass of the line at ROOT_STOP. */
export const RUN_PASS_FULL: i32 = 4;
/** Parts have changed, or a sweep has marked something, since Key ROOT_KEY was used last: its targets must be looked at. The line at ROOT_STOP is its. */
export const RUN_STALE: i32 = 5;

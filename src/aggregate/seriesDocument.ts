// Prometheus remote write as a document (lineDocument.ts): series that come with their name and labels, which are taken as they
// are. A series is one Key, known by its label bytes behind two newlines, where no line and no tagged line (lineDocument.ts) can
// be; its only Field has the empty name.
//
// Staleness markers say that a series ended, NaN and the infinities cannot be summed, native histograms are no numbers: all are
// ignored, with a reason. A series that cannot be is left out and counted; the others of its request are applied.
import {
  BODY_AT,
  COMPOSED_AT,
  COMPOSED_BYTES,
  IGNORED_HISTOGRAM,
  IGNORED_MEMORY,
  IGNORED_NAN,
  IGNORED_STALE,
  INPUT_SLACK,
  KEY_FIELD_COUNT,
  KEY_FIELDS,
  ROOT_IGNORED,
  ROOT_MATCHED,
  ROOT_PREVIOUS,
  ROOT_RECEIVED,
  SCRATCH_AT,
  SCRATCH_NUMBER,
  START,
} from "../kernel/layout.js";
import { heap8 } from "../kernel/memory.js";
import { beginLine } from "../kernel/route.js";
import { SeriesReader, seriesOf, type WriteVersion } from "../metric/seriesReader.js";
import { beginCompleteness, type Intake } from "./lines.js";
import { notesOf } from "./typeNotes.js";

/** Read in one step: series, samples, and each 256 bytes of labels, because long ones may be said in two bytes (2.0). */
const PIECE_ENTRIES = 4096;
const LABELS_SHIFT = 8;
/** Longest labels of one series, in bytes. */
export const LABEL_BYTES_MAX = COMPOSED_BYTES - INPUT_SLACK;

/** Part of a request that lies in kernel memory, two bytes behind BODY_AT, for as long as no other document is read. */
interface Window {
  start: number;
  end: number;
}

const WINDOW_BYTES = 65_536;

/** A remote-write request on its way in. */
export class SeriesDocument {
  readonly kind = "series";
  readonly reader: SeriesReader;
  done: boolean;
  /** Series left out, and the first one's number (from 1) and reason. */
  invalid = 0;
  problem: string | undefined;
  readonly window: Window = { start: 0, end: 0 };
  /** Series read, those left out included. */
  read = 0;
  /** Samples and native histograms of the good series. */
  samples = 0;
  histograms = 0;
  /** What a metric's type says against what a rule makes of it, by rule. */
  readonly notes = new Map<string, string>();

  /** `bytes`: after Snappy. A request that cannot be read at all (`reader.fault`) is done at once. */
  constructor(bytes: Uint8Array, version: WriteVersion) {
    this.reader = new SeriesReader(bytes, version);
    this.done = this.reader.fault !== undefined;
  }

  refuse(problem: string): void {
    this.invalid++;
    this.problem ??= `series ${String(this.read)}: ${problem}`;
  }
}

/** Applies the next piece of a document that is not done. */
export function readSeries(intake: Intake, document: SeriesDocument): void {
  const { reader } = document;
  document.window.end = 0;
  for (let entries = 0; entries < PIECE_ENTRIES; entries += 1 + reader.samples.count + (reader.labelsLength >> LABELS_SHIFT)) {
    if (!reader.next()) {
      document.done = true;
      return;
    }
    document.read++;
    const problem = reader.problem === "" ? applySeries(intake, document) : reader.problem;
    if (problem !== "") document.refuse(problem);
  }
}

/** Applies the current series. Returns why it cannot be taken, "" when it was. */
function applySeries(intake: Intake, document: SeriesDocument): string {
  const { root, admission } = intake;
  const { reader } = document;
  const { samples, labelsLength } = reader;
  if (labelsLength > LABEL_BYTES_MAX) return `labels of ${String(labelsLength)} bytes, more than ${String(LABEL_BYTES_MAX)}`;
  if (samples.count > 0) {
    const at = keyBytes(root, document);
    const key = admission.key(at, at + 2 + labelsLength);
    if (key !== 0 && i32.load(key + KEY_FIELD_COUNT) === 0) {
      const problem = admit(key, intake, document);
      if (problem !== "") return problem;
    }
    if (key !== 0) i32.store(root + ROOT_PREVIOUS, key);
    const known = key !== 0 && i32.load(key + KEY_FIELD_COUNT) > 0;
    applySamples(intake, reader, known ? i32.load(key + KEY_FIELDS) : 0);
  }
  document.samples += samples.count;
  document.histograms += reader.histograms;
  ignore(root, IGNORED_HISTOGRAM, reader.histograms);
  return "";
}

/** Puts the key bytes of the current series into kernel memory; returns where. */
function keyBytes(root: number, { reader, window }: SeriesDocument): number {
  const { labelsAt, labelsLength } = reader;
  let at = root + COMPOSED_AT;
  if (labelsAt < 0 || labelsLength > WINDOW_BYTES) reader.writeLabels(heap8, at + 2);
  else {
    if (labelsAt + labelsLength > window.end) openWindow(root, reader.bytes, window, labelsAt);
    at = root + BODY_AT + labelsAt - window.start;
  }
  // Within a window, over what stood before the labels, which was read already.
  i32.store8(at, 10);
  i32.store8(at + 1, 10);
  return at;
}

/** Shows what of the request begins at `from`. One copy of many series is cheaper than one of each. */
function openWindow(root: number, bytes: Buffer, window: Window, from: number): void {
  window.start = from;
  window.end = Math.min(bytes.length, from + WINDOW_BYTES);
  heap8.set(bytes.subarray(from, window.end), root + BODY_AT + 2);
}

/** A series that is new here. */
function admit(key: number, { admission, parts }: Intake, document: SeriesDocument): string {
  const { reader, notes } = document;
  let field = admission.namedLike(key);
  if (field === 0) {
    const labels = reader.labels();
    if (labels === undefined) return "its labels are damaged";
    const series = seriesOf(labels);
    if (!series.ok) return series.message;
    field = admission.named(key, series);
  }
  if (field !== 0 && reader.type !== 0)
    for (const [rule, note] of notesOf(field, parts.rules, () => nameIn(reader), reader.type)) notes.set(rule, note);
  return "";
}

function nameIn(reader: SeriesReader): string {
  return reader.labels()?.find(([label]) => label === "__name__")?.[1] ?? "";
}

function applySamples({ root, parts, add, passed }: Intake, reader: SeriesReader, field: number): void {
  const { samples } = reader;
  const entry = root + SCRATCH_AT;
  beginLine(root);
  for (let i = 0; i < samples.count; i++) {
    const value = samples.values[i] ?? 0;
    const reason = samples.stale[i] === 1 ? IGNORED_STALE : !Number.isFinite(value) ? IGNORED_NAN : field === 0 ? IGNORED_MEMORY : -1;
    if (reason >= 0) {
      ignore(root, reason, 1);
      continue;
    }
    const matchedBefore = f64.load(root + ROOT_MATCHED);
    const time = samples.timestamps[i] ?? 0;
    i32.store(entry, field);
    i32.store(entry + 4, SCRATCH_NUMBER);
    f64.store(entry + 8, value);
    f64.store(START, samples.starts[i] ?? 0);
    beginLine(root);
    add(root, 1, time);
    passed.drain();
    if (matchedBefore === 0 && f64.load(root + ROOT_MATCHED) > 0) beginCompleteness(parts, time);
  }
  f64.store(START, 0);
  if (field !== 0) passed.series(field, reader);
}

function ignore(root: number, reason: number, count: number): void {
  f64.store(root + ROOT_RECEIVED, f64.load(root + ROOT_RECEIVED) + count);
  const at = root + ROOT_IGNORED + reason * 8;
  f64.store(at, f64.load(at) + count);
}

// Prometheus remote write as a document (lineDocument.ts): series that come with their name and labels, which are taken as they
// are. A series is one Key, known by its label bytes as they were sent behind two newlines, where no line and no tagged
// line (lineDocument.ts) can be; its only Field has the empty name.
//
// Staleness markers say that a series ended, and NaN and the infinities cannot be summed: all are ignored, with a reason.
import {
  COMPOSED_AT,
  COMPOSED_BYTES,
  IGNORED_MEMORY,
  IGNORED_NAN,
  IGNORED_STALE,
  INPUT_SLACK,
  KEY_EPOCH,
  ROOT_EPOCH,
  ROOT_IGNORED,
  ROOT_MATCHED,
  ROOT_RECEIVED,
  SCRATCH_AT,
  SCRATCH_NUMBER,
} from "../kernel/layout.js";
import { heap8 } from "../kernel/memory.js";
import { addLine } from "../kernel/plan.js";
import { WriteRequestError } from "../metric/remoteWriteDecode.js";
import { SeriesReader, seriesOf } from "../metric/seriesReader.js";
import { beginCompleteness, type Intake } from "./lines.js";

/** Read in one step. */
const PIECE_SERIES = 1000;
/** Longest labels of one series, in bytes. */
export const LABEL_BYTES_MAX = COMPOSED_BYTES - INPUT_SLACK;

/** A WriteRequest on its way in. */
export class SeriesDocument {
  readonly kind = "series";
  readonly reader: SeriesReader;
  done = false;
  /** Why the rest was not read: what came before it is applied, as remote write allows. */
  problem: string | undefined;
  samples = 0;
  /** Native histograms, which are not aggregated. */
  histograms = 0;

  /** `bytes`: after Snappy. */
  constructor(bytes: Uint8Array) {
    this.reader = new SeriesReader(bytes);
  }
}

/** Applies the next piece of a document that is not done. */
export function readSeries(intake: Intake, document: SeriesDocument): void {
  const { reader } = document;
  try {
    for (let i = 0; i < PIECE_SERIES; i++) {
      if (!reader.next()) {
        document.done = true;
        return;
      }
      applySeries(intake, reader);
      document.samples += reader.count;
      document.histograms += reader.histograms;
    }
  } catch (error) {
    if (!(error instanceof WriteRequestError)) throw error;
    document.problem = error.message;
    document.done = true;
  }
}

function applySeries({ root, admission, rules, passed }: Intake, reader: SeriesReader): void {
  if (reader.count === 0) return;
  const bytes = reader.labelBytes;
  if (bytes.length > LABEL_BYTES_MAX) throw new WriteRequestError(`labels of ${String(bytes.length)} bytes, more than ${String(LABEL_BYTES_MAX)}`);
  const at = root + COMPOSED_AT;
  i32.store8(at, 10);
  i32.store8(at + 1, 10);
  heap8.set(bytes, at + 2);
  const key = admission.key(at, at + 2 + bytes.length);
  const field = key === 0 ? 0 : admission.named(key, () => seriesOf(reader.labels()));
  if (key !== 0) i32.store(key + KEY_EPOCH, i32.load(root + ROOT_EPOCH));
  for (let i = 0; i < reader.count; i++) {
    const value = reader.values[i] ?? 0;
    const reason = reader.stale[i] === 1 ? IGNORED_STALE : !Number.isFinite(value) ? IGNORED_NAN : field === 0 ? IGNORED_MEMORY : -1;
    if (reason >= 0) {
      increment(root + ROOT_RECEIVED);
      increment(root + ROOT_IGNORED + reason * 8);
      continue;
    }
    const matchedBefore = f64.load(root + ROOT_MATCHED);
    const time = reader.timestamps[i] ?? 0;
    const entry = root + SCRATCH_AT;
    i32.store(entry, field);
    i32.store(entry + 4, SCRATCH_NUMBER);
    f64.store(entry + 8, value);
    addLine(root, 1, time);
    if (passed.asLines) passed.sample(field, reader.labels(), time, value);
    else passed.drain();
    if (matchedBefore === 0 && f64.load(root + ROOT_MATCHED) > 0) beginCompleteness(rules, time);
  }
}

function increment(at: number): void {
  f64.store(at, f64.load(at) + 1);
}

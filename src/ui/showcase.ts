// The few aggregates that the screen shows out of all that arrive. A row once shown keeps its place and changes its value:
// a screen that shuffles cannot be read. One series of each name comes first, in the order in which the names were first
// seen, then a second of each, and so on, so that however few are shown, they show most of what the rules do. Series of a
// name stand in the order of their labels.
import type { Aggregate } from "./screen.js";

/** A series as a remote-write request carries it: labels with __name__, samples oldest first. */
export interface ArrivedSeries {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly samples: readonly { readonly timestamp: number; readonly value: number }[];
}

export interface Showcase {
  add(series: readonly ArrivedSeries[]): void;
  /** At most `count` aggregates with their newest values. */
  pick(count: number, nowMs: number): Aggregate[];
}

interface Exhibit {
  /** The labels as text: what the series of a name are sorted by. */
  readonly key: string;
  readonly labels: readonly (readonly [string, string])[];
  timestamp: number;
  value: number;
}

const NAMES_MAX = 64;
const SERIES_PER_NAME_MAX = 256;

export function createShowcase(): Showcase {
  /** name -> its series' newest samples, sorted by key. Bounded by the two limits; what comes later is not shown. */
  const exhibits = new Map<string, Exhibit[]>();
  return {
    add(series) {
      for (const { labels, samples } of series) {
        const sample = samples.at(-1);
        const name = labels.find(([key]) => key === "__name__")?.[1];
        if (sample !== undefined && name !== undefined) put(exhibits, name, labels, sample);
      }
    },
    pick(count, nowMs) {
      const picked: Aggregate[] = [];
      for (let turn = 0; turn < SERIES_PER_NAME_MAX && picked.length < count; turn++) {
        for (const [name, ofName] of exhibits) {
          const exhibit = ofName[turn];
          if (exhibit === undefined || picked.length >= count) continue;
          picked.push({ name, labels: exhibit.labels, value: exhibit.value, ageSeconds: (nowMs - exhibit.timestamp) / 1000 });
        }
      }
      return picked;
    },
  };
}

function put(
  exhibits: Map<string, Exhibit[]>,
  name: string,
  labels: readonly (readonly [string, string])[],
  { timestamp, value }: { readonly timestamp: number; readonly value: number },
): void {
  let ofName = exhibits.get(name);
  if (ofName === undefined) {
    if (exhibits.size >= NAMES_MAX) return;
    ofName = [];
    exhibits.set(name, ofName);
  }
  const key = JSON.stringify(labels);
  const at = ofName.findIndex((exhibit) => exhibit.key >= key);
  const held = ofName[at];
  if (held?.key === key) {
    held.timestamp = timestamp;
    held.value = value;
  } else if (ofName.length < SERIES_PER_NAME_MAX) {
    const shown = labels.filter(([label]) => label !== "__name__");
    ofName.splice(at === -1 ? ofName.length : at, 0, { key, labels: shown, timestamp, value });
  }
}

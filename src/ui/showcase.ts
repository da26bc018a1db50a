// The few aggregates that the screen shows out of all that arrive. A row once shown keeps its place and changes its value:
// a screen that shuffles cannot be read. One series of each name comes first, in the order in which the names were first
// seen, then a second of each, and so on, so that however few are shown, they show most of what the rules do.
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
  readonly labels: readonly (readonly [string, string])[];
  timestamp: number;
  value: number;
}

const NAMES_MAX = 64;
const SERIES_PER_NAME_MAX = 16;

export function createShowcase(): Showcase {
  /** name -> labels as text -> its newest sample. Bounded by the two limits; what comes later is not shown. */
  const exhibits = new Map<string, Map<string, Exhibit>>();
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
          const exhibit = [...ofName.values()][turn];
          if (exhibit === undefined || picked.length >= count) continue;
          picked.push({ name, labels: exhibit.labels, value: exhibit.value, ageSeconds: (nowMs - exhibit.timestamp) / 1000 });
        }
      }
      return picked;
    },
  };
}

function put(
  exhibits: Map<string, Map<string, Exhibit>>,
  name: string,
  labels: readonly (readonly [string, string])[],
  { timestamp, value }: { readonly timestamp: number; readonly value: number },
): void {
  let ofName = exhibits.get(name);
  if (ofName === undefined) {
    if (exhibits.size >= NAMES_MAX) return;
    ofName = new Map();
    exhibits.set(name, ofName);
  }
  const key = JSON.stringify(labels);
  const held = ofName.get(key);
  if (held !== undefined) {
    held.timestamp = timestamp;
    held.value = value;
  } else if (ofName.size < SERIES_PER_NAME_MAX) {
    ofName.set(key, { labels: labels.filter(([label]) => label !== "__name__"), timestamp, value });
  }
}

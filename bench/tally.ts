// What a side's rows say it aggregated, and whether two sides aggregated the same: the comparison of costs is void when they did not.
//
// Windows differ between the sides (each cuts time its own way), so what is compared is what windows add up to, per metric and
// group: count_samples summed (exact), sum_samples summed (floating point, so within 1e-9), max over all rows (exact), and which
// groups have quantiles and increases at all. Names are sanitised first: vmagent keeps the space of `queue depth`, Limpet does as Telegraf.
import { rowsOfBody } from "./receiver.js";

interface Totals {
  count: number;
  sum: number;
  max: number;
}

export interface Tally {
  /** By `metric{labels}`. */
  readonly totals: Map<string, Totals>;
  /** `output metric{labels}` of the other outputs that gave a row. */
  readonly others: Set<string>;
  rows: number;
}

const OUTPUT_NAME = /^(.+):\w+?_by_region_service_(\w+)$/;
const SUM_TOLERANCE = 1e-9;

/** Adds up all rows of the bodies. Throws on a row no rule asked for. */
export function tallyOf(bodies: readonly Uint8Array[]): Tally {
  const tally: Tally = { totals: new Map(), others: new Set(), rows: 0 };
  for (const body of bodies) {
    for (const { name, labels, value } of rowsOfBody(body)) {
      tally.rows++;
      const [, metric, output] = OUTPUT_NAME.exec(name) ?? [];
      if (metric === undefined || output === undefined) throw new Error(`received a row no rule asked for: ${name}{${labels}}`);
      addRow(tally, `${metric.replace(/[^a-zA-Z0-9_:]/g, "_")}{${labels}}`, output, value);
    }
  }
  return tally;
}

function addRow(tally: Tally, key: string, output: string, value: number): void {
  if (output !== "count_samples" && output !== "sum_samples" && output !== "max") {
    if (output !== "avg") tally.others.add(`${output} ${key}`);
    return;
  }
  const known = tally.totals.get(key);
  const totals = known ?? { count: 0, sum: 0, max: -Infinity };
  if (known === undefined) tally.totals.set(key, totals);
  if (output === "count_samples") totals.count += value;
  else if (output === "sum_samples") totals.sum += value;
  else totals.max = Math.max(totals.max, value);
}

/** All samples a side aggregated. */
export function samplesOf(tally: Tally): number {
  let samples = 0;
  for (const { count } of tally.totals.values()) samples += count;
  return samples;
}

/**
 * Takes the rows of string fields out of vmagent's tally (it counts a string as a sample of value 0; Limpet ignores strings).
 * Returns how many samples they were.
 */
export function takeStringFields(tally: Tally, field: string): number {
  let samples = 0;
  for (const [key, { count }] of tally.totals) {
    if (!key.includes(`_${field}{`)) continue;
    samples += count;
    tally.totals.delete(key);
  }
  return samples;
}

/** Every difference that matters, at most `limit` of them, as sentences. Empty: both aggregated the same. */
export function differences(limpet: Tally, vmagent: Tally, limit: number): string[] {
  const found: string[] = [];
  for (const key of new Set([...limpet.totals.keys(), ...vmagent.totals.keys()])) {
    const ours = limpet.totals.get(key);
    const theirs = vmagent.totals.get(key);
    if (ours === undefined || theirs === undefined) found.push(`${key}: only ${ours === undefined ? "vmagent" : "limpet"} has it`);
    else if (ours.count !== theirs.count) found.push(`${key}: limpet counted ${ours.count}, vmagent ${theirs.count}`);
    else if (Math.abs(ours.sum - theirs.sum) > SUM_TOLERANCE * Math.abs(theirs.sum))
      found.push(`${key}: limpet's sum is ${ours.sum}, vmagent's ${theirs.sum}`);
    else if (ours.max !== theirs.max) found.push(`${key}: limpet's max is ${ours.max}, vmagent's ${theirs.max}`);
  }
  for (const key of new Set([...limpet.others, ...vmagent.others])) {
    if (limpet.others.has(key) !== vmagent.others.has(key)) found.push(`${key}: only ${limpet.others.has(key) ? "limpet" : "vmagent"} has a row`);
  }
  return found.slice(0, limit);
}

// The workload every end-to-end number is measured on: line protocol as a fleet of Telegraf agents sends it. Deterministic in its seed.
//
// Shape (at 100k series): 193 bytes and 4.36 fields per line; 28 series per host; 500 services in 8 regions, each group of a rule
// `by: [region, service]` made of several hosts. Each round every series sends one line; hosts come in a new random order each
// round, the series of a host in the same order: so does a Telegraf batch. `shuffle` removes even that order.
//
// Time: a line keeps its time as an offset from the workload's start; stampTimes() writes real times into the bytes just before a
// run, because an aggregator with event-time windows must see them as they arrive in life: about now, not late, not in the future.

export interface WorkloadOptions {
  readonly lines: number;
  readonly series: number;
  readonly seed: number;
  /** Event time from one round to the next. */
  readonly roundMs: number;
  /** Gauges with all their digits (0.1 + 0.2 style) in place of 6 decimals: parsing them is the costly case. */
  readonly fullPrecision: boolean;
  /** Every round in random order of lines, not of hosts: worst case for caches that guess the next series. */
  readonly shuffle: boolean;
}

export interface Workload {
  readonly options: WorkloadOptions;
  /** Whole lines, each ending in LF. stampTimes() rewrites the times in place. */
  readonly bytes: Buffer;
  /** Offset in `bytes` just after each line's LF. */
  readonly lineEnds: Uint32Array;
  /** Each line's time after the workload's start, ms. */
  readonly offsetsMs: Int32Array;
  /** Index just after the last line of each round. */
  readonly roundEnds: readonly number[];
  /** Fields an aggregator must count: numbers and booleans. */
  readonly numericFields: number;
  /** Fields Limpet ignores and vmagent counts as a sample of value 0. */
  readonly stringFields: number;
}

const REGIONS = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-south-1", "ap-northeast-1", "sa-east-1", "ca-central-1"];
const SERVICE_WORDS = (
  "checkout payment cart search inventory auth profile gateway shipping recommend catalog billing notify " +
  "session image report ledger fraud pricing promo review order stock route mail"
).split(" ");
const SERVICES = 500;
const ROLES = ["web", "api", "db", "worker", "cache"];
const METHODS = ["GET", "POST", "PUT", "DELETE"];
const STATUSES = ["200", "201", "204", "301", "400", "404", "500", "503"];
/** `1763870000000` and six more digits: nanoseconds as text. */
const TIME_DIGITS = 19;
const MS_DIGITS = 13;

type Kind = "cpu" | "http" | "counter" | "latency" | "queue";
type Random = () => number;

interface SimulatedSeries {
  /** `measurement,tag=value,...` */
  readonly key: string;
  readonly kind: Kind;
  /** Running value of its counters. */
  total: number;
  readonly latencyMs: number;
}

/** Mulberry32: a small, fast generator in [0, 1); quality is ample for test data. */
function randomOf(seed: number): Random {
  let state = Math.imul(seed, 0x9e3779b1) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function pick<T>(from: readonly T[], index: number): T {
  const chosen = from[index % from.length];
  if (chosen === undefined) throw new Error("pick from an empty list");
  return chosen;
}

function service(index: number): string {
  return `${pick(SERVICE_WORDS, index)}-${String(Math.floor((index % SERVICES) / SERVICE_WORDS.length)).padStart(2, "0")}`;
}

export const SERVICE_NAMES: readonly string[] = Array.from({ length: SERVICES }, (_, index) => service(index));

/** The 28 series of one host: 8 CPUs, and for each of 2 pods 6 request, 2 counter, 1 latency and 1 queue series. */
function hostKeys(host: number, random: Random): { kind: Kind; key: string }[] {
  const hex = (digits: number): string =>
    Math.floor(random() * 16 ** digits)
      .toString(16)
      .padStart(digits, "0");
  const region = pick(REGIONS, host * 7 + Math.floor(random() * 2));
  const ofService = service(host);
  const hostName = `${pick(ROLES, host)}-${String(host).padStart(4, "0")}`;
  const keys: { kind: Kind; key: string }[] = [];
  for (let cpu = 0; cpu < 8; cpu++) keys.push({ kind: "cpu", key: `cpu,cpu=cpu${cpu},host=${hostName},region=${region},service=${ofService}` });
  for (let pod = 0; pod < 2; pod++) {
    const tags = `host=${hostName},pod=${ofService}-${hex(6)}-${hex(5)},region=${region},service=${ofService}`;
    for (let i = 0; i < 6; i++) {
      const method = pick(METHODS, Math.floor(i / 3) + pod * 2);
      keys.push({ kind: "http", key: `http_requests,${tags},method=${method},status=${pick(STATUSES, (i % 3) * 3 + pod)}` });
    }
    const app = `app_${ofService.replace("-", "_")}`;
    keys.push({ kind: "counter", key: `${app}_jobs,${tags},queue=default` }, { kind: "counter", key: `${app}_cache,${tags},tier=l1` });
    keys.push({ kind: "latency", key: `rpc_latency,${tags},peer=${service(Math.floor(random() * SERVICES))}` });
    keys.push({ kind: "queue", key: `queue\\ depth,${tags}` });
  }
  return keys;
}

/** The fields of a series' next line, and advances its counters. */
function nextFields(series: SimulatedSeries, random: Random, fullPrecision: boolean): string {
  const below = (limit: number): number => Math.floor(random() * limit);
  const exponential = (): number => series.latencyMs * (0.3 - Math.log(1 - random()));
  switch (series.kind) {
    case "cpu": {
      const digits = (value: number): string => (fullPrecision ? String(value) : value.toFixed(6));
      const user = random() * 60;
      const system = random() * 20;
      const wait = random() * 5;
      return (
        `usage_user=${digits(user)},usage_system=${digits(system)},usage_idle=${digits(100 - user - system - wait)},usage_nice=0,` +
        `usage_iowait=${digits(wait)},usage_irq=0,usage_softirq=${digits(random() * 0.5)},usage_steal=0,usage_guest=0,usage_guest_nice=0`
      );
    }
    case "http":
      series.total += below(200);
      return `count=${series.total}i,duration_ms=${exponential().toFixed(2)}`;
    case "counter":
      series.total += below(50);
      return `total=${series.total}i,errors=${Math.floor(series.total / 50)}i,ratio=${random().toFixed(4)}`;
    case "latency":
      return `duration_ms=${exponential()}`;
    case "queue":
      return `depth=${below(5000)}i,ok=${random() < 0.95 ? "true" : "false"}${random() < 0.1 ? ',state="idle, \\"x\\" y"' : ""}`;
  }
}

/** Numeric fields of a line of this kind; the string `state` is counted apart. */
const NUMERIC_FIELDS: Readonly<Record<Kind, number>> = { cpu: 10, http: 2, counter: 3, latency: 1, queue: 2 };

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const order = [...list];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const moved = pick(order, i);
    order[i] = pick(order, j);
    order[j] = moved;
  }
  return order;
}

function makeHosts(seriesCount: number, random: Random): SimulatedSeries[][] {
  const hosts: SimulatedSeries[][] = [];
  for (let made = 0; made < seriesCount; ) {
    const keys = hostKeys(hosts.length, random).slice(0, seriesCount - made);
    hosts.push(keys.map(({ kind, key }) => ({ kind, key, total: 1000 + Math.floor(random() * 1e6), latencyMs: 5 + random() * 200 })));
    made += keys.length;
  }
  return hosts;
}

/** Makes the workload in memory: about 200 bytes and 8 bytes of index per line. Times are zeros until stampTimes(). */
export function makeWorkload(options: WorkloadOptions): Workload {
  const random = randomOf(options.seed);
  const hosts = makeHosts(options.series, random);
  const units = options.shuffle ? hosts.flat().map((series) => [series]) : hosts;
  const lineEnds = new Uint32Array(options.lines);
  const offsetsMs = new Int32Array(options.lines);
  const roundEnds: number[] = [];
  const chunks: Buffer[] = [];
  let text: string[] = [];
  let line = 0;
  let bytes = 0;
  let numericFields = 0;
  let stringFields = 0;
  while (line < options.lines) {
    for (const unit of shuffled(units, random)) {
      // One time for the lines of a host, as one Telegraf collection has; 0.9 of the round, so that a round ends before the next begins.
      const offsetMs = roundEnds.length * options.roundMs + Math.floor(random() * 0.9 * options.roundMs);
      const time = "0".repeat(MS_DIGITS) + String(Math.floor(random() * 1e6)).padStart(TIME_DIGITS - MS_DIGITS, "0");
      for (const series of unit.slice(0, options.lines - line)) {
        const fields = nextFields(series, random, options.fullPrecision);
        const lineText = `${series.key} ${fields} ${time}\n`;
        text.push(lineText);
        bytes += lineText.length; // ASCII only
        numericFields += NUMERIC_FIELDS[series.kind];
        if (fields.endsWith('"')) stringFields++;
        lineEnds[line] = bytes;
        offsetsMs[line] = offsetMs;
        line++;
      }
      if (text.length > 10_000 || line === options.lines) {
        chunks.push(Buffer.from(text.join(""), "latin1"));
        text = [];
      }
      if (line === options.lines) break;
    }
    roundEnds.push(line);
  }
  return { options, bytes: Buffer.concat(chunks), lineEnds, offsetsMs, roundEnds, numericFields, stringFields };
}

/** Writes every line's time as `startMs` + its offset. `startMs` is whole milliseconds of 13 digits (years 2001 to 2286). */
export function stampTimes(workload: Workload, startMs: number): void {
  const { bytes, lineEnds, offsetsMs } = workload;
  for (let line = 0; line < lineEnds.length; line++) {
    let rest = startMs + (offsetsMs[line] ?? 0);
    let at = (lineEnds[line] ?? 0) - 1 - (TIME_DIGITS - MS_DIGITS);
    for (let digit = 0; digit < MS_DIGITS; digit++) {
      const tenth = Math.floor(rest / 10);
      bytes[--at] = 48 + (rest - tenth * 10);
      rest = tenth;
    }
  }
}

/** The bytes of lines [from, to): a view, valid as long as the workload. */
export function linesOf(workload: Workload, from: number, to: number): Buffer {
  const start = from === 0 ? 0 : (workload.lineEnds[from - 1] ?? 0);
  return workload.bytes.subarray(start, to === 0 ? 0 : workload.lineEnds[to - 1]);
}

// The ledger of `limpet up`: what went in, where every sample went, what came out, and whether it adds up.
// The aggregator counts (its status and its last line of stdout carry the same object); the generator's and the embedded
// receiver's own counts are held against it. Source of the equations: ARCHITECTURE, "conservation at rest".
import { z } from "zod";

const counts = z.record(z.string(), z.number());

/** The `ledger` object of an aggregator. Unknown keys are left alone: it may count more than is shown. */
export const aggregatorLedgerSchema = z.object({
  lines_read: z.number(),
  lines_invalid: z.number(),
  samples_received: z.number(),
  samples_matched: z.number(),
  samples_ignored: counts,
  pairs_matched: z.number(),
  pairs_applied: z.number(),
  pairs_duplicate: z.number(),
  pairs_ignored: counts,
  pairs_rejected: z.number(),
  pairs_pending: z.number(),
  pairs_dropped: counts,
  rows_sent: z.number(),
  rows_stored: z.number(),
  rows_conflict: z.number(),
  rows_moved: z.number().default(0),
  rows_arrived: z.number().default(0),
  series: z.number(),
  groups: z.number(),
  windows_flushed: z.number(),
  lines_dropped: counts.default({}),
  moves_out: z.number().default(0),
  pauses_ms: z.array(z.number()).default([]),
});

export type AggregatorLedger = z.infer<typeof aggregatorLedgerSchema>;

/** One law of conservation with its numbers: `total` must be the sum of `parts`. */
export interface Equation {
  readonly total: readonly [name: string, count: number];
  readonly parts: readonly (readonly [name: string, count: number])[];
}

/** What this process counted itself. */
export interface Witness {
  readonly linesSent: number;
  /** Rows in the embedded receiver; undefined when rows went to another TSDB. */
  readonly rowsReceived: number | undefined;
  readonly seconds: number;
}

export function equationsOf(ledger: AggregatorLedger, witness: Witness): Equation[] {
  const equations: Equation[] = [
    { total: ["lines sent", witness.linesSent], parts: [["lines read", ledger.lines_read]] },
    {
      total: ["samples received", ledger.samples_received],
      parts: [
        ["matched", ledger.samples_matched],
        ["ignored", sumOf(ledger.samples_ignored)],
      ],
    },
    {
      total: ["pairs matched", ledger.pairs_matched],
      parts: [
        ["applied", ledger.pairs_applied],
        ["duplicate", ledger.pairs_duplicate],
        ["ignored", sumOf(ledger.pairs_ignored)],
        ["rejected", ledger.pairs_rejected],
        ["dropped", sumOf(ledger.pairs_dropped)],
        ["pending", ledger.pairs_pending],
      ],
    },
    {
      total: ["rows sent", ledger.rows_sent],
      parts: [
        ["stored", ledger.rows_stored],
        ["conflict", ledger.rows_conflict],
      ],
    },
  ];
  // Rows that left with their slice came with it to another one.
  if (ledger.rows_moved + ledger.rows_arrived > 0)
    equations.push({ total: ["rows moved", ledger.rows_moved], parts: [["rows arrived", ledger.rows_arrived]] });
  const lost = sumOf(ledger.lines_dropped);
  if (lost > 0) equations.push({ total: ["lines lost", lost], parts: [["allowed", 0]] });
  if (witness.rowsReceived !== undefined) {
    equations.push({ total: ["rows stored", ledger.rows_stored], parts: [["rows in the receiver", witness.rowsReceived]] });
  }
  return equations;
}

export function isClosed(equation: Equation): boolean {
  return equation.total[1] === equation.parts.reduce((sum, [, count]) => sum + count, 0);
}

/** What happened to the cluster during the run. */
export interface ClusterFacts {
  /** Slices that went from one aggregator to another before the end. */
  readonly moves: number;
  readonly generations: number;
  readonly aggregatorsStarted: number;
}

/** Without an assigner nothing moves and there are no generations. */
const ALONE: ClusterFacts = { moves: 0, generations: 0, aggregatorsStarted: 1 };

/** The object of `up --json`; CONTRACT fixes its keys. */
export function ledgerJson(ledger: AggregatorLedger, witness: Witness, cluster: ClusterFacts = ALONE): Record<string, unknown> {
  return {
    seconds: witness.seconds,
    lines_sent: witness.linesSent,
    lines_invalid: ledger.lines_invalid,
    samples_received: ledger.samples_received,
    samples_matched: ledger.samples_matched,
    samples_ignored: ledger.samples_ignored,
    pairs_matched: ledger.pairs_matched,
    pairs_applied: ledger.pairs_applied,
    pairs_duplicate: ledger.pairs_duplicate,
    pairs_ignored: ledger.pairs_ignored,
    pairs_rejected: ledger.pairs_rejected,
    pairs_pending: ledger.pairs_pending,
    pairs_dropped: ledger.pairs_dropped,
    rows_sent: ledger.rows_sent,
    rows_stored: ledger.rows_stored,
    rows_conflict: ledger.rows_conflict,
    moves: cluster.moves,
    pause_ms_p99: p99(ledger.pauses_ms),
    generations: cluster.generations,
    aggregators_started: cluster.aggregatorsStarted,
    closes: equationsOf(ledger, witness).every(isClosed),
  };
}

export function sumOf(byReason: Readonly<Record<string, number>>): number {
  return Object.values(byReason).reduce((sum, count) => sum + count, 0);
}

/** 0 of none. */
function p99(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round((sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0) * 10) / 10;
}

/** Everything of several aggregators; undefined of none. */
export function sumLedgers(ledgers: readonly AggregatorLedger[]): AggregatorLedger | undefined {
  return ledgers.length === 0 ? undefined : ledgers.reduce(add);
}

function add(a: AggregatorLedger, b: AggregatorLedger): AggregatorLedger {
  return {
    lines_read: a.lines_read + b.lines_read,
    lines_invalid: a.lines_invalid + b.lines_invalid,
    samples_received: a.samples_received + b.samples_received,
    samples_matched: a.samples_matched + b.samples_matched,
    samples_ignored: addCounts(a.samples_ignored, b.samples_ignored),
    pairs_matched: a.pairs_matched + b.pairs_matched,
    pairs_applied: a.pairs_applied + b.pairs_applied,
    pairs_duplicate: a.pairs_duplicate + b.pairs_duplicate,
    pairs_ignored: addCounts(a.pairs_ignored, b.pairs_ignored),
    pairs_rejected: a.pairs_rejected + b.pairs_rejected,
    pairs_pending: a.pairs_pending + b.pairs_pending,
    pairs_dropped: addCounts(a.pairs_dropped, b.pairs_dropped),
    rows_sent: a.rows_sent + b.rows_sent,
    rows_stored: a.rows_stored + b.rows_stored,
    rows_conflict: a.rows_conflict + b.rows_conflict,
    rows_moved: a.rows_moved + b.rows_moved,
    rows_arrived: a.rows_arrived + b.rows_arrived,
    series: a.series + b.series,
    groups: a.groups + b.groups,
    windows_flushed: a.windows_flushed + b.windows_flushed,
    lines_dropped: addCounts(a.lines_dropped, b.lines_dropped),
    moves_out: a.moves_out + b.moves_out,
    pauses_ms: [...a.pauses_ms, ...b.pauses_ms],
  };
}

/** By reason. */
export function addCounts(a: Readonly<Record<string, number>> = {}, b: Readonly<Record<string, number>> = {}): Record<string, number> {
  const sum: Record<string, number> = { ...a };
  for (const [reason, count] of Object.entries(b)) sum[reason] = (sum[reason] ?? 0) + count;
  return sum;
}

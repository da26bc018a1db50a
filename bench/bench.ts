// What a benchmark is, and how one is timed.
//
// A `bench/<subject>.bench.ts` file exports one or more Bench objects under any names. bench/run.ts times them;
// test/bench/smoke.test.ts runs each of them once, tiny, so that they cannot rot.
//
// Timing: `run` is called once untimed (it may build and keep its input then), then `repeats` times timed. Several benches are
// interleaved round by round (A B C A B C ...), so that a slow phase of the machine hits all of them. The median is the
// result; the spread says how far to trust it.

export interface BenchResult {
  /** How many units one run did; 0 is an error: nothing was measured. */
  readonly ops: number;
  /** What one op is: "row", "byte", "line". */
  readonly unit: string;
}

export interface Bench {
  /** `subject: variant`; what the filter of `npm run bench -- FILTER` is looked for in. */
  readonly name: string;
  /**
   * Does the work once. `scale` multiplies the amount of work: 1 takes 50-500 ms, the smoke test uses 0.001.
   * Input is built on the first call for a scale and kept; later calls with the same scale only measure.
   */
  run(scale: number): BenchResult | Promise<BenchResult>;
  /** Ends what it keeps that would keep the process alive. After the last run. */
  close?(): Promise<void>;
}

export interface Timing {
  readonly name: string;
  readonly unit: string;
  /** Nanoseconds per op, of the clock given. */
  readonly nsMedian: number;
  readonly nsMin: number;
  readonly nsMax: number;
}

/** The middle value; the mean of the two middle ones when the count is even. NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Every Bench a module exports. Throws when there is none: a bench file that measures nothing is a mistake. */
export function benchesOf(file: string, exported: Readonly<Record<string, unknown>>): Bench[] {
  const benches = Object.values(exported).flat().filter(isBench);
  if (benches.length === 0) throw new Error(`${file}: exports no Bench; export const NAME: Bench = { name, run }`);
  return benches;
}

function isBench(value: unknown): value is Bench {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    typeof value.name === "string" &&
    "run" in value &&
    typeof value.run === "function"
  );
}

/** One checked run. Throws when the bench did nothing. */
export async function runOnce(bench: Bench, scale: number): Promise<BenchResult> {
  const result = await bench.run(scale);
  if (!(result.ops > 0)) throw new Error(`bench "${bench.name}" did ${result.ops} ${result.unit} ops at scale ${scale}: nothing was measured`);
  return result;
}

/** Warms every bench up, then times them interleaved. `nowNs` is the clock: wall or CPU time, never going back. */
export async function timeAll(benches: readonly Bench[], scale: number, repeats: number, nowNs: () => number): Promise<Timing[]> {
  const units: string[] = [];
  for (const bench of benches) units.push((await runOnce(bench, scale)).unit);
  const nsPerOp = benches.map((): number[] => []);
  for (let round = 0; round < repeats; round++) {
    for (const [i, bench] of benches.entries()) {
      const startNs = nowNs();
      const { ops } = await runOnce(bench, scale);
      nsPerOp[i]?.push((nowNs() - startNs) / ops);
    }
  }
  for (const bench of benches) await bench.close?.();
  return benches.map((bench, i) => {
    const times = nsPerOp[i] ?? [];
    return { name: bench.name, unit: units[i] ?? "", nsMedian: median(times), nsMin: Math.min(...times), nsMax: Math.max(...times) };
  });
}

// A tier of real processes, as an operator runs it: an assigner, aggregators that write to a real Prometheus, routers; and what one
// process would have made of the same lines, to compare with.
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "@jest/globals";
import type { Assignment } from "#limpet/slice/assignment.js";
import { decodeAssignment } from "#limpet/slice/assignmentWire.js";
import { type Prometheus, startPrometheus } from "../servers/prometheus.js";
import { Host, stopHosts, until } from "./host.js";

const READY_MS = 60_000;

export class Tier {
  readonly folder: string;
  readonly prometheus: Prometheus;
  assigner: Host;
  /** Where others find the assigner, when not at its own address. */
  assignerUrl: string | undefined;
  /** Those that are there, oldest first. */
  aggregators: Host[] = [];
  /** Of each aggregator that was stopped: the longest that one of its slices was frozen for a move. */
  readonly pausesMs: number[] = [];
  /** What each was started with, beside what all are. */
  readonly #started = new Map<Host, readonly string[]>();

  private constructor(folder: string, prometheus: Prometheus, assigner: Host) {
    this.folder = folder;
    this.prometheus = prometheus;
    this.assigner = assigner;
  }

  /** All of it, ready. */
  static async start({ rules, aggregators = 3 }: { readonly rules: string; readonly aggregators?: number }): Promise<Tier> {
    const folder = await mkdtemp(join(tmpdir(), "limpet-tier-"));
    await writeFile(join(folder, "rules.yaml"), rules);
    const prometheus = await startPrometheus();
    const tier = new Tier(folder, prometheus, await startAssigner(folder, "127.0.0.1:0"));
    const started = await Promise.all(Array.from({ length: aggregators }, () => tier.startAggregator()));
    await Promise.all(started.map(ready));
    return tier;
  }

  async end(): Promise<void> {
    stopHosts();
    await this.prometheus.stop();
    await rm(this.folder, { recursive: true });
  }

  /** One more aggregator, which listens; not waited for to be ready. */
  async startAggregator(...more: readonly string[]): Promise<Host> {
    const listen = more.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
    const host = new Host(
      ["aggregate", "--assigner", this.assignerUrl ?? this.assigner.url(""), "--sink", this.prometheus.remoteWriteUrl, ...listen, ...more],
      {
        stdin: "ignore",
      },
    );
    await host.saying("listening on");
    this.aggregators.push(host);
    this.#started.set(host, more);
    return host;
  }

  /** One more aggregator, ready. */
  async addAggregator(...more: readonly string[]): Promise<Host> {
    return ready(await this.startAggregator(...more));
  }

  /** Stops one aggregator as an operator does, and waits until it has handed on what it had. It must say no error. */
  async stopAggregator(host: Host): Promise<void> {
    const ended = await host.stop("SIGTERM");
    this.aggregators = this.aggregators.filter((other) => other !== host);
    const errors = host.stderr.split("\n").filter((line) => line.startsWith("E!"));
    expect([ended.code, errors]).toEqual([0, []]);
    const pause = /frozen for \d+ ms in the median, (\d+) ms at most/.exec(host.stderr)?.[1];
    if (pause !== undefined) this.pausesMs.push(Number(pause));
  }

  /** Starts the command of one that has ended again, at its address. */
  async startAgain(host: Host): Promise<Host> {
    const { host: address } = new URL(host.url(""));
    const more = (this.#started.get(host) ?? []).filter((_, i, all) => all[i] !== "--listen" && all[i - 1] !== "--listen");
    return this.startAggregator(...more, "--listen", address);
  }

  /** Stops one that was started with --data and --stay, starts it again, and waits until it is back. */
  async restartInPlace(host: Host): Promise<Host> {
    await this.stopAggregator(host);
    const back = await this.startAgain(host);
    await back.saying("back in place");
    return ready(back);
  }

  /** Takes everything off one, as an operator does who takes a machine away. */
  async drain(host: Host): Promise<void> {
    const { host: address } = new URL(host.url(""));
    const drain = new Host(["drain", address, "--assigner", this.assigner.url(""), "--wait"], { stdin: "ignore" });
    expect([(await drain.ended()).code, drain.stdout]).toEqual([0, expect.stringContaining("owns nothing any more")]);
  }

  /** Other rules, for windows that start at `fromMs` or later. Where the old ones are from then on. */
  async changeRules(rules: string, fromMs: number): Promise<string> {
    const [now, before] = [join(this.folder, "rules.yaml"), join(this.folder, "old.yaml")];
    await rename(now, before);
    await writeFile(now, rules);
    const answer = await fetch(this.assigner.url(`api/v1/rules?active_from_ms=${String(fromMs)}`), { method: "PUT" });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("rules")]);
    return before;
  }

  /** A router, ready. */
  async startRouter(name: string): Promise<Host> {
    const router = new Host(["route", "--assigner", this.assignerUrl ?? this.assigner.url(""), "--listen", "127.0.0.1:0", "--name", name], {
      stdin: "ignore",
    });
    await router.saying("listening on");
    return ready(router);
  }

  /** The assigner is stopped, stays away until `away` resolves, and comes back at its address. */
  async restartAssigner(away: () => Promise<unknown>): Promise<void> {
    const { host } = new URL(this.assigner.url(""));
    await this.assigner.stop("SIGTERM");
    await away();
    this.assigner = await startAssigner(this.folder, host);
  }

  /** The assigner's. */
  async assignment(): Promise<Assignment> {
    const assignment = decodeAssignment(await (await fetch(this.assigner.url("api/v1/assignment"))).text());
    if (!assignment.ok) throw new Error(assignment.error);
    return assignment.value;
  }

  /** Every value of every window of the last ten minutes up to a time, as `name{labels} time value`, sorted. `outputs`: of their names. */
  async stored(outputs: RegExp, untilMs: number): Promise<string[]> {
    const samples = await this.prometheus.query(`{__name__=~".*${outputs.source}.*"}[10m]`, Date.now() / 1000);
    return samples
      .filter(({ timeSec, value }) => Math.round(timeSec * 1000) <= untilMs && !Number.isNaN(value))
      .map(({ labels, timeSec, value }) => rowOf(labels, Math.round(timeSec * 1000), value))
      .sort();
  }

  /** What one process makes of the lines up to a time, as `stored` writes it. */
  async reference(lines: readonly string[], untilMs: number, rules = join(this.folder, "rules.yaml")): Promise<string[]> {
    const host = new Host(["replay", "--rules", rules, "--format", "json"]);
    for (const body of lines) await host.write(body);
    await host.stop("EOF");
    return host.stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { name: string; labels: Record<string, string>; timestamp: number; value: number })
      .filter(({ timestamp }) => timestamp <= untilMs)
      .map(({ name, labels, timestamp, value }) => rowOf({ ...labels, __name__: name }, timestamp, value))
      .sort();
  }

  /** The same where the rules changed: `before` for windows that start before `fromMs`, those in force for the others. */
  async referenceAcross(
    lines: readonly string[],
    untilMs: number,
    { before, fromMs, intervalMs }: { readonly before: string; readonly fromMs: number; readonly intervalMs: number },
  ): Promise<string[]> {
    const startOf = (row: string): number => Number(row.split(" ").at(-2)) - intervalMs;
    const old = await this.reference(lines, untilMs, before);
    const now = await this.reference(lines, untilMs);
    return [...old.filter((row) => startOf(row) < fromMs), ...now.filter((row) => startOf(row) >= fromMs)].sort();
  }
}

async function startAssigner(folder: string, listen: string): Promise<Host> {
  const host = new Host(
    ["assign", "--rules", join(folder, "rules.yaml"), "--listen", listen, "--store", `file:${join(folder, "store")}`, "--min-resources", "3"],
    { stdin: "ignore" },
  );
  return host.saying("assigner of cluster");
}

/** Waits until it says that it is ready. */
export async function ready(host: Host): Promise<Host> {
  await until(
    async () => (await host.page("/readyz").catch(() => ({ status: 0 }))).status === 200,
    () => `never ready:\n${host.stderr}`,
    READY_MS,
  );
  return host;
}

function rowOf(labels: Readonly<Record<string, string>>, timeMs: number, value: number): string {
  const series = Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => `${name}=${text}`)
    .join(",");
  return `${series} ${String(timeMs)} ${String(value)}`;
}

export interface Comparison {
  /** Of either, the first few. */
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  readonly rows: number;
}

/** Rows that stand in one of two lists only. Equal lists give no missing, no extra, and the number of `expected`. */
export function compareRows(got: readonly string[], expected: readonly string[]): Comparison {
  const [has, wants] = [new Set(got), new Set(expected)];
  const missing = expected.filter((row) => !has.has(row));
  const extra = got.filter((row) => !wants.has(row));
  return { missing: missing.slice(0, 5), extra: extra.slice(0, 5), rows: got.length };
}

/** Waits until Prometheus holds as many rows up to `untilMs` as expected, and compares all of them. */
export async function expectStored(
  tier: Tier,
  expected: readonly string[],
  about: { outputs: RegExp; untilMs: number; intervalMs: number },
): Promise<void> {
  const { outputs, untilMs, intervalMs } = about;
  // Cumulative series are born with a back-dated 0 (zero injection): what `replay` does not print.
  const isBirth = (row: string): boolean => Number(row.split(" ").at(-2)) % intervalMs !== 0;
  const values = async (): Promise<string[]> => (await tier.stored(outputs, untilMs)).filter((row) => !isBirth(row));
  await until(
    async () => (await values()).length >= expected.length,
    () => "rows are missing",
    30_000,
  ).catch(() => undefined);
  expect(compareRows(await values(), expected)).toEqual({ missing: [], extra: [], rows: expected.length });
}

// One built `limpet aggregate` that everything is done to while good lines come in: wrong requests, wrong lines, connections that say
// nothing, receivers that answer nonsense, a wall clock that is set. In the end it has aggregated exactly, its books balance, its
// memory is bounded and it stops as ever. What it says to each is in http.txt, lines.txt and sinks.txt.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Host, stopHosts, until } from "../e2e/host.js";
import { readCases } from "./cases.js";
import { type EvilReceiver, startEvilReceiver } from "./evilReceiver.js";
import { expand } from "./macros.js";
import { exchange, requestBytes } from "./rawHttp.js";

const PRELOAD = new URL("stepClock.mjs", import.meta.url).pathname;
/** Resident memory; the largest bodies are 4 at a time, 32 MiB sent and 32 MiB unpacked each. */
const RESIDENT_MIB_MAX = 600;
const RULES = `
- {name: good, match: good, interval: 1s, grace: 2s, by: [door], outputs: [sum_samples, count_samples]}
- {name: abused, match: '{__name__=~"abuse.*"}', interval: 1s, grace: 1s, by: [a], outputs: [sum_samples]}
`;

const http = readCases("http.txt");
const lines = readCases("lines.txt");
const sinks = readCases("sinks.txt");
const pathOf = (name: string): string => `/${name.replace(/[^a-zA-Z0-9]+/g, "-")}`;

let folder = "";
let host: Host;
let port = 0;
let receiver: EvilReceiver;
const halfOpen: Socket[] = [];
/** Good samples sent, by door. */
const sent = { stdin: 0, http: 0 };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "limpet-misuse-"));
  writeFileSync(join(folder, "rules.yaml"), RULES);
  writeFileSync(join(folder, "token"), "secret\n");
  receiver = await startEvilReceiver(new Map(sinks.cases.map(({ name, input }) => [pathOf(name), input])));
  const urls = sinks.cases.flatMap(({ name }) => ["--sink", `http://127.0.0.1:${String(receiver.port)}${pathOf(name)}`]);
  const fixed = ["--rules", "rules.yaml", "--listen", "127.0.0.1:0", "--token-file", "token", "--data", "data", "--sink", "file:rows", ...urls];
  host = new Host(["aggregate", ...fixed, "--sink-queue-max", "1MiB"], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", NODE_OPTIONS: `--import ${PRELOAD}` },
  });
  await host.ready();
  port = Number(/listening on \S+:(\d+)/.exec(host.stdout + host.stderr)?.[1]);
  for (let i = 0; i < 200; i++) halfOpen.push(connect(port, "127.0.0.1").on("error", () => undefined));
}, 30_000);

afterAll(() => {
  for (const socket of halfOpen) socket.destroy();
  stopHosts();
  receiver.close();
  for (const file of [http, lines, sinks]) file.close();
  rmSync(folder, { recursive: true });
});

/** A good line by each door, between everything else. */
async function sendGood(): Promise<void> {
  sent.stdin++;
  await host.write(`good,door=stdin value=${String(sent.stdin)}\n`);
  const answer = await fetch(`http://127.0.0.1:${String(port)}/write?p=secret`, {
    method: "POST",
    body: `good,door=http value=${String(++sent.http)}\n`,
  });
  expect(answer.status).toBe(204);
}

describe("wrong requests", () => {
  const answers = new Map<string, Promise<string>>();
  const answerTo = (name: string, input: string): Promise<string> => {
    const known = answers.get(name) ?? exchange(port, requestBytes(input));
    answers.set(name, known);
    return known;
  };

  test.each(http.cases)(
    "$name",
    async ({ name, input }) => {
      // What takes long is begun with the first.
      for (const slow of http.cases) if (slow.input.includes("<wait>")) void answerTo(slow.name, slow.input);
      const answer = await answerTo(name, input);
      http.check(name, answer);
      await sendGood();
    },
    30_000,
  );
});

describe("wrong lines", () => {
  test.each(lines.cases)("$name", async ({ name, input }) => {
    const request = `POST /write HTTP/1.1\nhost: limpet\nauthorization: Token secret\ncontent-length: <length>\n\n${input}`;
    const answer = await exchange(port, requestBytes(request));
    lines.check(name, /x-influxdb-error: .*lines are not line protocol; (.*)/.exec(answer)?.[1] ?? answer);
    // On standard input, too; an open quote would take the good lines behind it.
    if (!input.includes('"')) await host.write(`${expand(input)}\n`);
  });
});

interface SinkStatus {
  readonly name: string;
  readonly stored: number;
  readonly unknown: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly queueRows: number;
}

async function sinkStatus(): Promise<ReadonlyMap<string, SinkStatus>> {
  // The status page's own shape; a missing field shows in the comparison.
  const page = JSON.parse((await host.page("/api/v1/status")).text) as { sinks: SinkStatus[] };
  return new Map(page.sinks.map((status) => [status.name, status]));
}

function fateOf({ stored, dropped, queueRows }: SinkStatus): string {
  if (stored > 0) return "stored";
  const reasons = Object.keys(dropped);
  return reasons.length > 0 ? `dropped ${reasons.join(", ")}` : queueRows > 0 ? "waiting" : "nothing";
}

/** The first thing said of a sink, with the numbers that differ from run to run left out. */
function saidOf(url: string): string {
  const line = host.stderr.split("\n").find((text) => text.includes(`sink ${url}:`)) ?? "";
  return line
    .replace(url, "URL")
    .replace(/[\d,]+ rows? queued \(.*?\)/, "N rows queued")
    .replace(/[\d,]+ rows?/, "N rows")
    .replace(/retrying in .*?;/, "retrying;");
}

describe("wrong receivers", () => {
  test.each(sinks.cases)(
    "$name",
    async ({ name }) => {
      const url = `http://127.0.0.1:${String(receiver.port)}${pathOf(name)}`;
      let status: SinkStatus | undefined;
      await until(
        async () => {
          status = (await sinkStatus()).get(url);
          const fate = status === undefined ? "" : fateOf(status);
          return fate === "stored" || name.startsWith("never") || saidOf(url) !== "";
        },
        () => `nothing became of the rows: ${JSON.stringify(status)}\n${host.stderr}`,
        20_000,
      );
      sinks.check(name, status === undefined ? "" : `${fateOf(status)}\n${saidOf(url)}`);
    },
    30_000,
  );
});

function saying(text: RegExp): Promise<void> {
  return until(
    () => text.test(host.stderr),
    () => `never said ${String(text)}:\n${host.stderr}`,
  );
}

describe("wrong everything else", () => {
  test("wall clock an hour forward, then two back -> reported, windows go on by the clock of the start", async () => {
    host.child.kill("SIGUSR2");
    await saying(/the wall clock stepped by 3(60|59)\d{4} ms; windows keep following the clock of the start of this process\n/);
    await sendGood();
    host.child.kill("SIGUSR1");
    await saying(/the wall clock stepped by -3(60|59)\d{4} ms/);
    await sendGood();
  });

  test("a second process on its --data -> refused by name", async () => {
    const second = new Host(["aggregate", "--rules", "rules.yaml", "--data", "data", "--sink", "stdout:"], { cwd: folder });
    expect((await second.ended()).code).toBe(2);
    expect(second.stderr).toBe(
      `E! --data data: data: in use by process ${String(host.child.pid)}; give each limpet its own --data folder, or stop that process\n`,
    );
  });

  test("signals that Telegraf can be told to send, rules that are wrong at SIGHUP -> it goes on", async () => {
    for (const signal of ["SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGINT"] as const) host.child.kill(signal);
    writeFileSync(join(folder, "rules.yaml"), "- {match: good, interval: 7x}\n");
    host.child.kill("SIGHUP");
    await host.saying("the old rules go on; `limpet check` shows them all");
    await sendGood();
  });
});

describe("after all of it", () => {
  test("every good sample is in the rows once, the books balance, memory is bounded, the stop is clean", async () => {
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(host.child.pid)}/status`, "utf8"))?.[1]) / 1024;
    expect(peak).toBeLessThan(RESIDENT_MIB_MAX);
    const received = await host.metric("limpet_samples_received_total");
    expect(received).toBe((await host.metric("limpet_samples_matched_total")) + (await host.metric("limpet_samples_ignored_total")));
    for (const rule of ['rule="good"', 'rule="abused"']) {
      const matched = await host.metric("limpet_rule_pairs_matched_total", rule);
      const fates = ["applied", "ignored", "dropped"].map((fate) => host.metric(`limpet_rule_pairs_${fate}_total`, rule));
      expect((await Promise.all(fates)).reduce((sum, count) => sum + count, 0)).toBe(matched);
    }
    const counted = (door: keyof typeof sent): number => rowsOf("good:1s_by_door_count_samples", door).reduce((sum, value) => sum + value, 0);
    await until(
      () => counted("http") === sent.http && counted("stdin") === sent.stdin,
      () => `sent ${JSON.stringify(sent)}, in the rows ${String(counted("http"))} and ${String(counted("stdin"))}`,
    );
    expect(await host.stop()).toMatchObject({ code: 0 });
    for (const door of ["stdin", "http"] as const) {
      const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
      expect(sum(rowsOf("good:1s_by_door_count_samples", door))).toBe(sent[door]);
      expect(sum(rowsOf("good:1s_by_door_sum_samples", door))).toBe((sent[door] * (sent[door] + 1)) / 2);
    }
    expect(host.stderr).not.toMatch(/broken invariant|internal error/);
  }, 30_000);
});

function rowsOf(name: string, door: string): number[] {
  return readFileSync(join(folder, "rows"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { name: string; labels: Record<string, string>; value: number })
    .filter((row) => row.name === name && row.labels["door"] === door)
    .map(({ value }) => value);
}

// `limpet route` as a process, beside a real assigner and owners that answer by the protocol.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { BatchOwner } from "./batchOwner.js";
import { Host, stopHosts, until } from "./host.js";

const RULES = "- { match: '{__name__=~\"cpu_.*\"}', interval: 10s, by: [host], outputs: [sum_samples] }\n";
let folder: string;
let assigner: string;
let owners: BatchOwner[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "limpet-route-"));
  await writeFile(join(folder, "rules.yaml"), RULES);
  const host = new Host(["assign", "--rules", join(folder, "rules.yaml"), "--listen", "127.0.0.1:0", "--lease", "1s", "--min-resources", "2"]);
  await host.saying("assigner of cluster");
  assigner = urlOf(host);
  owners = [await BatchOwner.start(assigner), await BatchOwner.start(assigner)];
});

afterEach(async () => {
  stopHosts();
  await Promise.all(owners.map((owner) => owner.stop()));
  await rm(folder, { recursive: true });
});

function urlOf(host: Host): string {
  return /listening on (\S+)/.exec(host.stdout + host.stderr)?.[1] ?? "";
}

function route(...more: readonly string[]): Host {
  return new Host(["route", "--assigner", assigner, "--listen", "127.0.0.1:0", "--name", "r", ...more]);
}

async function gateway(...more: readonly string[]): Promise<{ readonly host: Host; readonly url: string }> {
  const host = new Host(["route", "--assigner", assigner, "--listen", "127.0.0.1:0", "--name", "r", ...more], { stdin: "ignore" });
  await host.saying("assigner http");
  const url = urlOf(host);
  await until(
    async () => (await fetch(`${url}/readyz`)).status === 200,
    () => `never ready: ${host.stderr}`,
    30_000,
  );
  return { host, url };
}

const line = (i: number): string => `cpu,host=h${String(i)} x=${String(i)} 1763870000${String(i).padStart(9, "0")}`;
const lines = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => line(from + i));

function held(): string[] {
  return [...new Set(owners.flatMap((owner) => [...owner.lines]))].sort();
}

describe("limpet route", () => {
  it("standard input -> each line at the owner of its group, rules offered, goodbye said, exit 0", async () => {
    const host = route();
    await host.saying("reading standard input");
    const sent = lines(0, 3000);
    await host.write(`${sent.slice(0, 1500).join("\n")}\nnot a line\nmem,host=a x=1\n`);
    await host.write(`${sent.slice(1500).join("\n")}\n`);
    await until(
      async () => (await host.page("/readyz")).status === 200,
      () => `never ready: ${host.stderr}`,
      30_000,
    );
    const ended = await host.stop();
    expect([ended.code, host.stderr]).toEqual([0, expect.stringContaining("line 1501, column")]);
    expect(host.stdout + host.stderr).toContain("stopped: read 3002 lines, undelivered 0");
    expect(held()).toEqual([...sent].sort());
    for (const owner of owners) {
      expect(owner.lines.size).toBeGreaterThan(500);
      expect([owner.rulesOffered, owner.goodbyes > 0]).toEqual([1, true]);
    }
    // One group per line: nobody got what is not his.
    expect(owners.reduce((sum, owner) => sum + owner.lines.size, 0)).toBe(3000);
  });

  it("an owner dies -> its lines reach whoever gets its slices; then SIGTERM loses nothing", async () => {
    const { host, url } = await gateway();
    const post = async (from: number, to: number): Promise<number> =>
      (await fetch(`${url}/api/v2/write?bucket=b`, { method: "POST", body: `${lines(from, to).join("\n")}\n` })).status;
    expect(await post(0, 500)).toBe(204);
    await until(
      () => held().length === 500,
      () => `${String(held().length)} lines arrived: ${host.stderr}`,
      30_000,
    );
    const [dying, heir] = owners as [BatchOwner, BatchOwner];
    await dying.stop();
    expect(await post(500, 1000)).toBe(204);
    await until(
      () => held().length === 1000,
      () => `${String(held().length)} lines arrived: ${host.stderr}`,
      30_000,
    );
    expect(heir.answers).toContain("applied");
    expect(await post(1000, 1200)).toBe(204);
    expect(await host.metric("limpet_samples_received_total")).toBe(1200);
    expect(await host.metric("limpet_batches_total", 'answer="applied"')).toBeGreaterThan(1);
    expect(await host.metric("limpet_batches_total", 'answer="failed"')).toBeGreaterThan(0);
    expect(await (await fetch(`${url}/api/v1/status`)).json()).toMatchObject({ ready: "yes", lanes: [{ owner: heir.address }] });
    expect((await host.stop("SIGTERM")).code).toBe(0);
    expect(held()).toHaveLength(1200);
  });

  it("nobody takes anything -> refused with 503 when full, and a stop says what is lost", async () => {
    const { host, url } = await gateway("--retention-max", "100000B", "--drain-deadline", "1s");
    await Promise.all(owners.map((owner) => owner.stop()));
    const statuses: number[] = [];
    for (let i = 0; i < 60 && !statuses.includes(503); i++) {
      const body = `${lines(i * 100, i * 100 + 100).join("\n")}\n`;
      statuses.push((await fetch(`${url}/write?db=d`, { method: "POST", body })).status);
    }
    expect([statuses[0], statuses.at(-1)]).toEqual([204, 503]);
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await host.stop("SIGTERM")).code).toBe(1);
    expect(host.stderr).toMatch(/\d+ lines could not be delivered and are lost/);
  });

  it.each([
    [["--assigner", "http://x", "--spool", "d"], "--spool d: this version keeps lines in memory only"],
    [[], "--assigner URL is missing"],
    [["--assigner", "x"], "--assigner x: http(s)://HOST:PORT is wanted"],
    [["--assigner", "http://x", "--name", "a b"], "--name a b: 1 to 64"],
  ])("options %j -> exit 2: %s", async (args, message) => {
    const host = new Host(["route", ...args], { stdin: "ignore" });
    expect([(await host.ended()).code, host.stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

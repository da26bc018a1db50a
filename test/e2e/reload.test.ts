// SIGHUP: other rules, the same state. Lines keep coming in pieces that a reload falls between.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { Host, stopHosts, until } from "./host.js";

let folder = "";
const path = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "limpet-reload-"));
});
afterEach(stopHosts);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const COUNTS = "- {name: counts, match: req_n, interval: 1h, by: [region], outputs: [sum_samples, increase], first_sample: zero}\n";

async function start(rules: string, name: string): Promise<Host> {
  writeFileSync(path(`${name}.yaml`), rules);
  const host = new Host(["aggregate", "--rules", path(`${name}.yaml`), "--listen", "127.0.0.1:0", "--sink", `file:${path(name)}`]);
  return host.ready();
}

/** Partial rows of the stop, without their time. */
function rowsOf(name: string): string[] {
  const lines = readFileSync(path(name), "utf8").trim().split("\n");
  return lines.map((line) => line.replace(/"timestamp":\d+,/, "")).sort();
}

describe("reload", () => {
  test("aggregate: SIGHUP between pieces of a line -> nothing lost or doubled, old rules keep their windows, new ones begin", async () => {
    const host = await start(COUNTS, "kept");
    const now = (): string => `${String(Date.now())}000000`;
    await host.write(`req,region=a,host=1 n=5i ${now()}\nreq,region=a,host=2 n=7i ${now()}\nreq,regi`);
    await until(
      async () => (await host.metric("limpet_samples_received_total")) === 2,
      () => "two samples were never read",
    );
    writeFileSync(path("kept.yaml"), `${COUNTS}- {name: late, match: req_n, interval: 1h, outputs: [count_samples]}\n`);
    host.child.kill("SIGHUP");
    await host.saying("reload: 2 rules, 1 of them as before");
    await host.write(`on=a,host=1 n=9i ${now()}\nreq,region=a,host=3 n=1i ${now()}\n`);
    expect((await host.stop()).code).toBe(0);
    expect(host.farewell()).toEqual({ read: 4, applied: 6, dropped: 0, unsent: 0 });
    expect(rowsOf("kept")).toEqual([
      '{"name":"req_n:1h_by_region_increase","labels":{"region":"a"},"value":17}',
      '{"name":"req_n:1h_by_region_sum_samples","labels":{"region":"a"},"value":22}',
      '{"name":"req_n:1h_count_samples","labels":{"host":"1","region":"a"},"value":1}',
      '{"name":"req_n:1h_count_samples","labels":{"host":"3","region":"a"},"value":1}',
    ]);
  }, 30_000);

  test("aggregate: SIGHUP with wrong, unchanged, then good files -> the old rules go on until the files are good", async () => {
    const host = await start(COUNTS, "wrong");
    writeFileSync(path("wrong.yaml"), `${COUNTS}- {name: bad, interval: 10x, outputs: [sum]}\n`);
    host.child.kill("SIGHUP");
    await host.saying("the old rules go on");
    expect(host.stderr).toMatch(/^E! reload: .*wrong\.yaml:2:\d+: .*10x/m);
    writeFileSync(path("wrong.yaml"), COUNTS);
    host.child.kill("SIGHUP");
    await host.saying("reload: the rule files have not changed");
    await host.write(`req,region=b n=3i ${String(Date.now())}000000\n`);
    writeFileSync(path("wrong.yaml"), COUNTS.replace("counts", "renamed"));
    host.child.kill("SIGHUP");
    await host.saying("reload: 1 rule, 1 of them as before");
    expect((await host.stop()).code).toBe(0);
    expect(host.farewell()).toEqual({ read: 1, applied: 1, dropped: 0, unsent: 0 });
    expect(rowsOf("wrong")[1]).toContain('"value":3');
  }, 30_000);
});

// What people have of the assigner: `limpet top`, `limpet drain`, the web page.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { NO_GENERATION } from "#limpet/slice/generation.js";
import { encodeReport } from "#limpet/slice/report.js";
import { Host, stopHosts, until } from "./host.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "limpet-people-"));
});
afterEach(async () => {
  stopHosts();
  await rm(folder, { recursive: true });
});

async function run(...args: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const host = new Host(args);
  const { code } = await host.ended();
  return { code, stdout: host.stdout, stderr: host.stderr };
}

it("top and drain show and change what the assigner knows; wrong names and addresses get a cure", async () => {
  await writeFile(join(folder, "rules.yaml"), "- match: cpu\n  interval: 10s\n  outputs: [count_samples]\n");
  // A lease that outlasts the test: one report is enough.
  const host = new Host(["assign", "--rules", join(folder, "rules.yaml"), "--listen", "127.0.0.1:0", "--min-resources", "2", "--lease", "5m"]);
  await host.saying("assigner of cluster");
  const url = /listening on (\S+)/.exec(host.stderr)?.[1] ?? "";
  for (const name of ["a", "b"]) {
    const about = {
      cluster: "limpet",
      id: `${name}:1@x`,
      address: `http://${name}:1`,
      incarnation: "x",
      state: "running",
      generation: NO_GENERATION,
    } as const;
    const body = encodeReport({ ...about, load: 0.5, serves: [], moved: [], aborted: [], offers: [] });
    expect((await fetch(`${url}/api/v1/heartbeat`, { method: "POST", body })).status).toBe(200);
  }
  await until(
    async () => (await fetch(`${url}/readyz`)).status === 200,
    () => `never ready:\n${host.stderr}`,
    30_000,
  );
  const top = await run("top", "--once", "--assigner", url);
  expect(top.code).toBe(0);
  expect(top.stdout).toMatch(/^generation 1\.1 {2}rules [0-9a-f]{16}\n64 slices, 0 moving, 0 held/);
  expect(top.stdout).toMatch(/a:1@x {5}running {7}32 {3}50\.0%/);

  expect(await run("drain", "http://a:1", "--assigner", url)).toEqual({ code: 0, stdout: "a:1@x is being drained\n", stderr: "" });
  await until(
    async () => (await run("top", "--once", "--assigner", url)).stdout.includes("8 moving"),
    () => "nothing moves",
    60_000,
  );
  const wrong = await run("drain", "c", "--assigner", url);
  expect([wrong.code, wrong.stderr]).toEqual([1, `E! ${url}: no resource is called c; there are a:1@x, b:1@x\n`]);

  const page = await host.page("/");
  expect(page.status).toBe(200);
  // Nothing from elsewhere.
  expect(page.text).not.toMatch(/(src|href)=|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  await host.stop("SIGTERM");
  const away = await run("top", "--once", "--assigner", url);
  expect([away.code, away.stderr]).toEqual([1, expect.stringMatching(/^E! http.*ECONNREFUSED.*is `limpet assign` running there\?\n$/)]);
  expect((await run("top", "--assigner", "nonsense")).code).toBe(2);
}, 180_000);

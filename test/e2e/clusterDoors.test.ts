// Plan: an aggregator of a cluster that has no work yet, as a supervisor and a sender see it: it lives, it is not ready, it keeps no data
// it could not deliver, and it goes when it is told to. Then one that cannot hand on what it has: it says so, also by its exit code.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { Host, stopHosts, until } from "./host.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "limpet-doors-"));
  writeFileSync(join(folder, "rules.yaml"), "- {match: req_ms, interval: 1s, grace: 1s, by: [region], outputs: [sum_samples]}\n");
});
afterEach(stopHosts);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function aggregator(assigner: string, ...more: string[]): Host {
  return new Host(["aggregate", "--assigner", assigner, "--listen", "127.0.0.1:0", "--sink", `file:${join(folder, "rows")}`, ...more], {
    stdin: "ignore",
  });
}

/** Where it says it is, before anything else: HOST:PORT of its id. */
async function urlOf(host: Host): Promise<string> {
  await host.saying("waiting for rules");
  return `http://${/: (127\.0\.0\.1:\d+)@/.exec(host.stdout + host.stderr)?.[1] ?? ""}`;
}

async function ask(url: string, body?: string): Promise<{ readonly status: number; readonly text: string; readonly retry: string | null }> {
  const answer = await fetch(url, body === undefined ? {} : { method: "POST", body });
  return { status: answer.status, text: await answer.text(), retry: answer.headers.get("retry-after") };
}

describe("aggregate --assigner", () => {
  test("no assigner there -> alive, not ready, data is refused for now, SIGTERM ends it at once", async () => {
    const host = aggregator("http://127.0.0.1:9");
    const url = await urlOf(host);
    expect(await ask(`${url}/healthz`)).toMatchObject({ status: 200 });
    expect(await ask(`${url}/readyz`)).toMatchObject({ status: 503, text: "waiting for the assigner's rules\n" });
    expect(await ask(`${url}/metrics`)).toMatchObject({ status: 200 });
    expect(await ask(`${url}/api/v1/status`)).toMatchObject({ status: 200, text: expect.stringContaining("waiting for the assigner's rules") });
    expect(await ask(`${url}/api/v1/write`, "x")).toMatchObject({ status: 503 });
    for (const path of ["/api/v2/write", "/api/v1/batch", "/api/v1/copy", "/api/v1/go"])
      expect([path, await ask(`${url}${path}`, "req ms=1\n")]).toMatchObject([path, { status: 503, retry: "1" }]);
    expect((await host.stop("SIGTERM")).code).toBe(0);
  });

  test("an assigner of another cluster -> not ready, no data is taken that nobody would, both say what is wrong", async () => {
    const assigner = new Host(["assign", "--rules", join(folder, "rules.yaml"), "--listen", "127.0.0.1:0"], { stdin: "ignore" });
    await assigner.saying("assigner of cluster");
    const right = aggregator(assigner.url(""));
    await right.saying("listening on");
    const wrong = aggregator(assigner.url(""), "--cluster", "other");
    await wrong.saying(
      "W! the assigner does not hear us: 409 this is cluster limpet, not other; --cluster names it; no data is taken until it does\n",
    );
    const reason = "the assigner has not heard of it yet: 409 this is cluster limpet, not other; --cluster names it";
    expect(await wrong.page("/readyz")).toEqual({ status: 503, text: `${reason}\n` });
    expect(await ask(wrong.url("/api/v2/write"), "req ms=1\n")).toMatchObject({ status: 503, text: expect.stringContaining(reason) });
    await until(
      async () => (await ask(right.url("/api/v2/write"), "req ms=1\n")).status === 204,
      () => right.stderr,
    );
    expect((await wrong.stop("SIGTERM")).code).toBe(0);
  });

  test("two with one --advertise -> the one that is replaced says so, with the cure", async () => {
    const assigner = new Host(["assign", "--rules", join(folder, "rules.yaml"), "--listen", "127.0.0.1:0"], { stdin: "ignore" });
    await assigner.saying("assigner of cluster");
    const first = aggregator(assigner.url(""));
    await first.saying("listening on");
    await until(
      async () => (await first.page("/readyz")).status === 200,
      () => first.stderr,
    );
    aggregator(assigner.url(""), "--advertise", first.url(""));
    await first.saying("too; give each aggregator an --advertise of its own\n");
    expect(first.stderr).toMatch(/E! 127\.0\.0\.1:\d+@\w+ says that it is at http:\/\/127\.0\.0\.1:\d+ too/);
  });

  test("SIGTERM while assigner and sink are away -> at the deadline it says what is lost and why, exit code 1", async () => {
    const assigner = new Host(["assign", "--rules", join(folder, "rules.yaml"), "--listen", "127.0.0.1:0", "--min-resources", "2"], {
      stdin: "ignore",
    });
    await assigner.saying("assigner of cluster");
    const away = ["--sink", "http://127.0.0.1:9/api/v1/write", "--drain-deadline", "1s"];
    const hosts = [aggregator(assigner.url(""), ...away), aggregator(assigner.url(""), ...away)];
    for (const host of hosts) await host.saying("listening on");
    const lines = Array.from({ length: 100 }, (_, i) => `req,region=r${String(i)} ms=1\n`).join("");
    await until(
      async () => (await ask(hosts[0]?.url("/api/v2/write") ?? "", lines)).status === 204,
      () => hosts.map(({ stderr }) => stderr).join(""),
    );
    const [, leaving] = hosts;
    await leaving?.saying("connection refused");
    await assigner.stop("SIGKILL");
    expect((await leaving?.stop("SIGTERM"))?.code).toBe(1);
    expect(leaving?.stderr).toMatch(
      /^E! not all slices were taken within 1 s .*; look for an assigner or aggregators that cannot be reached, or keep them with --data$/m,
    );
    expect(leaving?.stderr).toMatch(/^W! stopped with something nobody took: .*\d+ rows? not sent; others take it/m);
    expect(leaving?.stderr).toContain("--data DIR keeps it for the next start");
  });
});

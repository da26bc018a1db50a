// `limpet assign` as a process: what Slicelets, routers and operators see over HTTP, and what a restart keeps.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Assignment } from "#limpet/slice/assignment.js";
import { decodeAssignment, encodeAssignment } from "#limpet/slice/assignmentWire.js";
import { formatGeneration, type Generation, NO_GENERATION } from "#limpet/slice/generation.js";
import { decodeReportAnswer, encodeReport, type Report, type ReportAnswer } from "#limpet/slice/report.js";
import { decodeRuleVersion } from "#limpet/slice/ruleVersion.js";
import { emptyReport } from "./emptyReport.js";
import { Host, stopHosts, until } from "./host.js";

const RULES = "- match: cpu\n  interval: 10s\n  outputs: [count_samples]\n";
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "limpet-assign-"));
  await writeFile(join(folder, "rules.yaml"), RULES);
});
afterEach(async () => {
  stopHosts();
  await rm(folder, { recursive: true });
});

async function start(...more: readonly string[]): Promise<{ readonly host: Host; readonly url: string }> {
  const host = new Host(["assign", "--rules", join(folder, "rules.yaml"), "--listen", "127.0.0.1:0", "--lease", "400ms", ...more]);
  await host.saying("assigner of cluster");
  return { host, url: /listening on (\S+)/.exec(host.stderr)?.[1] ?? "" };
}

/** Something that reports as a Slicelet does. */
class Reporter {
  readonly id: string;
  readonly #url: string;
  readonly #base: Report;
  generation: Generation = NO_GENERATION;
  state: Report["state"] = "running";
  moved: Report["moved"] = [];
  answer: ReportAnswer | undefined;
  #timer: NodeJS.Timeout;

  constructor(url: string, name: string) {
    this.#url = url;
    this.#base = emptyReport(`http://${name}:1`);
    this.id = this.#base.id;
    this.#timer = setInterval(() => void this.beat().catch(() => undefined), 50);
  }

  async beat(): Promise<void> {
    const body = encodeReport({ ...this.#base, state: this.state, generation: this.generation, moved: this.moved });
    const response = await fetch(`${this.#url}/api/v1/heartbeat`, { method: "POST", body });
    const read = decodeReportAnswer(await response.text());
    if (read.ok) this.answer = read.value;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

async function assignmentOf(url: string): Promise<Assignment | undefined> {
  const response = await fetch(`${url}/api/v1/assignment`);
  const read = decodeAssignment(await response.text());
  return read.ok ? read.value : undefined;
}

async function assigned(url: string, holds: (assignment: Assignment) => boolean = () => true): Promise<Assignment> {
  let found: Assignment | undefined;
  await until(
    async () => {
      found = await assignmentOf(url);
      return found !== undefined && holds(found);
    },
    () => `never so: ${found === undefined ? "no assignment" : encodeAssignment(found)}`,
    30_000,
  );
  if (found === undefined) throw new Error("no assignment");
  return found;
}

describe("limpet assign", () => {
  it("reports of two -> an Assignment, served, watched, in the metrics; a drain hands all over", async () => {
    const { host, url } = await start("--min-resources", "2");
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/api/v1/assignment`)).status).toBe(404);
    const watch = await fetch(`${url}/api/v1/watch`);
    const lines: string[] = [];
    const watching = (async () => {
      for await (const chunk of watch.body ?? []) lines.push(Buffer.from(chunk).toString());
    })();
    const [a, b] = [new Reporter(url, "a"), new Reporter(url, "b")];
    const first = await assigned(url);
    expect(first.slices.filter(({ owner }) => owner === a.id)).toHaveLength(32);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);

    const drain = await fetch(`${url}/api/v1/drain`, { method: "POST", body: JSON.stringify({ resource: "a:1" }) });
    expect([drain.status, await drain.json()]).toEqual([202, { resource: a.id }]);
    // The owner's word: handed on, as soon as it is asked to.
    const gone = await assigned(url, (assignment) => {
      a.moved = assignment.slices.flatMap(({ low, high, move }) => (move === null ? [] : [{ low, high, number: move }]));
      return assignment.slices.every(({ owner }) => owner === b.id);
    });
    await until(
      () => lines.join("").includes(encodeAssignment(gone)),
      () => "the watcher never got it",
    );
    expect(await host.metric("limpet_slice_moves_total", 'reason="drain"')).toBe(32);
    expect(await host.metric("limpet_generation_number")).toBe(gone.generation.number);
    expect(await host.metric("limpet_resources", 'state="draining"')).toBe(1);
    expect(await (await fetch(`${url}/api/v1/status`)).json()).toMatchObject({
      generation: formatGeneration(gone.generation),
      slicesMoving: 0,
      watchers: 1,
    });
    for (const reporter of [a, b]) reporter.stop();
    expect((await host.stop("SIGTERM")).code).toBe(0);
    await watching;
  });

  it("restart with --store -> the same Assignment and the same rules; a newer one that Slicelets know is asked for and adopted", async () => {
    const store = ["--store", `file:${join(folder, "store")}`];
    const one = await start(...store);
    const a = new Reporter(one.url, "a");
    const before = await assigned(one.url);
    const rules = await (await fetch(`${one.url}/api/v1/rules`)).text();
    a.stop();
    await one.host.stop("SIGTERM");
    const two = await start(...store);
    expect(await assignmentOf(two.url)).toEqual(before);
    expect(await (await fetch(`${two.url}/api/v1/rules`)).text()).toBe(rules);

    const again = new Reporter(two.url, "a");
    again.generation = { incarnation: 1, number: 77 };
    await until(
      () => again.answer?.wantsAssignment === true,
      () => "it never asked for it",
    );
    const newer = { ...before, generation: again.generation };
    expect((await fetch(`${two.url}/api/v1/assignment`, { method: "PUT", body: encodeAssignment(newer) })).status).toBe(200);
    const adopted = await assigned(two.url, ({ generation }) => generation.incarnation === 2);
    expect(adopted.slices).toEqual(before.slices);
    again.stop();
  });

  it("rules: SIGHUP and PUT -> a new version, active later; the old one stays under its hash; wrong files change nothing", async () => {
    const { host, url } = await start();
    const read = async (path: string): Promise<ReturnType<typeof decodeRuleVersion>> =>
      decodeRuleVersion(await (await fetch(`${url}${path}`)).text());
    const first = await read("/api/v1/rules");
    if (!first.ok) throw new Error(first.error);
    expect([first.value.activeFromMs, first.value.files[0]?.text]).toEqual([0, RULES]);

    await writeFile(join(folder, "rules.yaml"), RULES.replace("10s", "20s"));
    host.child.kill("SIGHUP");
    await host.saying("for samples from");
    const second = await read("/api/v1/rules");
    if (!second.ok) throw new Error(second.error);
    expect(second.value.activeFromMs).toBeGreaterThan(Date.now());
    expect(await read(`/api/v1/rules/${first.value.hash}`)).toEqual(first);

    const same = await fetch(`${url}/api/v1/rules`, { method: "PUT" });
    expect(await same.json()).toEqual({ message: "the rule files have not changed" });
    await writeFile(join(folder, "rules.yaml"), "- match: [\n");
    expect((await fetch(`${url}/api/v1/rules`, { method: "PUT" })).status).toBe(422);
    expect(await read("/api/v1/rules")).toEqual(second);
    await writeFile(join(folder, "rules.yaml"), RULES);
    expect((await fetch(`${url}/api/v1/rules?active_from_ms=5`, { method: "PUT" })).status).toBe(200);
    // The files of before from another time on are another version.
    const third = await read("/api/v1/rules");
    expect(third).toMatchObject({ value: { activeFromMs: 5, previous: second.value.hash, files: first.value.files } });
    expect(await read(`/api/v1/rules/${first.value.hash}`)).toEqual(first);
  });

  it("tokens: --token-file for heartbeats and watching, --admin-token-file for drain", async () => {
    await writeFile(join(folder, "tokens"), "sender\n");
    await writeFile(join(folder, "admin"), "boss\n");
    const { url } = await start("--token-file", join(folder, "tokens"), "--admin-token-file", join(folder, "admin"));
    const status = async (path: string, token: string | undefined, init: RequestInit = {}): Promise<number> => {
      const response = await fetch(`${url}${path}`, { ...init, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
      return response.status;
    };
    const drain = { method: "POST", body: '{"resource":"x"}' };
    expect(await status("/api/v1/rules", undefined)).toBe(401);
    expect(await status("/api/v1/rules", "sender")).toBe(200);
    expect(await status("/api/v1/rules", "boss")).toBe(200);
    expect(await status("/api/v1/drain", "sender", drain)).toBe(401);
    expect(await status("/api/v1/drain", "boss", drain)).toBe(404);
    expect(await status("/api/v1/heartbeat", undefined, { method: "POST", body: "{}" })).toBe(401);
    expect(await status("/api/v1/heartbeat", "sender", { method: "POST", body: "{}" })).toBe(400);
  });

  it("wrong use -> exit 2 with the cure", async () => {
    const cases: readonly (readonly [args: readonly string[], says: string])[] = [
      [[], "--rules FILE is missing"],
      [["--rules", join(folder, "rules.yaml"), "--store", "etcd:x"], "file:DIR is wanted"],
      [["--rules", join(folder, "nope.yaml")], "no such file"],
    ];
    for (const [args, says] of cases) {
      const host = new Host(["assign", ...args]);
      expect((await host.ended()).code).toBe(2);
      expect(host.stderr).toContain(says);
    }
  });

  it("a heartbeat of another cluster -> refused by name", async () => {
    const { url } = await start("--cluster", "east");
    const report = encodeReport(emptyReport("http://a:1"));
    const response = await fetch(`${url}/api/v1/heartbeat`, { method: "POST", body: report });
    expect([response.status, await response.text()]).toEqual([409, '{"error":"this is cluster east, not limpet; --cluster names it"}\n']);
  });
});

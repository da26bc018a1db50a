// --data of an aggregator of a cluster: what it takes, what it refuses with which words, and that nothing in it is used twice.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { createLog } from "#limpet/base/log.js";
import { xxh64 } from "#limpet/base/xxh64.js";
import { openShardedData, Return, type ShardedData } from "#limpet/bin/shardedData.js";
import { encodeSavedRouter } from "#limpet/route/savedRouter.js";
import { KEY_END, WHOLE } from "#limpet/slice/keyRange.js";
import { ruleHash } from "#limpet/slice/ruleVersion.js";
import { writeAtomicFile } from "#limpet/store/atomicFile.js";
import { encodeKept, type Kept } from "#limpet/store/keptFile.js";
import { disposeEngines, openEngine } from "../aggregate/openEngine.js";

const RULES = "- { match: c_n, interval: 10s, by: [s], outputs: [total] }";
let folder = "";
let said: string[] = [];
let opened: ShardedData[] = [];
const log = createLog({ mode: "serve", write: (_stream, line) => said.push(line.trim()), now: () => 0 });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "limpet-data-"));
  said = [];
  opened = [];
});
afterEach(() => {
  for (const { lock } of opened) lock.release();
  rmSync(folder, { recursive: true });
  disposeEngines();
});

function snapshot(): Uint8Array {
  const engine = openEngine(RULES, { startMs: 100_000 });
  for (const part of engine.parts.list) part.term = "1.7";
  return takeSnapshot(engine, WHOLE, { term: "0.0", number: 1 });
}

function kept(about: Partial<Kept> = {}): Uint8Array {
  const files = [{ path: "rules.yaml", text: RULES }];
  const slices = [{ ...WHOLE, owner: null, standby: null, movingTo: null, move: null, term: { incarnation: 1, number: 7 } }];
  const assignment = { generation: { incarnation: 1, number: 9 }, rules: "h", slices, resources: [] };
  const rules = [{ hash: ruleHash({ activeFromMs: 0, files }), activeFromMs: 0, files }];
  return encodeKept({ cluster: "c", from: "a@1", stoppedMs: 99_000, assignment, rules, snapshot: snapshot(), ...about });
}

async function open(): Promise<ShardedData> {
  const data = await openShardedData(folder, "c", log);
  opened.push(data);
  return data;
}

/** Bytes of a newer program: the header says another version, and the checksum is right. */
function newer(bytes: Uint8Array): Uint8Array {
  const changed = Buffer.from(Buffer.from(bytes).toString("latin1").replace('{"version":2', '{"version":9'), "latin1");
  changed.writeBigUInt64LE(xxh64(changed.subarray(16)), 8);
  return changed;
}

describe("--data of a cluster", () => {
  test("empty -> locked, nothing kept; a second process -> refused, with the first one's pid", async () => {
    const data = await open();
    expect([data.kept, data.router]).toEqual([undefined, undefined]);
    await expect(open()).rejects.toThrow(`--data ${folder}: ${folder}: in use by process ${String(process.pid)}`);
  });

  test("both files -> read back as they were", async () => {
    const router = { router: "h.1", seq: 41, batches: [{ seq: 41, body: new Uint8Array([97, 10]), lines: 1, oldestMs: 5 }], lanes: [] };
    await writeAtomicFile(join(folder, "checkpoint"), kept());
    await writeAtomicFile(join(folder, "retention"), encodeSavedRouter(router));
    const data = await open();
    expect(data.kept).toMatchObject({ from: "a@1", stoppedMs: 99_000, assignment: { generation: { number: 9 } } });
    expect(data.router).toEqual(router);
  });

  test("damaged -> set aside and said, and started without", async () => {
    await writeAtomicFile(join(folder, "checkpoint"), kept());
    writeFileSync(join(folder, "checkpoint"), "x", { flag: "a" });
    writeFileSync(join(folder, "retention"), "x");
    const data = await open();
    expect([data.kept, data.router]).toEqual([undefined, undefined]);
    expect(said).toEqual([
      expect.stringMatching(/^W! .*checkpoint: checksum does not match.*kept as .*checkpoint\.damaged\)$/),
      expect.stringMatching(/^W! .*retention: 1 bytes are too few.*kept as .*retention\.damaged\)$/),
    ]);
    expect(
      readdirSync(folder)
        .filter((name) => !name.startsWith("lock"))
        .sort(),
    ).toEqual(["checkpoint.damaged", "retention.damaged"]);
  });

  test.each<[string, () => Uint8Array, string]>([
    [
      "another cluster's",
      () => kept({ cluster: "other" }),
      "is of cluster other, and this is c; give the --cluster or the --data that belong together",
    ],
    ["a process' without --assigner", snapshot, "was not written by an aggregator with --assigner; start without --assigner, or remove the file"],
  ])("%s checkpoint -> refused, left as it is, and the folder is free", async (_name, bytes, words) => {
    await writeAtomicFile(join(folder, "checkpoint"), bytes());
    await expect(open()).rejects.toThrow(`${join(folder, "checkpoint")}: ${words}`);
    expect(readdirSync(folder)).toEqual(["checkpoint"]);
  });

  test("a newer program's checkpoint -> refused, left as it is", async () => {
    await writeAtomicFile(join(folder, "checkpoint"), kept({ snapshot: newer(snapshot()) }));
    const data = await open();
    const engine = openEngine(RULES, { startMs: 100_000 });
    engine.parts.drop(WHOLE);
    expect(() => new Return({ ...data, kept: data.kept as Kept }, engine, { log, now: () => 0 })).toThrow(
      `${join(folder, "checkpoint")}: a snapshot of version 9, and this program reads versions 1 and 2; run the program here that wrote it, or a newer one; or remove the file to start without it`,
    );
    expect(existsSync(join(folder, "checkpoint"))).toBe(true);
  });
});

describe("the return from --data", () => {
  async function returning(): Promise<Return> {
    await writeAtomicFile(join(folder, "checkpoint"), kept());
    const data = await open();
    const engine = openEngine(RULES, { startMs: 100_000 });
    engine.parts.drop(WHOLE);
    return new Return({ ...data, kept: data.kept as Kept }, engine, { log, now: () => 101_500 });
  }
  const HALF = KEY_END / 2;

  test("nothing granted -> the file stays; the first slice served -> it is used up, all served -> the time it took is said", async () => {
    const back = await returning();
    expect([back.offers, existsSync(join(folder, "checkpoint"))]).toEqual([[{ ...WHOLE, number: { incarnation: 1, number: 7 } }], true]);
    back.onServed();
    back.onRange({ low: 0, high: HALF }, true);
    expect(readdirSync(folder).filter((name) => name.startsWith("checkpoint"))).toEqual(["checkpoint.taken"]);
    expect(said).toEqual([]);
    back.onRange({ low: HALF, high: KEY_END }, true);
    expect(said).toEqual(["I! back in place: 2 slices served again 2.5 s after the stop, 0.0 s after the start"]);
  });

  test("all of it dropped -> used up too, and nothing is said to be back", async () => {
    const back = await returning();
    back.onRange(WHOLE, false);
    expect([existsSync(join(folder, "checkpoint")), said]).toEqual([false, []]);
  });

  test("a stop has begun to write -> nothing that comes then touches the file", async () => {
    const back = await returning();
    back.close();
    back.onServed();
    back.onRange(WHOLE, false);
    expect(existsSync(join(folder, "checkpoint"))).toBe(true);
  });
});

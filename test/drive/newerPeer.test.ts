// Plan: during an upgrade a newer program may be told to hand a slice to an older one that cannot read it. Both are real Slicelets over
// real engines; the newer one is today's, whose copies bear a version that is not there yet. The slice has to stay where it is.
import { afterEach, describe, expect, test } from "@jest/globals";
import { SNAPSHOT_VERSION } from "#limpet/aggregate/snapshotHeader.js";
import { xxh64 } from "#limpet/base/xxh64.js";
import { EngineHoldings } from "#limpet/drive/engineHoldings.js";
import type { Assignment } from "#limpet/slice/assignment.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import { MOVE_LIMITS } from "#limpet/slicelet/outgoing.js";
import { Slicelet, type SliceletAction, type SliceletEvent } from "#limpet/slicelet/slicelet.js";
import { disposeEngines, openEngine, tick } from "../aggregate/openEngine.js";
import { pick } from "../slicelet/pair.js";

afterEach(disposeEngines);

/** The same snapshot, of a version that is to come. */
function ofNextVersion(bytes: Uint8Array): Uint8Array {
  const from = Buffer.from(bytes);
  const length = from.readUInt32LE(16);
  const header = JSON.parse(from.toString("utf8", 20, 20 + length)) as { version: number };
  const changed = Buffer.from(JSON.stringify({ ...header, version: SNAPSHOT_VERSION + 1 }));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(changed.length);
  const doctored = Buffer.concat([from.subarray(0, 16), size, changed, from.subarray(20 + length)]);
  doctored.writeBigUInt64LE(xxh64(doctored.subarray(16)), 8);
  return doctored;
}

class NewerHoldings extends EngineHoldings {
  override copy(...about: Parameters<EngineHoldings["copy"]>): Uint8Array {
    return ofNextVersion(super.copy(...about));
  }
}

class Peer {
  nowMs = 101_000;
  readonly said: string[] = [];
  readonly engine = openEngine("- { interval: 10s, by: [s], outputs: [sum_samples] }", { startMs: 100_000 });
  readonly holdings: EngineHoldings;
  readonly slicelet: Slicelet;

  constructor(id: string, Holds: typeof EngineHoldings) {
    this.engine.parts.drop(WHOLE);
    this.holdings = new Holds({ engine: () => this.engine, now: () => this.nowMs, warn: (message) => this.said.push(message) });
    const self = { id, address: `http://${id}`, incarnation: "1", cluster: "c" };
    this.slicelet = new Slicelet({ self, holdings: this.holdings, limits: MOVE_LIMITS, heartbeatMs: 500, offers: [] });
  }

  step(event: SliceletEvent): SliceletAction[] {
    return this.slicelet.step(this.nowMs, event);
  }

  /** One line for all of the key space. */
  batch(seq: number, line: string): string[] {
    const head = {
      router: "r.1",
      seq,
      statedMs: this.nowMs,
      rules: "r",
      cluster: "c",
      ranges: [{ ...WHOLE, prev: seq - 1, kept: 1, oldestMs: undefined }],
    };
    return pick(this.step({ kind: "batch", head, body: Buffer.from(line), reply: 0 }), "answer").answers.map(({ answer }) => answer);
  }
}

function assignment(number: number, movingTo: string | null): Assignment {
  const generation = { incarnation: 1, number };
  const slice = { ...WHOLE, owner: "new", standby: null, movingTo, move: movingTo === null ? null : generation, term: { incarnation: 1, number: 1 } };
  const resources = ["new", "old"].map((id) => ({ id, address: `http://${id}`, incarnation: "1", state: "running" as const, load: 0 }));
  return { generation, rules: "r", slices: [slice], resources };
}

describe("a newer peer", () => {
  test("move to an older program that cannot read the copy -> refused with the cure, called off, and served on with all of its state", () => {
    const [newer, older] = [new Peer("new", NewerHoldings), new Peer("old", EngineHoldings)];
    for (const peer of [newer, older]) peer.step({ kind: "assignment", assignment: assignment(1, null) });
    expect(newer.batch(1, "m,s=x f=1 101000000000\n")).toEqual(["applied"]);
    const copy = pick(newer.step({ kind: "assignment", assignment: assignment(2, "old") }), "send_copy");
    older.step({ kind: "assignment", assignment: assignment(2, "old") });
    const { answer } = pick(older.step({ kind: "copy", head: copy.head, bytes: copy.bytes, reply: 0 }), "copy_answer");
    expect(answer).toBe("refused");
    expect(older.said).toEqual([
      `slice 00000000-100000000 cannot be taken over: a snapshot of version ${String(SNAPSHOT_VERSION + 1)}, and this program reads versions ${String(SNAPSHOT_VERSION - 1)} and ${String(SNAPSHOT_VERSION)}; run the program here that wrote it, or a newer one`,
    ]);
    expect(older.holdings.held()).toEqual([]);
    const after = newer.step({ kind: "copy_answered", head: copy.head, answer });
    expect(pick(after, "moved").how).toBe("aborted");
    expect(pick(after, "report").report.aborted).toHaveLength(1);
    expect(newer.batch(2, "m,s=x f=2 102000000000\n")).toEqual(["applied"]);
    expect(tick(newer.engine, 125_000)).toEqual(['m_f:10s_by_s_sum_samples{s="x"} 3 110000']);
  });
});

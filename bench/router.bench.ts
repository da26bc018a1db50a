// router: ns per batch through the machine, from lines to let go: 20 owners with 50 slices each, everything taken at once.
import { ROUTER_DEFAULTS, Router, type RouterAction, type RouterEvent } from "#limpet/route/router.js";
import type { Assignment } from "#limpet/slice/assignment.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import type { Bench } from "./bench.js";

const OWNERS = 20;
const SLICES = 1000;
const BODY = new Uint8Array(ROUTER_DEFAULTS.sealBytes);

function assignment(): Assignment {
  const generation = { incarnation: 1, number: 1 };
  const resources = Array.from({ length: OWNERS }, (_, i) => {
    return { id: String(i), address: `http://host-${String(i)}:4581`, incarnation: "1", state: "running" as const, load: 0 };
  });
  const slices = Array.from({ length: SLICES }, (_, i) => {
    const [low, high] = [i, i + 1].map((n) => Math.floor((n * KEY_END) / SLICES));
    return { low: low ?? 0, high: high ?? 0, owner: String((i * 7) % OWNERS), standby: null, movingTo: null, move: null, term: generation };
  });
  return { generation, rules: "", slices, resources };
}

/** A router whose owners take everything as soon as it is sent. */
function driven(): (nowMs: number, event: RouterEvent) => number {
  const router = new Router({ ...ROUTER_DEFAULTS, router: "bench.1", cluster: "", seed: 1 });
  const step = (nowMs: number, event: RouterEvent): number => {
    let taken = 0;
    for (const action of router.step(nowMs, event)) taken += action.kind === "send" ? 1 + step(nowMs, takenAnswer(action)) : 0;
    return taken;
  };
  step(0, { kind: "assignment", assignment: assignment() });
  return step;
}

function takenAnswer({ attempt, head }: Extract<RouterAction, { kind: "send" }>): RouterEvent {
  const { seq } = head;
  const ranges = head.ranges.map(({ low, high }) => ({ low, high, answer: "applied" as const, applied: seq, durable: seq, owner: null }));
  return { kind: "answer", attempt, ranges };
}

export const batches: Bench = {
  name: "router: a batch for 50 ranges",
  run(scale) {
    const step = driven();
    const count = Math.ceil(5000 * scale);
    let taken = 0;
    for (let i = 0; i < count; i++) {
      const lane = `http://host-${String(i % OWNERS)}:4581`;
      taken += step(i, { kind: "lines", lane, piece: { body: BODY, lines: 1300, oldestMs: i } });
    }
    if (taken !== count) throw new Error(`${String(taken)} of ${String(count)} batches were taken`);
    return { ops: count, unit: "batch" };
  },
};

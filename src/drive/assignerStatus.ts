// What people see of the assigner: /api/v1/status (the web page and `limpet top` read it) and the numbers of /metrics.
import type { Weight } from "../assign/load.js";
import type { AnswerCounts } from "../http/answerCounts.js";
import type { AssignerStats } from "../selfstat/assignerMetrics.js";
import { formatGeneration } from "../slice/generation.js";
import { KEY_END, width } from "../slice/keyRange.js";
import type { ResourceState } from "../slice/resource.js";
import type { RuleVersion } from "../slice/ruleVersion.js";
import type { AssignerDrive, Told } from "./assignerDrive.js";

export interface ResourceStatus {
  readonly id: string;
  readonly address: string;
  readonly state: ResourceState;
  /** ms since its last report; null: none was heard. */
  readonly silentMs: number | null;
  /** Share of one core. */
  readonly load: number;
  readonly slices: number;
  /** Of the key space, 0..1. */
  readonly share: number;
  /** (sample, rule) pairs per second. */
  readonly rate: number;
  /** Bytes of state. */
  readonly bytes: number;
  readonly movesIn: number;
  readonly movesOut: number;
}

export interface AssignerStatus {
  readonly version: string;
  readonly startedMs: number;
  /** null: there is no Assignment yet. */
  readonly generation: string | null;
  readonly rules: { readonly hash: string; readonly activeFromMs: number };
  readonly resources: readonly ResourceStatus[];
  readonly slices: number;
  readonly slicesHeld: number;
  readonly slicesMoving: number;
  /** By Slice in order, pairs per second. */
  readonly rates: readonly number[];
  readonly moves: Readonly<Record<string, number>>;
  readonly movesAborted: number;
  readonly watchers: number;
  /** Latest last. */
  readonly decisions: readonly Told[];
}

export interface About {
  readonly version: string;
  readonly startedMs: number;
  readonly nowMs: number;
  readonly rules: RuleVersion;
}

export function assignerStatus(drive: AssignerDrive, { version, startedMs, nowMs, rules }: About): AssignerStatus {
  const { assigner, moves, movesAborted, watchers, told } = drive;
  const slices = assigner.assignment?.slices ?? [];
  const weights = assigner.notes().map(({ weight }) => weight);
  const generation = assigner.assignment === undefined ? null : formatGeneration(assigner.assignment.generation);
  return {
    version,
    startedMs,
    generation,
    rules: { hash: rules.hash, activeFromMs: rules.activeFromMs },
    resources: resourcesOf(drive, weights, nowMs),
    slices: slices.length,
    slicesHeld: slices.filter(({ owner }) => owner === null).length,
    slicesMoving: slices.filter(({ movingTo }) => movingTo !== null).length,
    rates: weights.map(({ rate }) => rate),
    moves,
    movesAborted,
    watchers: watchers.size,
    decisions: told,
  };
}

/** Those who are there, and those who still own something. */
function resourcesOf({ assigner }: AssignerDrive, weights: readonly Weight[], nowMs: number): ResourceStatus[] {
  const empty = { slices: 0, share: 0, rate: 0, bytes: 0, movesIn: 0, movesOut: 0 };
  const sums = new Map(assigner.members().map(({ id }) => [id, { ...empty }]));
  (assigner.assignment?.slices ?? []).forEach((slice, i) => {
    const owner = slice.owner === null ? undefined : sums.get(slice.owner);
    const target = slice.movingTo === null ? undefined : sums.get(slice.movingTo);
    if (target !== undefined) target.movesIn++;
    if (owner === undefined) return;
    owner.slices++;
    owner.share += width(slice) / KEY_END;
    owner.rate += weights[i]?.rate ?? 0;
    owner.bytes += weights[i]?.bytes ?? 0;
    if (slice.movingTo !== null) owner.movesOut++;
  });
  return assigner
    .members()
    .flatMap(({ id, address, state, report, heardMs }) => {
      const sum = sums.get(id) ?? empty;
      if (state === "gone" && sum.slices === 0) return [];
      return [{ id, address, state, silentMs: report === undefined ? null : Math.round(nowMs - heardMs), load: report?.load ?? 0, ...sum }];
    })
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

export function assignerStats(drive: AssignerDrive, answers: AnswerCounts): AssignerStats {
  const { assigner, moves, movesAborted, heartbeats, commits, watchers } = drive;
  const resources = { running: 0, draining: 0, staying: 0, gone: 0 };
  for (const { state } of assigner.members()) resources[state]++;
  const slices = assigner.assignment?.slices ?? [];
  return {
    generation: assigner.assignment?.generation,
    resources,
    slices: slices.length,
    slicesHeld: slices.filter(({ owner }) => owner === null).length,
    slicesMoving: slices.filter(({ movingTo }) => movingTo !== null).length,
    imbalance: imbalanceOf(drive),
    moves,
    movesAborted,
    heartbeats,
    commits,
    watchers: watchers.size,
    watchersDropped: watchers.dropped,
    answers: answers.all(),
  };
}

function imbalanceOf({ assigner }: AssignerDrive): number | undefined {
  const rates = new Map<string, number>();
  for (const { id, state } of assigner.members()) if (state === "running") rates.set(id, 0);
  const notes = assigner.notes();
  (assigner.assignment?.slices ?? []).forEach(({ owner }, i) => {
    const sum = owner === null ? undefined : rates.get(owner);
    if (owner !== null && sum !== undefined) rates.set(owner, sum + (notes[i]?.weight.rate ?? 0));
  });
  const total = [...rates.values()].reduce((sum, rate) => sum + rate, 0);
  return total > 0 ? Math.max(...rates.values()) / (total / rates.size) : undefined;
}

// What a simulated cluster is made of: the state its aggregators hold, the lines its routers take, and what must come of them. The
// machines, the network and the deeds are the same whatever it is: a model as naive as can be (modelMatter.ts), or the engine
// (engineMatter.ts).
import type { RowReader } from "#limpet/metric/rowBlock.js";
import type { Clerk } from "#limpet/route/clerk.js";
import type { LanePiece } from "#limpet/route/lane.js";
import type { RouterRules } from "#limpet/route/router.js";
import type { NumberedRange } from "#limpet/slice/report.js";
import type { Holdings } from "#limpet/slicelet/holdings.js";
import type { ModelRow } from "./modelHoldings.js";
import type { SimSink } from "./sink.js";

/** What one aggregator holds. */
export interface NodeState extends Holdings {
  /** Since when each version of the rules holds that is known here. Written by the node, which only ever adds to them. */
  versions: readonly number[];
  /** A copy was refused, because there are more. Written by both. */
  lacksVersions: boolean;
  /** What came and was not counted, though it should have been: the simulator expects none. */
  readonly late: number;
  /** All that is held or was never granted, as it goes to disk. */
  keep(stoppedMs: number): Disk;
  /** Closes what is due; rows go to the sink, oldest window first. */
  flush(nowMs: number, sink: SimSink): void;
  /** The process has ended. */
  dispose(): void;
}

/** What a process leaves in its --data. */
export interface Disk {
  readonly offers: readonly NumberedRange[];
  readonly stoppedMs: number;
  readonly versions: readonly number[];
  /** No object of it is shared with what lives on. */
  readonly content: unknown;
}

/** Lines of some senders on their way into a router. */
export interface NodeInput {
  /** Goes by these versions of the rules from now on. */
  useRules(versions: readonly number[], clerk: Clerk): RouterRules;
  /** The clerk knows another Assignment. */
  divide(clerk: Clerk): void;
  /** A few lines of a moment ago, each for the lanes of its owners. */
  lines(clerk: Clerk): readonly LaneLines[];
  /** The process has ended. */
  dispose(): void;
}

export interface LaneLines {
  readonly lane: string;
  readonly piece: LanePiece;
}

export interface Matter {
  /** `disk`: what lies in its --data. */
  state(versions: readonly number[], disk?: Disk): NodeState;
  /** `name`: the router's. Whoever has it next goes on with its senders. */
  input(name: string): NodeInput;
  /** A row as the receiver keeps it. */
  rowOf(reader: RowReader): ModelRow;
  /** What is stored and differs from what one process makes of all lines. */
  differences(): readonly string[];
}

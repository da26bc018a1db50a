// A router with what it speaks to, as `limpet route` runs one, and every aggregator of a cluster inside.
import { randomBytes } from "node:crypto";
import type { Output } from "../aggregate/output.js";
import type { SteadyClock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import { type Delivery, RouterDriver } from "../drive/routerDriver.js";
import type { BatchSender } from "../http/batchSender.js";
import { ROUTER_DEFAULTS } from "../route/router.js";
import type { SavedRouter } from "../route/savedRouter.js";
import { encodeRuleVersion } from "../slice/ruleVersion.js";
import { crash } from "./crash.js";
import type { ShardedRules } from "./shardedRules.js";

/** How long a declared backlog holds a window. */
export const HOLD_MS = 60_000;

export interface RouterAbout {
  readonly options: {
    readonly cluster: string;
    readonly name: string;
    readonly naming: "telegraf" | "vmagent";
    readonly memoryMax: number;
    readonly retentionMax: number;
  };
  readonly incarnation: string;
  /** It goes on as this one. */
  readonly saved?: SavedRouter | undefined;
  readonly outputs: ReadonlyMap<string, Output>;
  readonly rules: Pick<ShardedRules, "catchUp">;
  readonly sender: BatchSender;
  readonly log: Log;
  readonly clock: SteadyClock;
}

/** `deliver`: who carries batches, the sender by default. */
export function openRouter(
  { options, incarnation, saved, outputs, rules, sender, log, clock }: RouterAbout,
  deliver?: Delivery["deliver"],
): RouterDriver {
  return new RouterDriver({
    router: {
      ...ROUTER_DEFAULTS,
      router: saved?.router ?? `${options.name}.${incarnation}`,
      saved,
      cluster: options.cluster,
      seed: randomBytes(4).readInt32LE(),
      retentionBytesMax: options.retentionMax,
    },
    outputs,
    naming: options.naming,
    memoryBytesMax: options.memoryMax,
    holdMs: HOLD_MS,
    delivery: {
      deliver: deliver ?? ((...batch) => sender.deliver(...batch)),
      offerRules: (address, version) => sender.offerRules(address, version.hash, encodeRuleVersion(version)),
    },
    onBehind: () => {
      void rules.catchUp();
    },
    log,
    clock,
    onBroken: crash,
  });
}

// SIGHUP: reads the rule files again and goes on with them. The state of rules that did not change stays; wrong files change
// nothing. Requests are served one after the other.
import type { Engine } from "../aggregate/engine.js";
import type { Rule } from "../aggregate/rule.js";
import { SnapshotError } from "../aggregate/snapshotError.js";
import { counted } from "../base/counted.js";
import type { Log } from "../base/log.js";
import type { Aggregator } from "../drive/aggregator.js";
import type { LoadedRules } from "./loadRules.js";
import { UsageError } from "./options.js";

export interface ReloadOptions {
  /** The rules the aggregator runs now. */
  readonly loaded: LoadedRules;
  readonly load: () => Promise<LoadedRules>;
  /** A new engine for the rules. Throws when it does not fit into memory. */
  readonly open: (rules: readonly Rule[]) => Engine;
  readonly aggregator: Aggregator;
  readonly log: Log;
}

/** A function that asks for a reload and returns at once. */
export function createReloader(options: ReloadOptions): () => void {
  let last = Promise.resolve(options.loaded);
  return () => {
    last = last.then(async (current) => {
      try {
        return await reload(options, current);
      } catch (error) {
        options.log.error(`reload: ${error instanceof Error ? error.message : String(error)}; the old rules go on`);
        return current;
      }
    });
  };
}

/** One reload. Returns the rules that run after it. */
async function reload({ load, open, aggregator, log }: ReloadOptions, current: LoadedRules): Promise<LoadedRules> {
  const next = await load();
  if (next.rules === undefined) {
    const errors = next.messages.filter(({ severity }) => severity === "error");
    for (const { text } of errors) log.error(`reload: ${text.split("\n", 1)[0] ?? text}`, `reload ${text}`);
    log.error(`reload: the rule files have ${String(errors.length)} errors, the old rules go on; \`limpet check\` shows them all`);
    return current;
  }
  if (next.fingerprint === current.fingerprint) {
    log.info("reload: the rule files have not changed");
    return current;
  }
  const { rules } = next;
  const problem = goOnWith(aggregator, () => open(rules));
  if (problem !== undefined) {
    log.error(`reload: ${problem}; the old rules go on; raise --memory-max, old and new state must fit side by side`);
    return current;
  }
  log.info(`reload: ${counted(next.rules.length, "rule")}, ${String(keptOf(current, next))} of them as before`);
  return next;
}

/** Lets another engine take over. Why it cannot, for want of memory; then the one of before goes on. */
export function goOnWith(aggregator: Aggregator, open: () => Engine): string | undefined {
  let fresh: Engine | undefined;
  try {
    fresh = open();
    aggregator.reload(fresh);
    return undefined;
  } catch (error) {
    fresh?.dispose();
    if (!(error instanceof SnapshotError || error instanceof UsageError)) throw error;
    return error.message;
  }
}

function keptOf(before: LoadedRules, after: LoadedRules): number {
  const ids = new Set(before.rules?.map((rule) => rule.id));
  return after.rules?.filter((rule) => ids.has(rule.id)).length ?? 0;
}

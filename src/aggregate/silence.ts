// Rules that match nothing although samples come: most often a name or a label is misspelled.
import { formatDuration } from "../base/duration.js";
import { LEDGER_MATCHED } from "../kernel/layout.js";
import type { CompiledRule } from "./compile.js";
import type { Parts } from "./parts.js";

const INTERVALS = 10;
/** Telegraf may send as seldom as this. */
const SILENT_MS_MIN = 300_000;

interface Watch {
  readonly compiled: CompiledRule;
  matched: number;
  sinceMs: number;
  /** Samples the process had received then. */
  received: number;
  told: boolean;
}

export class Silence {
  readonly #parts: Parts;
  readonly #watched: Watch[] = [];

  constructor(parts: Parts, nowMs: number) {
    this.#parts = parts;
    for (const compiled of parts.rules) {
      if (compiled.rule.state !== "off") this.#watched.push({ compiled, matched: 0, sinceMs: nowMs, received: 0, told: false });
    }
  }

  /** Messages that are due, each once per silence. `received`: samples of the process so far. */
  take(nowMs: number, received: number): string[] {
    const messages: string[] = [];
    for (const watch of this.#watched) {
      const { rule, validity } = watch.compiled;
      if (nowMs >= validity.untilMs) continue;
      const matched = this.#parts.total(watch.compiled, LEDGER_MATCHED);
      if (matched !== watch.matched) {
        watch.matched = matched;
        watch.sinceMs = nowMs;
        watch.received = received;
        watch.told = false;
        continue;
      }
      const silentMs = nowMs - watch.sinceMs;
      if (watch.told || received === watch.received || silentMs < Math.max(INTERVALS * rule.intervalMs, SILENT_MS_MIN)) continue;
      watch.told = true;
      const came = received - watch.received;
      messages.push(
        `rule ${rule.name} (${rule.place}) matched nothing for ${formatDuration(Math.floor(silentMs / 1000) * 1000)}, while ${String(came)} samples came: compare its match and filters with what limpet explain says of the lines, or remove it`,
      );
    }
    return messages;
  }
}

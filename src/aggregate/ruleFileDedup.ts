// `dedup_interval`: of each series one sample counts per so long.
import { formatDuration } from "../base/duration.js";
import { type Fields, readDuration, refuse } from "./ruleFileFields.js";
import type { PlacedStep } from "./ruleFileRelabel.js";

/** The next shorter and the next longer duration that divide the interval, in whole seconds where it has them. */
function dividing(intervalMs: number, ms: number): readonly number[] {
  const unit = intervalMs % 1000 === 0 && ms > 1000 ? 1000 : 1;
  const parts = intervalMs / unit;
  let shorter = Math.ceil(intervalMs / ms);
  while (shorter < parts && parts % shorter !== 0) shorter++;
  let longer = Math.floor(intervalMs / ms);
  while (longer > 1 && parts % longer !== 0) longer--;
  return [intervalMs / shorter, intervalMs / Math.max(longer, 1)];
}

/** In ms, 0 when every sample counts. */
export function readDedup(fields: Fields, interval: { readonly text: string; readonly ms: number }): number {
  const dedup = readDuration(fields, "dedup_interval");
  const field = fields.byKey.get("dedup_interval");
  if (dedup === undefined || field === undefined || dedup.ms === 0 || interval.ms === 0) return 0;
  const where = { at: field.value.at, path: field.path };
  if (dedup.ms > interval.ms) {
    refuse(fields, where, `${dedup.text} is longer than the interval ${interval.text}`, `use ${interval.text} or less`);
  } else if (interval.ms % dedup.ms !== 0) {
    const cure = `use ${dividing(interval.ms, dedup.ms).map(formatDuration).join(" or ")}`;
    refuse(fields, where, `${dedup.text} does not divide the interval ${interval.text}`, cure);
  }
  return dedup.ms;
}

interface Taken {
  readonly dedupMs: number;
  readonly dropInputLabels: readonly string[];
  readonly inputRelabel: readonly PlacedStep[];
}

/** What is taken off on the way in is gone before duplicates are looked for: then different series are duplicates of each other. */
export function warnMerged(fields: Fields, { dedupMs, dropInputLabels, inputRelabel }: Taken): void {
  const field = fields.byKey.get("dedup_interval");
  if (dedupMs === 0 || field === undefined) return;
  const steps = inputRelabel.filter(({ step }) => step.config.action === "labeldrop" || step.config.action === "labelkeep");
  const taking = [...(dropInputLabels.length > 0 ? ["drop_input_labels"] : []), ...new Set(steps.map(({ step }) => step.config.action))];
  if (taking.length === 0) return;
  const message = `of all series that differ only in labels taken off by ${taking.join(" and ")}, one sample counts per ${formatDuration(dedupMs)}, as in vmagent`;
  fields.problems.warning({ file: fields.file, at: field.keyAt, path: field.path, message, cure: "drop labels with without or by" });
}

// Which tags can make a difference: to whether a rule takes a series, and to the Group it goes to. Keys that differ in other tags
// alone have one Shape (kernel/shape.ts). Whatever a rule may look at has its place here.
import type { Rule } from "./rule.js";

/** By the tag's name as it came in, and its label's name. */
export type Relevance = (tag: string, label: string) => boolean;

/** undefined: some rule may look at any tag, so that no two series are alike. */
export function relevantTags(rules: readonly Rule[]): Relevance | undefined {
  const labels = new Set<string>();
  const tags = new Set<string>();
  const without: ReadonlySet<string>[] = [];
  for (const rule of rules) {
    if (rule.state === "off") continue;
    // A step may rename, copy or hash any label; and a Last is found by the labels that are left.
    if (rule.inputRelabel.length > 0 || rule.dropInputLabels.length > 0 || (rule.by === undefined && rule.without === undefined)) return undefined;
    if (rule.by !== undefined) for (const label of rule.by) labels.add(label);
    if (rule.without !== undefined) without.push(new Set(rule.without));
    for (const { label } of rule.match.flatMap(({ alternatives }) => alternatives.flat())) labels.add(label);
    for (const [tag] of [...(rule.filter?.tagpass ?? []), ...(rule.filter?.tagdrop ?? [])]) tags.add(tag);
  }
  return (tag, label) => tags.has(tag) || labels.has(label) || without.some((dropped) => !dropped.has(label));
}

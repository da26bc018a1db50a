// `limpet explain`: lines on standard input (as they are, or as `telegraf --test` prints them, behind `> `) -> what the rules make
// of each of their fields.
import type { Readable } from "node:stream";
import type { Command } from "commander";
import { Engine } from "../../aggregate/engine.js";
import { explainPoint, type FieldExplanation, type RuleExplanation } from "../../aggregate/explain.js";
import type { Rule } from "../../aggregate/rule.js";
import { buildRuleIndex } from "../../aggregate/ruleIndex.js";
import { systemErrorCode } from "../../base/systemError.js";
import type { Point } from "../../metric/lineDecoder.js";
import { LineStream } from "../../metric/lineStream.js";
import type { Naming } from "../../metric/naming.js";
import type { Series } from "../../metric/series.js";
import { decodeUtf8 } from "../../metric/utf8.js";
import { sliceIndexOf } from "../../slice/assignment.js";
import { decodeAssignment } from "../../slice/assignmentWire.js";
import { loadOutputs } from "../loadOutputs.js";
import { loadRules } from "../loadRules.js";
import { collect, option, UsageError, withRules } from "../options.js";

function shownLabels(labels: Series["labels"]): string {
  return `{${labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(",")}}`;
}

function shown(series: Series | undefined): string {
  return series === undefined ? "(no valid name)" : `${series.name}${shownLabels(series.labels)}`;
}

/** Who owns a slice key, for people. */
export type OwnerOf = (sliceKey: number) => string;

function ruleLines({ rule, input, group, rows, sliceKey }: RuleExplanation, series: Series | undefined, ownerOf: OwnerOf | undefined): string[] {
  const head = `    rule ${rule.name} (${rule.place})${rule.state === "shadow" ? ", shadow: computed, not sent" : ""}`;
  if (input === undefined) return [`${head}: match takes it, a filter or input relabelling does not`];
  const relabelled = input === series ? [] : [`      relabelled to ${shown(input)}`];
  const lines = rows.map((row) => `      -> ${row === undefined ? "(dropped by output relabelling)" : shown(row)}`);
  const owner = ownerOf === undefined ? "" : `, owner ${ownerOf(sliceKey)}`;
  return [head, ...relabelled, `      group ${shownLabels(group)}, slice key ${String(sliceKey)}${owner}`, ...lines];
}

/** What becomes of the sample itself, where it is not simply gone. */
function passing(rules: readonly RuleExplanation[]): string[] {
  const taking = rules.filter(({ input, rule }) => input !== undefined && rule.state === "active");
  if (taking.length === 0) return ["    the sample itself passes where unmatched is pass (modes processor and input)"];
  return taking.some(({ rule }) => rule.matched === "keep") ? ["    the sample itself passes, too (matched: keep)"] : [];
}

function fieldLines(explained: FieldExplanation, naming: Naming, ownerOf: OwnerOf | undefined): string[] {
  const { field, text, series, rules } = explained;
  if (text) return [`  ${field}: text, which no rule takes`, ...passing([])];
  const other: Naming = naming === "telegraf" ? "vmagent" : "telegraf";
  const own = series[naming];
  const lines = [`  ${field}: ${shown(own)}`];
  if (shown(series[other]) !== shown(own)) lines.push(`    (naming: ${other}: ${shown(series[other])})`);
  if (rules.length === 0) lines.push("    no rule matches");
  return [...lines, ...rules.flatMap((rule) => ruleLines(rule, own, ownerOf)), ...passing(rules)];
}

/** Text of a line's explanation; `rules` as loaded. */
export function explainLines(point: Point, explained: readonly FieldExplanation[], naming: Naming, ownerOf?: OwnerOf): string {
  const tags = point.tags.map(({ key, value }) => `,${decodeUtf8(key).text}=${decodeUtf8(value).text}`);
  return [`${decodeUtf8(point.measurement).text}${tags.join("")}`, ...explained.flatMap((field) => fieldLines(field, naming, ownerOf))].join("\n");
}

/** Takes `> ` off the start of lines, wherever chunks are cut. */
export async function* withoutPrompts(input: Readable | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = "";
  for await (const chunk of input) {
    // latin1 maps bytes to characters and back unchanged.
    const text = rest + Buffer.from(chunk as Uint8Array).toString("latin1"); // a stream without an encoding gives Buffers
    const end = text.lastIndexOf("\n") + 1;
    rest = text.slice(end);
    if (end > 0) yield Buffer.from(text.slice(0, end).replaceAll(/^> /gm, ""), "latin1");
  }
  if (rest !== "") yield Buffer.from(rest.replace(/^> /, ""), "latin1");
}

interface ExplainOptions {
  readonly rules: readonly string[];
  readonly assigner?: string;
  readonly naming: Naming;
}

/** Explains all of `input`; returns what to print, one piece per line read. */
export async function* explain(
  rules: readonly Rule[],
  input: Readable | AsyncIterable<Uint8Array>,
  { naming, ownerOf }: { readonly naming: Naming; readonly ownerOf?: OwnerOf | undefined },
): AsyncGenerator<string> {
  const outputs = await loadOutputs();
  const engine = new Engine({ rules, outputs, naming, startMs: Number.NEGATIVE_INFINITY, maxFutureMs: 0, memoryBytesMax: 2 ** 28 });
  const explainer = { rules: engine.rules, index: buildRuleIndex(rules), naming };
  let pieces: string[] = [];
  const stream = new LineStream({
    point: (point) => pieces.push(explainLines(point, explainPoint(explainer, point), naming, ownerOf)),
    error: ({ line, column, message }) => pieces.push(`line ${String(line)}, column ${String(column)}: ${message}`),
  });
  try {
    for await (const bytes of withoutPrompts(input)) {
      stream.write(bytes);
      yield* pieces;
      pieces = [];
    }
    stream.end();
    yield* pieces;
  } finally {
    engine.dispose();
  }
}

/** Reads the Assignment once. Throws UsageError. */
async function ownersOf(assigner: string): Promise<OwnerOf> {
  const read = await fetch(new URL("/api/v1/assignment", assigner))
    .then(async (answer) => decodeAssignment(await answer.text()))
    .catch((error: unknown) => ({ ok: false as const, error: systemErrorCode(error instanceof Error ? error.cause : error) ?? String(error) }));
  if (!read.ok) throw new UsageError(`--assigner ${assigner}: no assignment (${read.error})`);
  const { slices } = read.value;
  return (sliceKey) => slices[sliceIndexOf(slices, sliceKey)]?.owner ?? "nobody (held)";
}

export function registerExplain(program: Command): void {
  program
    .command("explain")
    .description("say for each line on standard input which rules take it, its groups, output series and slice keys")
    .addOption(option("--rules <file>", "rule file, folder or glob; repeatable").argParser(collect))
    .addOption(option("--naming <naming>", "how samples are named").choices(["telegraf", "vmagent"]).default("telegraf"))
    .addOption(option("--assigner <url>", "say who owns each group, too, e.g. http://127.0.0.1:4580"))
    .action(async (_options: unknown, command: Command) => {
      const options = withRules(command.opts<ExplainOptions>());
      const { rules, messages } = await loadRules(options.rules, { outputs: await loadOutputs(), naming: options.naming });
      for (const { severity, text } of messages) if (severity !== "info") process.stderr.write(`${text}\n`);
      if (rules === undefined) {
        process.exitCode = 2;
        return;
      }
      // A reader that goes away (`| head`) ends the printing quietly.
      process.stdout.on("error", () => process.exit());
      const ownerOf = options.assigner === undefined ? undefined : await ownersOf(options.assigner);
      for await (const piece of explain(rules, process.stdin, { naming: options.naming, ownerOf })) process.stdout.write(`${piece}\n`);
    });
}

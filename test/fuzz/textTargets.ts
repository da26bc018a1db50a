// Things people write: durations, addresses, sizes, selectors, relabelling, globs, rule files, limpet.yaml; and what routers say.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { formatProblem } from "#limpet/aggregate/ruleFileProblem.js";
import { formatDuration, parseDuration } from "#limpet/base/duration.js";
import { registerAggregate } from "#limpet/bin/commands/aggregate.js";
import { applyConfig } from "#limpet/bin/configFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { byteSize, UsageError } from "#limpet/bin/options.js";
import { Tokens } from "#limpet/http/auth.js";
import { parseListenAddress } from "#limpet/http/listenAddress.js";
import { readWriteHead } from "#limpet/http/remoteWriteIngest.js";
import { compileRelabel, type RelabelAction, relabelActions, type WorkLabels } from "#limpet/metric/relabel.js";
import { canonicalMatch, matchesSelector } from "#limpet/metric/selector.js";
import { parseSelector } from "#limpet/metric/selectorParse.js";
import { compileLabelRegex } from "#limpet/metric/selectorRegex.js";
import { compileGlobs } from "#limpet/metric/telegrafGlob.js";
import { decodeAssignment, encodeAssignment } from "#limpet/slice/assignmentWire.js";
import { formatBatchRanges, parseBatchRanges } from "#limpet/slice/batch.js";
import { corpus, type FuzzTarget, fixture, holds, same } from "./target.js";

const outputs = await loadOutputs();
const SERIES = {
  name: "http_requests_total",
  labels: [
    ["host", "a"],
    ["region", "eu-west"],
    ["path", "/é\n"],
  ] as [string, string][],
};

function text(name: string, check: (text: string) => void, seeds = corpus(name)): FuzzTarget {
  return { name, seeds, run: (bytes) => check(bytes.toString()) };
}

const duration = text("duration", (input) => {
  const result = parseDuration(input);
  if (!result.ok) return;
  holds(`${String(result.ms)} ms`, Number.isFinite(result.ms) && result.ms >= 0);
  const whole = Math.floor(result.ms);
  if (Number.isSafeInteger(whole)) same("formatted and parsed", parseDuration(formatDuration(whole)), { ok: true, ms: whole });
});

const listen = text("listen", (input) => {
  const result = parseListenAddress(input);
  if (result.ok)
    holds(`${result.host} ${String(result.port)}`, result.host !== "" && Number.isInteger(result.port) && result.port >= 0 && result.port < 65536);
});

const size = text("size", (input) => {
  try {
    const bytes = byteSize(input);
    holds(`${String(bytes)} bytes`, Number.isSafeInteger(bytes) && bytes >= 0);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
  }
});

const selector = text("selector", (input) => {
  const result = parseSelector(input);
  if (!result.ok) {
    holds(`error at ${String(result.error.at)}`, result.error.at >= 0 && result.error.at <= input.length);
    return;
  }
  const matched = matchesSelector(result.selector, SERIES);
  const again = parseSelector(input);
  holds("parsed twice, one meaning", again.ok && canonicalMatch([again.selector]) === canonicalMatch([result.selector]));
  holds("parsed twice, one answer", again.ok && matchesSelector(again.selector, SERIES) === matched);
});

/** Lines: action, regex, replacement, separator, value of the label `path`. */
const relabel = text("relabel", (input) => {
  const [action = "", regex = "", replacement = "", separator = "", value = ""] = input.split("\n");
  if (!relabelActions.some((known) => known === action) || !compileLabelRegex(regex).ok) return;
  const step = compileRelabel({
    // Just looked up.
    action: action as RelabelAction,
    ifs: [],
    sourceLabels: ["path", "region"],
    separator,
    targetLabel: "target",
    regex,
    modulus: 7,
    replacement,
  });
  const labels: WorkLabels = [
    ["__name__", "m"],
    ["path", value],
    ["region", "eu"],
  ];
  step.apply(labels);
  holds(`${String(labels.length)} labels`, labels.length <= 12);
});

const glob = text("glob", (input) => {
  const patterns = input.split("\n");
  const result = compileGlobs(patterns);
  if (result.ok) for (const candidate of ["cpu", "usage_idle", "", input.slice(0, 200)]) result.accepts(candidate);
});

const rules = text(
  "rules",
  (input) => {
    const read = () => readRules([{ name: "rules.yaml", text: input }], { outputs, env: { INTERVAL: "1m" }, naming: "telegraf" });
    const first = read();
    for (const problem of first.problems) formatProblem(problem);
    const errors = first.problems.filter(({ severity }) => severity === "error");
    holds("no rules and not a word", first.rules.length > 0 || first.problems.length > 0 || errors.length > 0);
    same(
      "read twice",
      read().rules.map(({ id }) => id),
      first.rules.map(({ id }) => id),
    );
  },
  [...corpus("rules"), ...wrongRules()],
);

/** The wrong rule files that have messages of their own. */
function wrongRules(): Buffer[] {
  const blocks = fixture("rules/wrong.txt")
    .toString()
    .split(/^## .*\n/m)
    .slice(1);
  return blocks.map((block) => Buffer.from(block.split("-> problems\n", 1)[0] ?? ""));
}

const folder = mkdtempSync(join(tmpdir(), "limpet-fuzz-"));
process.on("exit", () => {
  rmSync(folder, { recursive: true, force: true });
});

const config = text("config", (input) => {
  const path = join(folder, "limpet.yaml");
  writeFileSync(path, input);
  const program = new Command();
  registerAggregate(program);
  const command = program.commands.find((known) => known.name() === "aggregate");
  command?.setOptionValue("config", path);
  try {
    if (command !== undefined) applyConfig(command);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    holds("the message names the file", error.message.includes(path));
  }
});

/** First line: authorization; second: content-type; third: content-encoding. */
const headers = text("headers", (input) => {
  const [authorization, type, encoding] = input.split("\n");
  new Tokens(["secret"]).admits({ authorization }, new URLSearchParams(input));
  const head = readWriteHead({ "content-type": type, "content-encoding": encoding });
  holds("refused with 415", head.ok || head.answer.status === 415);
});

const batch = text("batch", (input) => {
  const ranges = parseBatchRanges(input);
  if (typeof ranges === "string") return;
  const joined = parseBatchRanges(formatBatchRanges(ranges));
  if (typeof joined === "string") throw new Error(joined);
  same("formatted and parsed", formatBatchRanges(joined), formatBatchRanges(ranges));
});

const assignment = text("assignment", (input) => {
  const read = decodeAssignment(input);
  if (read.ok) same("encoded and decoded", decodeAssignment(encodeAssignment(read.value)), read);
});

export const textTargets: readonly FuzzTarget[] = [duration, listen, size, selector, relabel, glob, rules, config, headers, batch, assignment];

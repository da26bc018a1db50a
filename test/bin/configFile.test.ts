// Plan: limpet.yaml as text in, options or messages out, on a command of commander's; then the example in configs, whose every option,
// the commented ones too, is one that `limpet aggregate` has.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { Command } from "commander";
import { registerAggregate } from "#limpet/bin/commands/aggregate.js";
import { registerAssign } from "#limpet/bin/commands/assign.js";
import { registerExplain } from "#limpet/bin/commands/explain.js";
import { registerReplay } from "#limpet/bin/commands/replay.js";
import { registerRoute } from "#limpet/bin/commands/route.js";
import { applyConfig } from "#limpet/bin/configFile.js";
import { byteSize, collect, option } from "#limpet/bin/options.js";

const folder = mkdtempSync(join(tmpdir(), "limpet-config-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const path = join(folder, "limpet.yaml");

/** What the command ends up with, without its --config; or what is said. */
function read(text: string, argv: readonly string[] = []): unknown {
  writeFileSync(path, text);
  const command = new Command("aggregate")
    .addOption(option("--config <file>", ""))
    .addOption(option("--sink <url>", "").argParser(collect))
    .addOption(option("--memory-max <size>", "").argParser(byteSize).default(5))
    .addOption(option("--mode <mode>", "").choices(["output", "serve"]))
    .addOption(option("--stay", ""))
    .parse(["--config", path, ...argv], { from: "user" });
  try {
    applyConfig(command);
  } catch (error) {
    return String(error).replace("UsageError: ", "").replaceAll(`${path}:`, "");
  }
  return Object.fromEntries(Object.entries(command.opts()).filter(([name]) => name !== "config"));
}

describe("limpet.yaml", () => {
  test.each<[string, string, readonly string[], unknown]>([
    ["nothing", "# nothing\n", [], { memoryMax: 5 }],
    ["an empty section", "aggregate:\n", [], { memoryMax: 5 }],
    ["other sections", "replay: {format: prom}\nsinks: []\n", [], { memoryMax: 5, sinks: [] }],
    [
      "texts, lists, sizes",
      "aggregate: {sink: [a, b], memory_max: 1KiB, mode: serve, stay: true}",
      [],
      { sink: ["a", "b"], memoryMax: 1024, mode: "serve", stay: true },
    ],
    ["a flag as well", "aggregate: {sink: [a, b], memory_max: 1KiB}", ["--memory-max", "2KiB", "--sink", "c"], { sink: ["c"], memoryMax: 2048 }],
    ["nothing as a value", "aggregate: {sink: , memory_max: 1KiB}", [], "1:19: aggregate.sink: nothing is not a text"],
    ["the environment", 'aggregate: {sink: "%{PATH}"}', [], { sink: [process.env["PATH"]], memoryMax: 5 }],
    ["an unset variable", 'aggregate: {sink: "%{LIMPET_NOWHERE}"}', [], expect.stringMatching(/^1:20: .*LIMPET_NOWHERE/)],
    ["a list", "- a\n", [], "1:1: a list is not a map of sections; begin with aggregate:"],
    ["bad YAML", "aggregate: [\n", [], expect.stringMatching(/^\d:\d+: /)],
    ["unknown section", "agregate: {}\n", [], "1:1: unknown section agregate; did you mean aggregate?"],
    ["section of another shape", "aggregate: 5\n", [], "1:12: aggregate: 5 is not a map of options; write them as option: value"],
    [
      "five errors",
      "aggregate:\n  memory_maxx: 1\n  memory_max: 3Q\n  mode: x\n  stay: maybe\n  sink: [[a]]\n",
      [],
      [
        "2:3: aggregate.memory_maxx: unknown option; did you mean memory_max?",
        "3:15: aggregate.memory_max: 3Q: not a size; use e.g. 512MiB or 2GiB",
        "4:9: aggregate.mode: x is not one of output, serve",
        "5:9: aggregate.stay: maybe is not true or false",
        "6:10: aggregate.sink: a list is not a text",
      ].join("\n"),
    ],
    ["two values for one", "aggregate: {mode: [output, serve]}", [], "1:19: aggregate.mode: takes one value; leave the others out"],
    ["itself", "aggregate: {config: x}", [], "1:13: aggregate.config: unknown option; limpet aggregate --help lists them"],
  ])("config: %s -> taken or said", (_what, text, argv, expected) => {
    expect(read(text, argv)).toEqual(expected);
  });

  test("configs/limpet.yaml, commented options too -> every one is known and valid", () => {
    const example = readFileSync("configs/limpet.yaml", "utf8");
    writeFileSync(path, example.replace(/^ {2}# (\w+:)/gm, "  $1"));
    const program = new Command().exitOverride();
    for (const register of [registerAggregate, registerReplay, registerRoute, registerAssign, registerExplain]) register(program);
    for (const command of program.commands) {
      command.addOption(option("--config <file>", "")).setOptionValueWithSource("config", path, "cli");
      applyConfig(command);
    }
    const [aggregate, replay] = program.commands;
    expect(aggregate?.opts()).toMatchObject({
      mode: "serve",
      sink: ["http://127.0.0.1:9090/api/v1/write"],
      tlsKey: "/etc/limpet/key.pem",
      memoryMax: 2 ** 30,
    });
    expect(aggregate?.opts()["sinks"]).toMatchObject([
      { url: "https://mimir.example/api/v1/push", options: { name: "mimir", queueBytesMax: 2 ** 29, headers: { "x-scope-orgid": "team-a" } } },
    ]);
    expect(replay?.opts()).toMatchObject({ format: "prom" });
    expect(program.commands.filter((command) => !new RegExp(`^${command.name()}:`, "m").test(example)).map((command) => command.name())).toEqual([]);
    const missing = (aggregate?.options ?? [])
      .map((known) => known.name().replaceAll("-", "_"))
      .filter((name) => name !== "config" && !example.includes(`${name}:`));
    expect(missing).toEqual([]);
  });
});

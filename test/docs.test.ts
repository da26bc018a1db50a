// The README is what a newcomer copies: it must be the files we test, and they must load.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { dropReasons, ignoreReasons } from "#limpet/aggregate/ledger.js";

const readme = readFileSync("README.md", "utf8");
const telegraf = readFileSync("configs/telegraf/limpet-output.conf", "utf8");

/** The text of the first fenced block of a language. */
function fenced(language: string): string {
  return new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(readme)?.[1] ?? "";
}

/** The strings of the `command = [...]` of a Telegraf file. */
function telegrafCommand(text: string): string[] {
  const list = /^\s*command = \[([\s\S]*?)\]/m.exec(text)?.[1] ?? "";
  return [...list.matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? "");
}

describe("README", () => {
  test("Telegraf snippet -> is configs/telegraf/limpet-output.conf", () => {
    expect(fenced("toml")).toBe(telegraf);
  });

  test("Telegraf snippet for HTTP -> is configs/telegraf/limpet-http.conf", () => {
    expect(readme).toContain(`\`\`\`toml\n${readFileSync("configs/telegraf/limpet-http.conf", "utf8")}\`\`\``);
  });

  test("rules -> are configs/rules/http.yaml", () => {
    // Its first line is for editors, by a path that only holds there.
    expect(fenced("yaml")).toBe(readFileSync("configs/rules/http.yaml", "utf8").replace(/^# yaml-language-server: .*\n/, ""));
  });

  test("its two commands -> exist in package.json", () => {
    const packageJson: unknown = JSON.parse(readFileSync("package.json", "utf8"));
    expect(packageJson).toMatchObject({ scripts: { start: expect.any(String), test: expect.any(String) } });
    expect(readme).toContain("npm ci && npm start");
    expect(readme).toContain("npm ci && npm test");
  });
});

describe("Telegraf's command", () => {
  test.each([
    ["limpet-output.conf", undefined],
    ["limpet-processor.conf", "processor"],
    ["limpet-input.conf", "input"],
  ])("%s: its options -> known to `limpet aggregate`, its files exist in this tree", (file, mode) => {
    const [node, program, command, ...rest] = telegrafCommand(readFileSync(`configs/telegraf/${file}`, "utf8"));
    expect([node, program, command]).toEqual(["node", "/opt/limpet/dist/bin/limpet.js", "aggregate"]);
    const help = spawnSync(process.execPath, ["dist/bin/limpet.js", "aggregate", "--help"], { encoding: "utf8" }).stdout;
    for (const option of rest.filter((word) => word.startsWith("--"))) expect(help).toContain(option);
    const rules = rest[rest.indexOf("--rules") + 1] ?? "";
    expect(readFileSync(rules.replace("/opt/limpet/", ""), "utf8")).not.toBe("");
    expect(rest.includes("--mode") ? rest[rest.indexOf("--mode") + 1] : undefined).toBe(mode);
  });

  test("README's processor snippet -> is the command of configs/telegraf/limpet-processor.conf", () => {
    const [, snippet = ""] = /```toml\n(\[\[processors\.execd\]\][\s\S]*?)```/.exec(readme) ?? [];
    expect(telegrafCommand(snippet)).toEqual(telegrafCommand(readFileSync("configs/telegraf/limpet-processor.conf", "utf8")));
  });
});

describe("operating.md", () => {
  test("reasons -> every one the engine and the sinks count has its row", () => {
    const operating = readFileSync("docs/operating.md", "utf8");
    const sinkReasons = /type DropReason = ([^;]+);/.exec(readFileSync("src/sink/sink.ts", "utf8"))?.[1]?.match(/\w+/g) ?? [];
    expect(sinkReasons).toContain("queue_full");
    for (const reason of [...ignoreReasons, ...dropReasons, ...sinkReasons]) expect(operating).toContain(`| \`${reason}\` |`);
  });
});

describe("configs/rules", () => {
  test.each(readdirSync("configs/rules"))("%s -> passes `limpet check`", (file) => {
    const path = `configs/rules/${file}`;
    const names = [...readFileSync(path, "utf8").matchAll(/%\{(\w+)\}/g)].map((match) => match[1] ?? "");
    const env = { ...process.env, ...Object.fromEntries(names.map((name) => [name, "example"])) };
    const result = spawnSync(process.execPath, ["dist/bin/limpet.js", "check", path], { encoding: "utf8", env });
    expect({ status: result.status, text: result.stdout + result.stderr }).toEqual({ status: 0, text: expect.stringContaining("ok") });
  });
});

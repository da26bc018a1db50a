import { expect, test } from "@jest/globals";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { explain, type OwnerOf, withoutPrompts } from "#limpet/bin/commands/explain.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { replayRows } from "#limpet/bin/replayRows.js";

const rulesText = `
- name: busy
  match: cpu_usage
  interval: 10s
  by: [dc]
  outputs: [min, max]
  matched: keep
  input_relabel_configs: [{action: lowercase, source_labels: [dc], target_label: dc}]
  output_relabel_configs: [{action: drop, if: '{__name__=~".*_min"}'}]
- name: hosts
  match: '{host!=""}'
  namedrop: [mem]
  interval: 1m
  without: [dc]
  outputs: [last]
  state: shadow
`;

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function explained(...texts: readonly string[]): Promise<string[]> {
  return explainedWith(undefined, ...texts);
}

async function explainedWith(ownerOf: OwnerOf | undefined, ...texts: readonly string[]): Promise<string[]> {
  const { rules } = readRules([{ name: "rules.yaml", text: rulesText }], { outputs: await loadOutputs(), env: {}, naming: "telegraf" });
  const pieces: string[] = [];
  for await (const piece of explain(rules, chunks(...texts), { naming: "telegraf", ownerOf })) pieces.push(piece);
  return pieces.join("\n").split("\n");
}

test("explain: a line as telegraf --test prints it -> rules, groups, outputs, slice keys, both namings", async () => {
  const lines = await explained('> cpu,dc=EU,host=a usage=1,value=2,os="linux" 1\n# comment\n', "> mem,host=b,dc=x value=1\nnonsense");
  expect(lines.map((line) => line.replace(/slice key \d+/, "slice key N"))).toEqual([
    "cpu,dc=EU,host=a",
    '  usage: cpu_usage{dc="EU",host="a"}',
    "    rule busy (rules.yaml:2:3)",
    '      relabelled to cpu_usage{dc="eu",host="a"}',
    '      group {dc="eu"}, slice key N',
    "      -> (dropped by output relabelling)",
    '      -> cpu_usage:10s_by_dc_max{dc="eu"}',
    "    rule hosts (rules.yaml:10:3), shadow: computed, not sent",
    '      group {host="a"}, slice key N',
    '      -> cpu_usage:1m_without_dc_last{host="a"}',
    "    the sample itself passes, too (matched: keep)",
    '  value: cpu{dc="EU",host="a"}',
    '    (naming: vmagent: cpu_value{dc="EU",host="a"})',
    "    rule hosts (rules.yaml:10:3), shadow: computed, not sent",
    '      group {host="a"}, slice key N',
    '      -> cpu:1m_without_dc_last{host="a"}',
    "    the sample itself passes where unmatched is pass (modes processor and input)",
    "  os: text, which no rule takes",
    "    the sample itself passes where unmatched is pass (modes processor and input)",
    "mem,dc=x,host=b",
    '  value: mem{dc="x",host="b"}',
    '    (naming: vmagent: mem_value{dc="x",host="b"})',
    "    rule hosts (rules.yaml:10:3), shadow: computed, not sent: match takes it, a filter or input relabelling does not",
    "    the sample itself passes where unmatched is pass (modes processor and input)",
    "line 4, column 9: expected tag",
  ]);
});

test("explain: its output series -> those that replay writes", async () => {
  const line = "cpu,dc=EU,host=a usage=1,idle=3 1000000000\n";
  const shown = (await explained(line)).flatMap((text) => /^ {6}-> (\w\S*)\{/.exec(text)?.[1] ?? []);
  const rows = await replayRows(rulesText.replace("state: shadow", "state: active"), [Buffer.from(line)]);
  expect([...shown].sort()).toEqual(rows.map((row) => row.name).sort());
});

test("explain: chunks cut anywhere -> prompts go all the same, other `> ` stays", async () => {
  const text = "> a x=1\n> b,t=>\\ y x=2\n>c";
  for (let cut = 0; cut <= text.length; cut++) {
    let out = "";
    for await (const bytes of withoutPrompts(chunks(text.slice(0, cut), text.slice(cut)))) out += Buffer.from(bytes).toString();
    expect(out).toBe("a x=1\nb,t=>\\ y x=2\n>c");
  }
});

test("explain: with an assignment -> the owner behind the slice key", async () => {
  const lines = await explainedWith((key) => (Number.isInteger(key) ? "a:4581@i1" : "nobody"), "cpu,dc=EU,host=a usage=1 1\n");
  expect(lines.filter((line) => /slice key \d+, owner a:4581@i1$/.test(line))).toHaveLength(2);
});

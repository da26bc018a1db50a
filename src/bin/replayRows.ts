// `replay` as a function, for tests: rule text and chunks of line protocol in, rows out.
import { Engine, type EngineAction } from "../aggregate/engine.js";
import { readRules } from "../aggregate/ruleFile.js";
import { formatProblem } from "../aggregate/ruleFileProblem.js";
import { restoreSnapshot, takeSnapshot } from "../aggregate/snapshot.js";
import { type Row, rowsOf } from "../metric/rowBlock.js";
import { compareRows } from "../metric/rowText.js";
import { WHOLE } from "../slice/keyRange.js";
import { loadOutputs } from "./loadOutputs.js";

export interface ReplayRowsOptions {
  /** Before each of these chunk indices the state goes through a snapshot into a new engine. */
  readonly snapshotAt?: readonly number[];
  readonly naming?: "telegraf" | "vmagent";
}

/** All rows, sorted. Throws when the rules have errors. Chunk edges may be anywhere. */
export async function replayRows(rulesYaml: string, chunks: readonly Uint8Array[], options: ReplayRowsOptions = {}): Promise<Row[]> {
  const outputs = await loadOutputs();
  const naming = options.naming ?? "telegraf";
  const { rules, problems } = readRules([{ name: "rules.yaml", text: rulesYaml }], { outputs, env: {}, naming });
  const errors = problems.filter((problem) => problem.severity === "error");
  if (errors.length > 0) throw new Error(errors.map(formatProblem).join("\n"));
  const open = (): Engine => new Engine({ rules, outputs, naming, startMs: Number.NEGATIVE_INFINITY, maxFutureMs: 0, memoryBytesMax: 2 ** 30 });
  let engine = open();
  const actions: EngineAction[] = [];
  try {
    for (const [i, chunk] of chunks.entries()) {
      if (options.snapshotAt?.includes(i) === true) {
        const snapshot = takeSnapshot(engine, WHOLE, { term: "0.0", number: i });
        const unfinished = engine.unfinishedInput();
        engine.dispose();
        engine = open();
        restoreSnapshot(engine, snapshot);
        engine.feed(0, unfinished);
      }
      actions.push(...engine.feed(0, chunk, i === chunks.length - 1));
    }
    actions.push(...engine.step(0, { kind: "finish" }));
  } finally {
    engine.dispose();
  }
  return actions.flatMap((action) => (action.kind === "rows" ? rowsOf(action.block) : [])).sort(compareRows);
}

// Runs a Dockerfile without an engine: each stage is a folder, COPY copies, RUN runs with the stage's WORKDIR. Enough for ours,
// and it refuses what it does not know.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

export interface Step {
  readonly verb: string;
  readonly rest: string;
}

export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly steps: readonly Step[];
}

export function parseDockerfile(text: string): { args: Readonly<Record<string, string>>; stages: readonly Stage[] } {
  const args: Record<string, string> = {};
  const stages: { name: string; from: string; steps: Step[] }[] = [];
  for (const line of text.replace(/\\\n/g, " ").split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, verb = "", rest = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (verb === "ARG") {
      const [name = "", value = ""] = rest.split("=", 2);
      args[name] = value;
    } else if (verb === "FROM") {
      const [, from = "", name = ""] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? [];
      stages.push({ name, from, steps: [] });
    } else {
      const stage = stages.at(-1);
      if (stage === undefined || verb === "") throw new Error(`not understood: ${line}`);
      stage.steps.push({ verb, rest });
    }
  }
  return { args, stages };
}

/** Runs all stages below `target`; each becomes a root folder there, named after the stage or its number. */
export function runStages(stages: readonly Stage[], context: string, target: string, env: NodeJS.ProcessEnv): string[] {
  const allowed = new Set(
    readFileSync(join(context, ".dockerignore"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1)),
  );
  return stages.map((stage, number) => {
    const root = join(target, stage.name || String(number));
    let workdir = root;
    for (const { verb, rest } of stage.steps) {
      if (verb === "WORKDIR") {
        workdir = join(root, rest);
        mkdirSync(workdir, { recursive: true });
      } else if (verb === "COPY") {
        copy(rest.split(" "), { context, target, workdir, allowed });
      } else if (verb === "RUN") {
        const result = spawnSync("sh", ["-ec", rest], { cwd: workdir, env, encoding: "utf8" });
        if (result.status !== 0) throw new Error(`RUN ${rest}: exit ${String(result.status)}\n${result.stdout}${result.stderr}`);
      } else if (!["ENV", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"].includes(verb)) {
        throw new Error(`not understood: ${verb} ${rest}`);
      }
    }
    return workdir;
  });
}

interface CopyPlaces {
  readonly context: string;
  readonly target: string;
  readonly workdir: string;
  readonly allowed: ReadonlySet<string>;
}

function copy(words: readonly string[], places: CopyPlaces): void {
  const stage = /^--from=(.+)$/.exec(words[0] ?? "")?.[1];
  const sources = words.slice(stage === undefined ? 0 : 1, -1);
  const destination = words.at(-1) ?? "";
  for (const source of sources) {
    if (stage === undefined && !places.allowed.has(source)) throw new Error(`.dockerignore keeps ${source} out`);
    const from = join(stage === undefined ? places.context : join(places.target, stage), source);
    if (!existsSync(from)) throw new Error(`COPY ${source}: not there`);
    cpSync(from, join(places.workdir, destination.endsWith("/") ? join(destination, basename(source)) : destination), { recursive: true });
  }
}

// A reader of Prometheus' text format 0.0.4, written from its specification: the page must mean what we meant.

export interface Family {
  readonly help: string;
  readonly type: string;
}

export interface ExposedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Throws at the first line that is not the format, at a duplicate sample, and at samples before their TYPE. */
export function parseExposition(text: string): { families: Map<string, Family>; samples: ExposedSample[] } {
  const families = new Map<string, { help: string; type: string }>();
  const samples: ExposedSample[] = [];
  const seen = new Set<string>();
  if (!text.endsWith("\n")) throw new Error("the last line has no newline");
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = "", rest = ""] = comment;
      const family = families.get(name) ?? { help: "", type: "" };
      if (kind === "HELP") family.help = rest;
      else family.type = rest;
      families.set(name, family);
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (sample === null) throw new Error(`not a line of the format: ${line}`);
    const [, name = "", labelText = "", number = ""] = sample;
    const key = `${name}{${labelText}}`;
    if (seen.has(key)) throw new Error(`twice: ${key}`);
    seen.add(key);
    samples.push({ name, labels: parseLabels(labelText), value: Number(number === "+Inf" ? Infinity : number === "Nan" ? NaN : number) });
  }
  return { families, samples };
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let at = 0;
  while (at < text.length) {
    const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.exec(text.slice(at));
    if (label === null) throw new Error(`not labels: ${text}`);
    const [whole, name = "", value = ""] = label;
    labels[name] = value.replace(/\\(["\\n])/g, (_all, what: string) => (what === "n" ? "\n" : what));
    at += whole.length;
  }
  return labels;
}

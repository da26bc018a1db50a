// `%{NAME}` -> the environment's value, in the text before YAML sees it, as vmagent does (a plain YAML value cannot begin
// with `%`). Values are taken as they are, not expanded again. Lines that are comments are left alone. Offsets of the
// expanded text lead back to the file: everything inside a value to its `%{`.

export interface Expansion {
  readonly text: string;
  /** Offset in the file for an offset in `text`. */
  readonly origin: (at: number) => number;
  /** Variables that are not set. */
  readonly unset: readonly { readonly name: string; readonly at: number }[];
}

interface Segment {
  readonly at: number;
  readonly origin: number;
  readonly literal: boolean;
}

const variable = /%\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

function inComment(text: string, at: number): boolean {
  const lineStart = text.lastIndexOf("\n", at - 1) + 1;
  return /^[ \t]*#/.test(text.slice(lineStart, Math.min(at, lineStart + 1000)));
}

export function expandEnv(text: string, env: Readonly<Record<string, string | undefined>>): Expansion {
  const segments: Segment[] = [{ at: 0, origin: 0, literal: true }];
  const unset: { name: string; at: number }[] = [];
  let expanded = "";
  let copied = 0;
  for (const found of text.matchAll(variable)) {
    if (inComment(text, found.index)) continue;
    const name = found[1] ?? "";
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined) {
      unset.push({ name, at: found.index });
      continue;
    }
    expanded += text.slice(copied, found.index);
    copied = found.index + found[0].length;
    segments.push({ at: expanded.length, origin: found.index, literal: false });
    expanded += value;
    segments.push({ at: expanded.length, origin: copied, literal: true });
  }
  const origin = (at: number): number => {
    const segment = segments.findLast((candidate) => candidate.at <= at) ?? { at: 0, origin: 0, literal: true };
    return segment.literal ? segment.origin + at - segment.at : segment.origin;
  };
  return { text: expanded + text.slice(copied), origin, unset };
}

// Telegraf's habit is one dash for a long option (`-config x`), ours is two. Both work: argv is rewritten before the command
// line parser sees it. Single letters are refused, because `-c` read as `--c` or as a bundle would be a guess.

export type NormalizedArgv = { readonly ok: true; readonly argv: readonly string[] } | { readonly ok: false; readonly message: string };

const LONG_WITH_ONE_DASH = /^-[A-Za-z][A-Za-z0-9-]+(=.*)?$/s;
const SINGLE_LETTER = /^-[A-Za-z](=.*)?$/s;

/**
 * Rewrites `-option` and `-option=value` to two dashes. Everything after a bare `--`, a lone `-`, and negative numbers stay.
 * A single-letter option is an error whose message names the long options that start with the letter.
 * `longOptions`: all known ones, without dashes.
 */
export function normalizeArgv(argv: readonly string[], longOptions: readonly string[]): NormalizedArgv {
  const result: string[] = [];
  let options = true;
  for (const argument of argv) {
    if (argument === "--") options = false;
    if (options && SINGLE_LETTER.test(argument)) return { ok: false, message: singleLetterMessage(argument, longOptions) };
    result.push(options && LONG_WITH_ONE_DASH.test(argument) ? `-${argument}` : argument);
  }
  return { ok: true, argv: result };
}

function singleLetterMessage(argument: string, longOptions: readonly string[]): string {
  const letter = argument.charAt(1).toLowerCase();
  const matching = longOptions.filter((option) => option.startsWith(letter)).map((option) => `--${option}`);
  const cure = matching.length > 0 ? `use ${matching.join(" or ")}` : "--help lists the options";
  return `${argument}: there are no single-letter options; ${cure}`;
}

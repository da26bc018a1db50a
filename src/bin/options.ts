// Values of command line options, and where they may come from: flag > LIMPET_OPTION_NAME > limpet.yaml (configFile.ts) > default.
import { InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../base/duration.js";

/** An option that the environment may give too: `--data` as LIMPET_DATA. */
export function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  return made.env(`LIMPET_${made.name().replaceAll("-", "_").toUpperCase()}`);
}

/** Collects a repeated option. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** Parses a duration into ms. */
export function duration(value: string): number {
  const parsed = parseDuration(value);
  if (!parsed.ok) throw new InvalidArgumentError(`${parsed.error}; ${parsed.cure}`);
  return parsed.ms;
}

/** Parses bytes: `1073741824`, `512MiB`, `2GiB`. */
export function byteSize(value: string): number {
  const parts = /^(\d+)(B|KiB|MiB|GiB)?$/.exec(value);
  if (parts === null) throw new InvalidArgumentError("not a size; use e.g. 512MiB or 2GiB");
  const unit = { B: 0, KiB: 10, MiB: 20, GiB: 30 }[parts[2] ?? "B"] ?? 0;
  const bytes = Number(parts[1]) * 2 ** unit;
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError("more bytes than can be counted; use e.g. 512MiB or 2GiB");
  return bytes;
}

/** The options of a command that needs rules; commander's own check would come before limpet.yaml is read. Throws UsageError. */
export function withRules<T extends { readonly rules?: readonly string[] }>(options: T): T {
  if (options.rules === undefined) throw new UsageError("--rules FILE is missing; configs/rules has examples");
  return options;
}

/** A base URL, without a slash at its end. Throws UsageError. */
export function baseUrl(flag: string, url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new UsageError(`${flag} ${url}: http(s)://HOST:PORT is wanted`);
  return url.replace(/\/+$/, "");
}

/** Wrong use or configuration: ends the process with exit code 2. */
export class UsageError extends Error {
  readonly code = "usage";

  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

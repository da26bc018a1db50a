// The commands there are: what the entry point loads, and the sections a limpet.yaml may have.

export const COMMAND_NAMES = ["up", "aggregate", "route", "assign", "drain", "top", "replay", "check", "test", "explain", "parse"] as const;

export type CommandName = (typeof COMMAND_NAMES)[number];

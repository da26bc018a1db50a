// The end of a process whose invariant broke: a restart and a handoff are tested paths, a wrong number is not.

/** Says what broke, in one line, and ends this process with 1. */
export function crash(error: unknown): void {
  process.stderr.write(
    `E! broken invariant, this process ends: ${error instanceof Error ? (error.stack ?? error.message).replaceAll("\n", " | ") : String(error)}\n`,
  );
  process.exit(1);
}

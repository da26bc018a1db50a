// What node's own functions throw.

/** The `code` of a system error (ENOENT, EADDRINUSE), undefined for anything else. Not by instanceof: an error may come from another realm. */
export function systemErrorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

// What a Limpet server answered that was no success, for a log line.

const LENGTH_MAX = 200;

/** `STATUS REASON`: the `error` of its JSON without what is around it, else the first line of what it sent. */
export function refusalText(status: number, body: string): string {
  const reason = errorOf(body) ?? body.trim().split("\n", 1)[0] ?? "";
  return `${String(status)} ${reason.slice(0, LENGTH_MAX)}`.trimEnd();
}

function errorOf(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null && "error" in parsed && typeof parsed.error === "string") return parsed.error;
  } catch {
    // A proxy's page, or a body that was cut.
  }
  return undefined;
}

/** A snapshot that cannot be read: not one, damaged, of a version this program does not know, or larger than memory. */
export class SnapshotError extends Error {
  readonly code: "not_a_snapshot" | "damaged" | "version" | "no_memory";

  constructor(code: SnapshotError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SnapshotError";
    this.code = code;
  }
}

// Rows as a flush leaves them, for the benches of what reads them: the outputs of R1 for `groups` groups, 4 rows each.
import { encodeLabels, RowWriter, rowLabels } from "#limpet/metric/rowWriter.js";

const OUTPUTS = ["sum_samples", "count_samples", "max", "avg"];

/** What a flush knows of `groups` groups: their labels, as the engine keeps them. */
export function identities(groups: number): Buffer[] {
  return Array.from({ length: groups }, (_, group) =>
    encodeLabels([
      { name: Buffer.from("region"), value: Buffer.from(`eu-central-${String(group % 8)}`) },
      { name: Buffer.from("service"), value: Buffer.from(`checkout-${String(group % 500).padStart(3, "0")}`) },
    ]),
  );
}

/** The bytes of a RowBlock of 4 rows per group, about 150 bytes each; every value is 42.5. */
export function frozenRows(groups: readonly Buffer[]): Uint8Array {
  const writer = new RowWriter();
  const added = OUTPUTS.map((output) => rowLabels(Buffer.from(`http_requests_duration_ms:10s_by_region_service_${output}`), []));
  for (const labels of groups) {
    for (const ofOutput of added) writer.row(labels, 0, ofOutput, { timestampMs: 1763870000000, value: 42.5, startMs: 0, type: 2 });
  }
  return writer.take().bytes;
}

/** `make(size)`, once per size: a bench builds its input on its first call and keeps it. */
export function keptBySize<T, Size = number>(make: (size: Size) => T): (size: Size) => T {
  const kept = new Map<Size, T>();
  return (size) => {
    const made = kept.get(size) ?? make(size);
    kept.set(size, made);
    return made;
  };
}

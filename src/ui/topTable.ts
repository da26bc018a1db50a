// The table of `limpet top`: Resources with what they carry, and the latest decisions.
import type { AssignerStatus, ResourceStatus } from "../drive/assignerStatus.js";
import { formatKeyRange } from "../slice/keyRange.js";
import { createPainter, formatBytes, formatCount, padEnd, padStart, renderLine, type Span, span, type Tone } from "./text.js";

export interface TopStyle {
  readonly width: number;
  /** Lines. */
  readonly height: number;
  readonly color: boolean;
}

const TONES: Readonly<Record<ResourceStatus["state"], Tone>> = { running: "good", draining: "warn", staying: "warn", gone: "bad" };
const DECISIONS_MAX = 8;

/** Lines of at most `width` columns, at most `height` of them. */
export function renderTop(status: AssignerStatus, { width, height, color }: TopStyle): string[] {
  const paint = createPainter(color);
  const rate = status.resources.reduce((sum, resource) => sum + resource.rate, 0);
  const idWidth = Math.max(8, ...status.resources.map(({ id }) => id.length));
  const head = [
    [span("generation ", "dim"), span(status.generation ?? "none yet", "strong"), span("  rules ", "dim"), span(status.rules.hash)],
    [
      span(`${String(status.slices)} slices, ${String(status.slicesMoving)} moving, `),
      span(`${String(status.slicesHeld)} held`, status.slicesHeld > 0 ? "bad" : "plain"),
      span(`  ${formatCount(rate)} pairs/s  ${String(status.watchers)} watchers`),
    ],
    [],
    [span(`${padEnd("resource", idWidth)}  state     slices   share   load%  pairs/s     bytes  moves`, "dim")],
  ];
  const rows = status.resources.map((resource) => rowOf(resource, idWidth, rate));
  const told = status.decisions.slice(-DECISIONS_MAX).map((decision) => {
    const how = { changed: "→", moving: "⇢", aborted: "×" }[decision.kind];
    const text = `${decision.generation}  ${formatKeyRange(decision)}  ${decision.from ?? "-"} ${how} ${decision.to ?? "-"}  `;
    return [span(text), span(decision.reason, decision.reason === "lost" ? "bad" : "dim")];
  });
  const lines = [...head, ...rows, ...(told.length > 0 ? [[], [span("latest decisions", "dim")], ...told] : [])];
  return lines.slice(0, height).map((spans) => renderLine(spans, width, paint));
}

function rowOf(resource: ResourceStatus, idWidth: number, rate: number): Span[] {
  const { id, state, slices, share, movesIn, movesOut } = resource;
  const load = rate > 0 ? resource.rate / rate : 0;
  const moves = movesIn + movesOut === 0 ? "" : `${String(movesIn)} in ${String(movesOut)} out`;
  return [
    span(`${padEnd(id, idWidth)}  `),
    span(padEnd(state, 8), TONES[state]),
    span(`  ${padStart(String(slices), 6)}  ${padStart(percent(share), 6)}  ${padStart(percent(load), 6)}`),
    span(`  ${padStart(formatCount(resource.rate), 7)}  ${padStart(formatBytes(resource.bytes), 8)}  ${moves}`),
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

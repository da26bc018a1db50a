// `sketch: tdigest`: t-digests of the library of that name, by number. They are outside of what is promised of results: the order of
// the samples shows in them.
//
// The library compresses by itself in a random order. That is switched off here and done in a fixed order, so that equal input gives equal
// output. Each digest has at most some thousand centroids, all of an engine CENTROIDS_MAX; past that new ones are refused.
import { TDigest } from "tdigest";
import type { ByteReader, ByteWriter } from "../base/bytes.js";
import { useDigests } from "../kernel/boxed.js";

/** A centroid is about 200 B of heap. */
const CENTROIDS_MAX = 1_000_000;
/** More than this and a digest is compressed. */
const SIZE_MAX = 2000;
/** The greatest part of all samples that one centroid may hold, in the middle. */
const DELTA = 0.01;

interface Digest {
  readonly root: number;
  readonly digest: TDigest;
  size: number;
  sizeMax: number;
}

const digests: (Digest | undefined)[] = [undefined];
const free: number[] = [];
/** Centroids per engine. */
const held = new Map<number, number>();

function count(root: number, more: number): void {
  held.set(root, (held.get(root) ?? 0) + more);
}

function open(root: number, digest: TDigest): number {
  const size = digest.size();
  const id = free.pop() ?? digests.length;
  digests[id] = { root, digest, size, sizeMax: SIZE_MAX };
  count(root, size);
  return id;
}

/** Adds the centroids anew, in an order that jumps about: input that grows steadily leaves one centroid per value otherwise. */
function compress({ digest }: Digest): void {
  const points = digest.toArray();
  let step = Math.max(1, Math.floor(points.length * 0.618));
  while (greatestDivisor(step, points.length) !== 1) step++;
  digest.reset();
  for (let i = 0, at = 0; i < points.length; i++, at = (at + step) % points.length) {
    const point = points[at];
    if (point !== undefined) digest.push_centroid(point);
  }
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

function add(root: number, id: number, value: number): number {
  if ((held.get(root) ?? 0) >= CENTROIDS_MAX) return 0;
  const at = id === 0 ? open(root, new TDigest(DELTA, 0)) : id;
  const entry = digests[at];
  // What is not finite would make every quantile so; no input has it.
  if (entry === undefined || !Number.isFinite(value)) return at;
  entry.digest.push(value);
  if (entry.digest.size() > entry.sizeMax) {
    compress(entry);
    entry.sizeMax = Math.max(SIZE_MAX, 2 * entry.digest.size());
  }
  const size = entry.digest.size();
  count(root, size - entry.size);
  entry.size = size;
  return at;
}

function drop(id: number): void {
  const entry = digests[id];
  if (entry === undefined) return;
  count(entry.root, -entry.size);
  digests[id] = undefined;
  free.push(id);
}

useDigests({ add, drop });

/** Drops all digests of an engine that ends. */
export function dropDigests(root: number): void {
  if (!held.has(root)) return;
  for (const [id, entry] of digests.entries()) if (entry?.root === root) drop(id);
  held.delete(root);
}

/** Centroids an engine holds. */
export function centroidsHeld(root: number): number {
  return held.get(root) ?? 0;
}

/** The value at rank phi, between the centroids on both sides of it; NaN without samples. */
export function digestQuantile(id: number, phi: number): number {
  return digests[id]?.digest.percentile(phi) ?? Number.NaN;
}

/** The centroids, after their number. */
export function writeDigest(out: ByteWriter, id: number): void {
  const points = digests[id]?.digest.toArray() ?? [];
  out.u32(points.length);
  for (const { mean, n } of points) {
    out.f64(mean);
    out.f64(n);
  }
}

/** Reads a digest, with its very centroids, for an engine; root 0 only skips it. Returns its number, 0 for none. */
export function readDigest(reader: ByteReader, root: number): number {
  const size = reader.u32();
  const digest = new TDigest(false, 0);
  for (let i = 0; i < size; i++) digest.push_centroid({ mean: reader.f64(), n: reader.f64() });
  if (root === 0 || size === 0) return 0;
  digest.discrete = false;
  return open(root, digest);
}

// Digests are the one state that is not in flat memory: objects of a library, which the kernel knows by number. Whoever makes the
// objects (aggregate/digests.ts) registers here.
//
// Not part of the AssemblyScript subset: in the WebAssembly build these calls are imports.

export interface DigestHost {
  /** Adds a value to the digest `id` of an engine, 0: to a new one. Returns its number, 0 when there is no room for it. */
  add(root: number, id: number, value: number): number;
  drop(id: number): void;
}

let host: DigestHost = {
  add: () => 0,
  drop: () => undefined,
};

export function useDigests(digests: DigestHost): void {
  host = digests;
}

export function addToDigest(root: number, id: number, value: number): number {
  return host.add(root, id, value);
}

export function dropDigest(id: number): void {
  host.drop(id);
}

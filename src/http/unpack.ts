// Bodies unpacked, bounded: what is announced small may be large. A gzip bomb is given up as soon as it is over the bound, and
// only a few bodies are unpacked and held at one time; the others wait as they were sent.
import { promisify } from "node:util";
import { gunzip, gunzipSync } from "node:zlib";
import { systemErrorCode } from "../base/systemError.js";

const unzip = promisify(gunzip);
const CHUNK_BYTES = 65_536;
/** Up to here a body is unpacked at once: zlib's threads cost three times its work (bench: ingest). At most some 30 ms. */
const AT_ONCE_BYTES_MAX = 131_072;

export type Unpacked =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly status: 400 | 413 | 415; readonly message: string };

/** A body after its Content-Encoding: gzip (of any number of members) or none. */
export async function unpack(body: Buffer, encoding: string | undefined, bytesMax: number): Promise<Unpacked> {
  const name = (encoding ?? "identity").trim().toLowerCase();
  if (name === "identity" || name === "") return { ok: true, bytes: body };
  if (name !== "gzip" && name !== "x-gzip")
    return { ok: false, status: 415, message: `content-encoding ${name} is not taken; send gzip or identity` };
  if (body.length === 0) return { ok: false, status: 400, message: "gzip: the body is empty" };
  try {
    const options = { maxOutputLength: bytesMax, chunkSize: CHUNK_BYTES };
    return { ok: true, bytes: body.length > AT_ONCE_BYTES_MAX ? await unzip(body, options) : gunzipSync(body, options) };
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ERR_BUFFER_TOO_LARGE")
      return { ok: false, status: 413, message: `body over ${String(bytesMax)} bytes when unpacked; send smaller batches` };
    return { ok: false, status: 400, message: code === "Z_BUF_ERROR" ? "gzip: the body ends too early" : "gzip: the body is no gzip, or damaged" };
  }
}

/** Lets `places` tasks run at one time, the others wait in order of arrival. */
export class Gate {
  #places: number;
  readonly #waiting: (() => void)[] = [];
  /** Tasks that run or wait. */
  running = 0;
  #idle: (() => void)[] = [];

  constructor(places: number) {
    this.#places = places;
  }

  async pass<T>(task: () => Promise<T>): Promise<T> {
    this.running++;
    if (this.#places > 0) this.#places--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#places++;
      else next();
      this.running--;
      if (this.running === 0) for (const done of this.#idle.splice(0)) done();
    }
  }

  /** Resolves when no task runs or waits. */
  idle(): Promise<void> {
    if (this.running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}

// What lets a sink in. A secret from a file may be replaced while we run (tokens that expire): it is read again when a receiver
// refuses it, and the request goes once more when it has changed.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { systemErrorCode } from "../base/systemError.js";
import { SinkUrlError } from "./sink.js";

export interface Secret {
  current(): string;
  /** Whether there is another one now. */
  refresh(): Promise<boolean>;
}

export interface SinkAccess {
  /** Basic authentication with the secret as password; without it the secret is a token. */
  readonly username?: string | undefined;
  readonly secret: Secret;
}

export function fixedSecret(text: string): Secret {
  return { current: () => text, refresh: () => Promise.resolve(false) };
}

/** The text of a file without the white space around it. Throws SinkUrlError when it cannot be read now; later the last one goes on. */
export function fileSecret(path: string): Secret {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new SinkUrlError(`${path} cannot be read (${systemErrorCode(cause) ?? "unknown error"})`);
  }
  if (text === "") throw new SinkUrlError(`${path} is empty`);
  return {
    current: () => text,
    async refresh() {
      const now = await readFile(path, "utf8").then(
        (read) => read.trim(),
        () => "",
      );
      if (now === "" || now === text) return false;
      text = now;
      return true;
    },
  };
}

/** Value of the header `authorization`; `scheme` is that of a token. */
export function authorization({ username, secret }: SinkAccess, scheme = "Bearer"): string {
  if (username === undefined) return `${scheme} ${secret.current()}`;
  return `Basic ${Buffer.from(`${username}:${secret.current()}`).toString("base64")}`;
}

// One HTTP exchange by hand: bytes as they stand go out, what matters of the answer comes back as text.
import { connect } from "node:net";
import { expand } from "./macros.js";

/** Headers of an answer that say something about the request. */
const TELLING = /^(allow|accept|retry-after|www-authenticate|limpet-[a-z-]+|x-prometheus-[a-z-]+|x-influxdb-error):/i;

/** A request as a case has it: lines end in CRLF; `connection: close` is added; <length> is the length of the body. */
export function requestBytes(input: string): Buffer {
  const at = `${input}\n`.indexOf("\n\n");
  const head = at < 0 ? input : input.slice(0, at);
  const body = at < 0 ? "" : expand(input.slice(at + 2));
  const close = /^connection:/im.test(head) || /<wait>/.test(head) ? "" : "\nconnection: close";
  const lines = expand(`${head.replace("<length>", String(body.length))}${close}`)
    .replaceAll("<wait>", "")
    .replaceAll("\n", "\r\n");
  return Buffer.from(head.includes("<wait>") ? lines : `${lines}\r\n\r\n${body}`, "latin1");
}

/** Sends and reads until the connection is closed. */
export function exchange(port: number, bytes: Buffer, waitMs = 25_000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answerText(text));
    };
    const timer = setTimeout(done, waitMs);
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.on("close", done);
    socket.on("error", () => undefined);
    socket.write(bytes);
  });
}

/** Status, telling headers, body. */
export function answerText(raw: string): string {
  const at = raw.indexOf("\r\n\r\n");
  if (at < 0) return raw === "" ? "no answer" : raw;
  const [status = "", ...headers] = raw.slice(0, at).split("\r\n");
  const telling = headers.filter((header) => TELLING.test(header)).map((header) => header.replace(/^[^:]*/, (name) => name.toLowerCase()));
  return [
    status.replace(/^HTTP\/1\.1 /, ""),
    ...telling,
    raw
      .slice(at + 4)
      .replace(/^0\r\n\r\n/, "")
      .trimEnd(),
  ]
    .filter((line) => line !== "")
    .join("\n");
}

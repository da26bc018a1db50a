// Requests that never became one: no HTTP, headers too long or too slow. Node hands over the connection; it is told why, once, and
// closed. A connection on which an answer is under way is only cut: text in the middle of it would be taken for a part of it.
import type { Duplex } from "node:stream";
import { systemErrorCode } from "../base/systemError.js";

/** A batch names its key ranges in a header: 40 bytes for each that has no neighbour. */
export const HEADERS_BYTES_MAX = 1 << 18;

export interface BrokenRequest {
  readonly status: 400 | 408 | 431;
  readonly message: string;
}

const WHY: Readonly<Record<string, string>> = {
  HPE_INVALID_CONTENT_LENGTH: "content-length is no number, or stands beside transfer-encoding",
  HPE_UNEXPECTED_CONTENT_LENGTH: "content-length is there twice, or stands beside transfer-encoding",
  HPE_INVALID_TRANSFER_ENCODING: "transfer-encoding is another one than chunked, or stands beside content-length",
  HPE_INVALID_CHUNK_SIZE: "the size of a chunk is no hexadecimal number",
  HPE_INVALID_HEADER_TOKEN: "a header line is damaged",
};
const NO_HTTP = "this is not HTTP/1.1; is the port right, and is TLS on at both ends or at neither?";

/** What to say of node's `clientError`; undefined when the client is gone and nothing can be said. */
export function brokenRequestOf(error: unknown, limits: { readonly headersMs: number; readonly requestMs: number }): BrokenRequest | undefined {
  const code = systemErrorCode(error) ?? "";
  if (code === "HPE_HEADER_OVERFLOW") return { status: 431, message: `headers over ${String(HEADERS_BYTES_MAX >> 10)} KiB` };
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    const [headers, all] = [limits.headersMs, limits.requestMs].map((ms) => String(ms / 1000));
    return { status: 408, message: `too slow: headers may take ${headers ?? ""} s, a request ${all ?? ""} s` };
  }
  return code.startsWith("HPE_") ? { status: 400, message: WHY[code] ?? NO_HTTP } : undefined;
}

const PHRASES = { 400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large" } as const;

/** Answers without a response object, which such a request has not, and closes. */
export function answerBroken(socket: Duplex, { status, message }: BrokenRequest): void {
  const body = `${message}\n`;
  socket.end(
    `HTTP/1.1 ${String(status)} ${PHRASES[status]}\r\ncontent-type: text/plain\r\ncontent-length: ${String(body.length)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

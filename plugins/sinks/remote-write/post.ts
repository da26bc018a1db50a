// One HTTP POST, from body to Reply. node:http with a keep-alive agent rather than fetch: half the CPU, and the request can be
// ended at once. A status line decides: what happens to the connection after it does not change what the receiver said.
import http from "node:http";
import https from "node:https";
import type { Answer } from "#limpet/sink/answer.js";

export interface Reply {
  readonly answer: Answer;
  /** It has a header X-Prometheus-Remote-Write-*-Written: a receiver that read remote write 2.0. */
  readonly written: boolean;
}

/** Enough for a message; the rest of a body is thrown away. */
const bodyBytesMax = 4096;
const writtenHeader = /^x-prometheus-remote-write-.+-written$/;
/** A body longer than this is not waited for. */
const bodyBytesRead = 65_536;

export interface Target {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly agent: http.Agent;
}

/** Sends `body` and calls `done` exactly once, unless the function returned, which ends the request, is called before. */
export function post(target: Target, body: Uint8Array, headers: Readonly<Record<string, string>>, done: (reply: Reply) => void): () => void {
  let over = false;
  const finish = (answer: Answer, written = false): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    done({ answer, written });
  };
  const send = target.url.protocol === "https:" ? https.request : http.request;
  const request = send(target.url, {
    method: "POST",
    agent: target.agent,
    headers: { ...target.headers, ...headers, "content-length": body.length },
  });
  const timer = setTimeout(() => {
    finish({ kind: "failed", reason: `no answer within ${target.timeoutMs / 1000} s` });
    request.destroy();
  }, target.timeoutMs);
  request.on("error", (error: NodeJS.ErrnoException) => finish({ kind: "failed", reason: error.code ?? error.message }));
  // 101: node hands over the connection, and no response comes.
  request.on("upgrade", (_response, socket) => {
    finish({ kind: "failed", reason: "the answer is an upgrade to another protocol" });
    socket.destroy();
  });
  request.on("response", (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (): void =>
      finish(
        {
          kind: "status",
          status: response.statusCode ?? 0,
          body: Buffer.concat(chunks).toString("utf8", 0, bodyBytesMax),
          retryAfter: response.headers["retry-after"],
        },
        Object.keys(response.headers).some((name) => writtenHeader.test(name)),
      );
    response.on("data", (chunk: Buffer) => {
      if (bytes < bodyBytesMax) chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > bodyBytesRead) {
        end();
        request.destroy();
      }
    });
    // "close" comes after "end" and after a connection that broke in the middle of the body alike.
    response.on("close", end);
    response.on("error", end);
  });
  request.end(body);
  return () => {
    over = true;
    clearTimeout(timer);
    request.destroy();
  };
}

// A remote-write receiver that answers every request with the bytes of a case, whatever they are.
import { createServer, type Server, type Socket } from "node:net";
import { expand } from "./macros.js";

export interface EvilReceiver {
  readonly port: number;
  close(): void;
}

/** `answers`: by path. A text with <wait> is sent and the connection stays open; the others are closed behind it. */
export async function startEvilReceiver(answers: ReadonlyMap<string, string>): Promise<EvilReceiver> {
  const bytes = new Map([...answers].map(([path, text]) => [path, Buffer.from(answerOf(text), "latin1")]));
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    let head = "";
    socket.on("data", (chunk: Buffer) => {
      if (head.includes("\r\n\r\n")) return;
      head += chunk.toString("latin1");
      const path = /^POST (\S+) HTTP/.exec(head)?.[1] ?? "";
      if (!head.includes("\r\n\r\n")) return;
      socket.write(bytes.get(path) ?? Buffer.alloc(0));
      if (answers.get(path)?.includes("<wait>") !== true) socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** As a case has it: lines of the head end in CRLF; a blank line ends the head. */
function answerOf(text: string): string {
  const at = `${text}\n`.indexOf("\n\n");
  if (at < 0) return expand(text).replaceAll("<wait>", "").replaceAll("\n", "\r\n");
  return `${expand(text.slice(0, at)).replaceAll("\n", "\r\n")}\r\n\r\n${expand(text.slice(at + 2))}`;
}

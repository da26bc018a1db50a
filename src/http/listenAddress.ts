// HOST:PORT as --listen takes it.

export type ListenAddress = { readonly ok: true; readonly host: string; readonly port: number } | { readonly ok: false; readonly message: string };

/** `HOST:PORT`, `[V6]:PORT`, `:PORT` or `PORT`; without a host it is loopback, never all interfaces. Port 0: any free one. */
export function parseListenAddress(text: string): ListenAddress {
  const parts = /^(?:\[([0-9A-Fa-f:.%]+)\]:|([^:[\]\s]*):)?(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  if (parts === null || port > 65535) {
    return { ok: false, message: `${text}: HOST:PORT is wanted, port 0 to 65535, e.g. 127.0.0.1:4581 or [::1]:4581` };
  }
  const host = parts[1] ?? parts[2] ?? "";
  return { ok: true, host: host === "" ? "127.0.0.1" : host, port };
}

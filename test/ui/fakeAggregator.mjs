// Stands in for `limpet aggregate` where a test needs one that misbehaves: counts lines, answers status, writes a few rows
// by remote write every second, prints the ledger. Its first argument says how it fails:
//   crash: exits 3 after its first input   config: exits 2 at once   hang: never ends   mute: no ledger   lossy: loses a line   good: does not
import { createServer } from "node:http";
import { compress } from "snappyjs";

const mode = process.argv[2];
const option = (name) => process.argv[process.argv.indexOf(name) + 1];
process.stderr.write(`W! pid ${process.pid}\n`);
if (mode === "config") {
  process.stderr.write("E! rules.yaml:3:1: unknown key intervall; use interval\n");
  process.exit(2);
}

let lines = 0;
let rows = 0;
let flushes = 0;
const ledger = () => {
  const ignored = Math.floor(lines / 10);
  const matched = lines - ignored;
  return {
    lines_read: lines - (mode === "lossy" ? 1 : 0),
    lines_invalid: 0,
    samples_received: lines,
    samples_matched: matched,
    samples_ignored: { unmatched: ignored },
    pairs_matched: matched,
    pairs_applied: matched,
    pairs_duplicate: 0,
    pairs_ignored: {},
    pairs_rejected: 0,
    pairs_pending: 0,
    pairs_dropped: {},
    rows_sent: rows,
    rows_stored: rows,
    rows_conflict: 0,
    series: 29_871,
    groups: 216,
    windows_flushed: flushes,
  };
};

const server = createServer((_request, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ ledger: ledger() }));
});
const [host, port] = option("--listen").split(":");
server.listen(Number(port), host);

const field = (number, bytes) => Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);
function varint(value) {
  const bytes = [];
  let rest = BigInt(value);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}
function seriesOf(labels, value, timestamp) {
  const double = Buffer.alloc(8);
  double.writeDoubleLE(value);
  const sample = Buffer.concat([Buffer.from([0x09]), double, Buffer.from([0x10]), varint(timestamp)]);
  const pairs = labels.map(([name, text]) => field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from(text))])));
  return field(1, Buffer.concat([...pairs, field(2, sample)]));
}

async function flush() {
  const timestamp = Date.now() - 2000;
  const series = [];
  for (const name of ["service:http_requests_count:total", "service:http_requests_count:rate_sum", "service:http_duration_ms:quantiles"]) {
    for (const region of ["ap-south-1", "eu-west-1", "us-east-1"]) {
      for (const status of ["200", "404", "500"]) {
        series.push(
          seriesOf(
            [
              ["__name__", name],
              ["region", region],
              ["service", "auth"],
              ["status", status],
            ],
            lines / 7,
            timestamp,
          ),
        );
      }
    }
  }
  rows += series.length;
  flushes++;
  await fetch(option("--sink"), { method: "POST", body: compress(Buffer.concat(series)) });
}

let flushing = Promise.resolve();
const timer = setInterval(() => {
  flushing = flushing.then(flush);
}, 1000);
process.on("SIGINT", () => undefined);
process.stdin.on("data", (chunk) => {
  for (const byte of chunk) if (byte === 10) lines++;
  if (mode === "crash") {
    process.stderr.write("E! assertion failed: fake\n");
    process.exit(3);
  }
});
process.stdin.on("end", async () => {
  if (mode === "hang") return;
  clearInterval(timer);
  await flushing;
  await flush();
  server.close();
  server.closeAllConnections();
  if (mode !== "mute") process.stdout.write(`ledger ${JSON.stringify(ledger())}\n`);
});

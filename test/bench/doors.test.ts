// What the doors of the comparison send is what the workload holds.

import { gunzipSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { compressSnappy } from "#limpet/base/snappy.js";
import { makeWorkload, stampTimes } from "../../bench/data.js";
import { postsOf, writeRequest } from "../../bench/doors.js";
import { rowsOfBody } from "../../bench/receiver.js";

const workload = makeWorkload({ lines: 1000, series: 500, seed: 1, roundMs: 1000, fullPrecision: false, shuffle: false });
stampTimes(workload, 1_763_870_000_000);

test("doors: lines -> the numbers of their fields as series of remote write, strings left out", () => {
  const line = String.raw`queue\ depth,region=eu,host=a depth=5i,ok=true,f=-1.5e3,state="idle, \"x\" y=1" 1763870000000000000`;
  expect(rowsOfBody(compressSnappy(writeRequest(`${line}\n`)))).toEqual([
    { name: "queue_depth_depth", labels: 'host="a",region="eu"', value: 5 },
    { name: "queue_depth_ok", labels: 'host="a",region="eu"', value: 1 },
    { name: "queue_depth_f", labels: 'host="a",region="eu"', value: -1500 },
  ]);
});

test("doors: remote -> every numeric field of the workload once", () => {
  const bodies = postsOf("remote").bodies(workload, 0, 1000);
  expect(bodies.flatMap((body) => rowsOfBody(body))).toHaveLength(workload.numericFields);
});

test("doors: fleet and gzip -> all bytes of the lines, in order", () => {
  expect(Buffer.concat(postsOf("fleet").bodies(workload, 0, 1000)).equals(workload.bytes)).toBe(true);
  const unpacked = postsOf("gzip")
    .bodies(workload, 0, 1000)
    .map((body) => gunzipSync(body));
  expect(Buffer.concat(unpacked).equals(workload.bytes)).toBe(true);
});

// Plan: the driver of a Slicelet against an assigner that is a real HTTP server and answers as a test likes.
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "@jest/globals";
import { SteadyClock } from "#limpet/base/clock.js";
import { createLog } from "#limpet/base/log.js";
import { SliceletDriver } from "#limpet/drive/sliceletDriver.js";
import { PeerClient } from "#limpet/http/peerClient.js";
import { MOVE_LIMITS } from "#limpet/slicelet/outgoing.js";
import { Slicelet } from "#limpet/slicelet/slicelet.js";
import { ModelHoldings } from "../sim/modelHoldings.js";

let server: Server;
let driver: SliceletDriver;

afterEach(() => {
  driver.stop();
  server.closeAllConnections();
  server.close();
});

/** A driver that reports to an assigner with these answers, by number of the heartbeat; and its log. */
async function reporting(answer: (count: number, response: ServerResponse) => void): Promise<string[]> {
  let count = 0;
  server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      answer(++count, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const assigner = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const said: string[] = [];
  const holdings = new ModelHoldings({
    gap: true,
    duplicate: true,
    hold: true,
    go: true,
    withdraw: true,
    oneWindow: true,
    needRules: true,
    back: true,
  });
  const self = { id: "a", address: "http://a", incarnation: "1", cluster: "c" };
  driver = new SliceletDriver({
    slicelet: new Slicelet({ self, holdings, limits: MOVE_LIMITS, heartbeatMs: 50, offers: [] }),
    holdings,
    peers: new PeerClient({ assigner, token: undefined, timeoutMs: 5000 }),
    clock: new SteadyClock({ wall: () => Date.now(), monotonic: () => performance.now() }),
    log: createLog({ mode: "serve", write: (_stream, line) => said.push(line), now: () => 0 }),
    withdraw: () => Promise.resolve([]),
    resume: () => undefined,
    onBehind: () => undefined,
    onBroken: (error) => {
      throw error;
    },
  });
  driver.start();
  return said;
}

describe("slicelet driver", () => {
  test("heartbeat: one that is not answered -> the others go on meanwhile", async () => {
    const fifth = new Promise<void>((resolve) => {
      void reporting((count, response) => {
        if (count === 5) resolve();
        // The first one hangs: a connection that is dead, or an answer that is held back.
        if (count > 1) response.end('{"generation":"1.1","wantsAssignment":false}');
      });
    });
    const startMs = performance.now();
    await fifth;
    expect(performance.now() - startMs).toBeLessThan(1900);
    expect(driver.refusal).toBeUndefined();
  });

  test("heartbeat: none is answered -> a few under way, not more and more", async () => {
    let most = 0;
    const said = await reporting((count) => {
      most = count;
    });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(most).toBe(4);
    expect(said).toEqual([]);
  });
});

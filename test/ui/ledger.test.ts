// Plan: each equation fails when one of its counts is off by one, and only that one; the JSON has the keys that scripts
// rely on; the table spells every number and fits its width.
import { describe, expect, test } from "@jest/globals";
import { type AggregatorLedger, equationsOf, isClosed, ledgerJson, sumLedgers, type Witness } from "#limpet/ui/ledger.js";
import { renderLedger } from "#limpet/ui/ledgerTable.js";
import { expectGolden } from "./golden.js";

const ledger: AggregatorLedger = {
  lines_read: 1_201_334,
  lines_invalid: 0,
  samples_received: 1_834_112,
  samples_matched: 1_500_000,
  samples_ignored: { unmatched: 334_000, string: 112 },
  pairs_matched: 1_500_000,
  pairs_applied: 1_499_000,
  pairs_duplicate: 10,
  pairs_ignored: { late: 600, inexact: 90 },
  pairs_rejected: 100,
  pairs_pending: 0,
  pairs_dropped: { group_cap: 200 },
  rows_sent: 3_744,
  rows_stored: 3_740,
  rows_conflict: 4,
  rows_moved: 12,
  rows_arrived: 12,
  series: 29_871,
  groups: 216,
  windows_flushed: 58,
  lines_dropped: {},
  moves_out: 3,
  pauses_ms: [5, 40, 7],
};
const witness: Witness = { linesSent: 1_201_334, rowsReceived: 3_740, seconds: 60.1 };

const open = (changed: Partial<AggregatorLedger>, seen: Partial<Witness> = {}): string[] =>
  equationsOf({ ...ledger, ...changed }, { ...witness, ...seen })
    .filter((equation) => !isClosed(equation))
    .map(({ total: [name] }) => name);

describe("ledger", () => {
  test("ledger: everything adds up -> closes", () => {
    expect(open({})).toEqual([]);
    expect(ledgerJson(ledger, witness)["closes"]).toBe(true);
  });

  test.each<[string, Partial<AggregatorLedger>, Partial<Witness>, string[]]>([
    ["a line lost on the way in", { lines_read: 1_201_333 }, {}, ["lines sent"]],
    ["a line more than was sent", {}, { linesSent: 1_201_333 }, ["lines sent"]],
    ["a sample neither matched nor ignored", { samples_received: 1_834_113 }, {}, ["samples received"]],
    ["a reason miscounted", { samples_ignored: { unmatched: 334_000, string: 111 } }, {}, ["samples received"]],
    ["a pair applied twice", { pairs_applied: 1_499_001 }, {}, ["pairs matched"]],
    ["a pair forgotten as pending", { pairs_pending: 1 }, {}, ["pairs matched"]],
    ["a drop not counted", { pairs_dropped: {} }, {}, ["pairs matched"]],
    ["a row without an outcome", { rows_sent: 3_745 }, {}, ["rows sent"]],
    ["a row that left and did not arrive", { rows_arrived: 11 }, {}, ["rows moved"]],
    ["a row that the receiver does not have", {}, { rowsReceived: 3_739 }, ["rows stored"]],
    ["lines that no owner has", { lines_dropped: { stop: 2 } }, {}, ["lines lost"]],
    ["rows sent to another TSDB", {}, { rowsReceived: undefined }, []],
  ])("ledger: %s -> exactly that equation is open", (_what, changed, seen, expected) => {
    expect(open(changed, seen)).toEqual(expected);
    expect(ledgerJson({ ...ledger, ...changed }, { ...witness, ...seen })["closes"]).toBe(expected.length === 0);
  });

  test("ledger: of several aggregators -> every count is the sum, reasons by name, pauses together", () => {
    const other = { ...ledger, samples_ignored: { unmatched: 1, nan: 2 }, lines_read: 6, pauses_ms: [100] };
    const sum = sumLedgers([ledger, other]);
    expect(sum).toMatchObject({ lines_read: 1_201_340, pairs_matched: 3_000_000, moves_out: 6, pauses_ms: [5, 40, 7, 100] });
    expect(sum?.samples_ignored).toEqual({ unmatched: 334_001, string: 112, nan: 2 });
    expect(sumLedgers([])).toBeUndefined();
    for (const [name, count] of Object.entries(ledger))
      if (typeof count === "number" && name !== "lines_read") expect(sum).toHaveProperty(name, 2 * count);
  });

  test("ledger: of a cluster as JSON -> its moves, the 99th percentile of its pauses", () => {
    const facts = { moves: 32, generations: 20, aggregatorsStarted: 4 };
    expect(ledgerJson(ledger, witness, facts)).toMatchObject({ moves: 32, pause_ms_p99: 40, generations: 20, aggregators_started: 4 });
  });

  test("ledger: as JSON -> the promised keys in their order", () => {
    expect(Object.keys(ledgerJson(ledger, witness)).join(" ")).toBe(
      "seconds lines_sent lines_invalid samples_received samples_matched samples_ignored pairs_matched pairs_applied pairs_duplicate pairs_ignored pairs_rejected pairs_pending pairs_dropped rows_sent rows_stored rows_conflict moves pause_ms_p99 generations aggregators_started closes",
    );
  });

  test("ledger: as a table -> golden", () => {
    const style = { width: 80, color: false };
    expectGolden("ledger-closes", renderLedger({ ledger, witness, seriesOut: 312 }, style));
    expectGolden(
      "ledger-open",
      renderLedger(
        { ledger: { ...ledger, lines_read: 1, lines_invalid: 2 }, witness: { ...witness, rowsReceived: undefined }, seriesOut: undefined },
        style,
      ),
    );
  });
});

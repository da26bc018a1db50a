import { expect, test } from "@jest/globals";
import { systemErrorCode } from "#limpet/base/systemError.js";

test.each([
  [Object.assign(new Error("x"), { code: "ENOENT" }), "ENOENT"],
  [new Error("x"), undefined],
  [{ code: 7 }, undefined],
  [null, undefined],
  ["ENOENT", undefined],
])("system error code: %p -> %p", (error, wanted) => {
  expect(systemErrorCode(error)).toBe(wanted);
});

// Bytes to text and back where the order of labels and the count of bad bytes matter.

import { isUtf8 } from "node:buffer";

// A byte order mark is part of a name here, not a mark.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of bytes; `bad` when U+FFFD had to stand in for something that is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): { readonly text: string; readonly bad: boolean } {
  return { text: decoder.decode(bytes), bad: !isUtf8(bytes) };
}

/** Order by UTF-8 bytes, which is the order by code point: JavaScript's own `<` puts U+FFFD after an emoji. */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

// Surrogates stand for code points above every other unit.
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

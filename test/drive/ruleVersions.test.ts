// The assigner's book of rule versions.
import { describe, expect, it } from "@jest/globals";
import { RuleVersions } from "#limpet/drive/ruleVersions.js";
import { memoryStore } from "#limpet/store/memoryStore.js";

const files = (text: string) => [{ path: "rules.yaml", text }];

/** Texts of the newest version and of those before it, as somebody finds them who follows the hashes. */
function chainOf(versions: RuleVersions): string[] {
  const found: string[] = [];
  for (let hash: string | undefined = versions.newest.hash; hash !== undefined; ) {
    const version = versions.find(hash);
    found.push(`${version?.files[0]?.text ?? "?"}@${String(version?.activeFromMs)}`);
    hash = version?.previous;
  }
  return found;
}

describe("rule versions", () => {
  it("files change, and back -> three versions, each naming the one before; the first holds from the beginning", async () => {
    const versions = await RuleVersions.open(memoryStore(), files("a"), 10);
    expect(await versions.add(files("b"), 20)).toBe(true);
    expect(await versions.add(files("b"), 30)).toBe(false);
    expect(await versions.add(files("a"), 40)).toBe(true);
    expect(chainOf(versions)).toEqual(["a@40", "b@20", "a@0"]);
  });

  it("a restart with other files, then with equal ones -> one more version, then none", async () => {
    const store = memoryStore();
    await RuleVersions.open(store, files("a"), 10);
    expect(chainOf(await RuleVersions.open(store, files("b"), 20))).toEqual(["b@20", "a@0"]);
    expect(chainOf(await RuleVersions.open(store, files("b"), 30))).toEqual(["b@20", "a@0"]);
  });

  it("more than it keeps -> the oldest go, and nobody is sent to look for them", async () => {
    const versions = await RuleVersions.open(memoryStore(), files("0"), 0);
    for (let i = 1; i <= 20; i++) await versions.add(files(String(i)), i);
    expect(chainOf(versions)).toEqual(Array.from({ length: 8 }, (_, i) => `${String(20 - i)}@${String(20 - i)}`));
  });
});

// The versions of the rules that the assigner serves, newest first. Samples of a while ago still go by an older one, so some are kept.
import type { AssignerStore } from "../assign/store.js";
import { type RuleFileText, type RuleVersion, ruleHash } from "../slice/ruleVersion.js";

/** More than can be in use within `hold` when people edit by hand. */
const VERSIONS_MAX = 8;

export class RuleVersions {
  readonly #store: AssignerStore;
  /** Invariant: not empty, newest first, hashes differ. */
  #versions: readonly [RuleVersion, ...RuleVersion[]];

  private constructor(store: AssignerStore, versions: readonly [RuleVersion, ...RuleVersion[]]) {
    this.#store = store;
    this.#versions = versions;
  }

  /**
   * The stored versions, and one more when `files` is not the newest of them: active from `activeFromMs` on, or from the beginning
   * when it is the first of all. Throws the system's error.
   */
  static async open(store: AssignerStore, files: readonly RuleFileText[], activeFromMs: number): Promise<RuleVersions> {
    const [newest, ...older] = await store.readRules();
    const hash = ruleHash(files);
    if (newest === undefined) {
      const versions = new RuleVersions(store, [{ hash, activeFromMs: 0, files }]);
      await store.writeRules(versions.#versions);
      return versions;
    }
    const versions = new RuleVersions(store, [newest, ...older]);
    await versions.add(files, activeFromMs);
    return versions;
  }

  get newest(): RuleVersion {
    return this.#versions[0];
  }

  find(hash: string): RuleVersion | undefined {
    return this.#versions.find((version) => version.hash === hash);
  }

  /** False: it is the newest already. Going back to an older one makes that the newest again, from then on. Throws the system's error. */
  async add(files: readonly RuleFileText[], activeFromMs: number): Promise<boolean> {
    const hash = ruleHash(files);
    if (hash === this.newest.hash) return false;
    const older = this.#versions.filter((version) => version.hash !== hash).slice(0, VERSIONS_MAX - 1);
    const versions: readonly [RuleVersion, ...RuleVersion[]] = [{ hash, activeFromMs, files }, ...older];
    await this.#store.writeRules(versions);
    this.#versions = versions;
    return true;
  }
}

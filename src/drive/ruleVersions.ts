// The versions of the rules that the assigner serves, newest first. Windows of a while ago still go by an older one, so some are kept:
// who comes anew follows them back by the hash that each names, until what changed is over (aggregate/ruleVersions.ts).
import type { AssignerStore } from "../assign/store.js";
import { type RuleFileText, type RuleVersion, ruleHash } from "../slice/ruleVersion.js";

/** More than can be in use within `hold` when people edit by hand. */
const VERSIONS_MAX = 8;

export class RuleVersions {
  readonly #store: AssignerStore;
  /** Invariant: not empty, newest first. */
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
    if (newest === undefined) {
      const versions = new RuleVersions(store, [versionOf(files, 0)]);
      await store.writeRules(versions.#versions);
      return versions;
    }
    const versions = new RuleVersions(store, [newest, ...older]);
    await versions.add(files, activeFromMs);
    return versions;
  }

  get newest(): RuleVersion {
    return this.#named(0) ?? this.#versions[0];
  }

  find(hash: string): RuleVersion | undefined {
    return this.#named(this.#versions.findIndex((version) => version.hash === hash));
  }

  /** False: it is the newest already. Throws the system's error. */
  async add(files: readonly RuleFileText[], activeFromMs: number): Promise<boolean> {
    if (ruleHash({ activeFromMs: 0, files }) === ruleHash({ activeFromMs: 0, files: this.newest.files })) return false;
    const versions: readonly [RuleVersion, ...RuleVersion[]] = [versionOf(files, activeFromMs), ...this.#versions.slice(0, VERSIONS_MAX - 1)];
    await this.#store.writeRules(versions);
    this.#versions = versions;
    return true;
  }

  /** With the name of the one before it, as long as that is here. */
  #named(i: number): RuleVersion | undefined {
    const version = this.#versions[i];
    return version === undefined ? undefined : { ...version, previous: this.#versions[i + 1]?.hash };
  }
}

function versionOf(files: readonly RuleFileText[], activeFromMs: number): RuleVersion {
  return { hash: ruleHash({ activeFromMs, files }), activeFromMs, files };
}

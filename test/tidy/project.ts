// The tree as a whole: plugin folders, benches, links between documents, package.json.
import { posix } from "node:path";
import ts from "typescript";
import { isSource, parse, type Tree, walk } from "./source.js";

export function checkPlugins(tree: Tree): string[] {
  const problems: string[] = [];
  const folders = new Set([...tree.keys()].map((path) => /^plugins\/[^/]+\/[^/]+(?=\/)/.exec(path)?.[0]).filter((folder) => folder !== undefined));
  for (const folder of folders) {
    const name = folder.split("/")[2] ?? "";
    const isOutput = folder.startsWith("plugins/aggregators/");
    const entry = isOutput ? name : "sink";
    if (!tree.has(`${folder}/README.md`)) problems.push(`${folder}: no README.md; say what it is, what it emits and show one example`);
    if (!tree.has(`${folder}/${entry}.ts`)) problems.push(`${folder}: no ${entry}.ts; that is where the code of a plugin is looked for`);
    // Sinks have one conformance suite in test/sink instead: what they do is send, not compute.
    if (isOutput && ![...tree.keys()].some((path) => path.startsWith(`${folder}/testcases/`))) {
      problems.push(`${folder}: no testcases/; add at least one folder with input, rule and expected`);
    }
  }
  return problems;
}

/** bench/NAME.bench.ts measures the function or file NAME. Other files of bench/ serve them. */
export function checkBenches(tree: Tree): string[] {
  const known = new Set<string>();
  for (const [path, text] of tree) {
    if (!isSource(path) || !/^(src|plugins)\//.test(path)) continue;
    known.add(posix.basename(path, ".ts"));
    walk(parse(path, text), (node) => {
      if (ts.isFunctionDeclaration(node) && node.name !== undefined) known.add(node.name.text);
    });
  }
  return [...tree.keys()]
    .map((path) => /^bench\/(.+)\.bench\.ts$/.exec(path)?.[1])
    .filter((name) => name !== undefined && !known.has(name))
    .map((name) => `bench/${name ?? ""}.bench.ts: nothing is called ${name ?? ""}; name the bench after the function or file it measures`);
}

/** Every link of a document leads to a file, and its anchor to a heading. `exists` answers for folders too. */
export function checkLinks(tree: Tree): string[] {
  const problems: string[] = [];
  const folders = new Set([...tree.keys()].flatMap((path) => path.split("/").map((_part, depth, parts) => parts.slice(0, depth).join("/"))));
  for (const [path, text] of tree) {
    if (!path.endsWith(".md")) continue;
    const prose = text.replace(/```[\s\S]*?```/g, (block) => block.replace(/[^\n]/g, " ")).replace(/`[^`\n]*`/g, "");
    for (const link of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [target = "", anchor] = (link[1] ?? "").split("#", 2);
      if (/^[a-z]+:/.test(target)) continue;
      const line = prose.slice(0, link.index).split("\n").length;
      const file = target === "" ? path : posix.normalize(posix.join(posix.dirname(path), target));
      const isFolder = folders.has(file.replace(/\/$/, ""));
      if (!tree.has(file) && !isFolder) problems.push(`${path}:${line}: ${target} does not exist; correct the link or add the file`);
      else if (anchor !== undefined && !anchorsOf(tree.get(file) ?? "").has(anchor))
        problems.push(`${path}:${line}: ${file} has no heading #${anchor}`);
    }
  }
  return problems;
}

function anchorsOf(text: string): Set<string> {
  const headings = text.replace(/```[\s\S]*?```/g, "").match(/^#+ .+$/gm) ?? [];
  return new Set(
    headings.map((heading) =>
      heading
        .replace(/^#+ /, "")
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replace(/ /g, "-"),
    ),
  );
}

/** `packageJson` and `lock`: parsed. */
export function checkPackage(packageJson: unknown, lockText: string): string[] {
  const problems: string[] = [];
  const read = (key: string): Record<string, unknown> => {
    const value: unknown = typeof packageJson === "object" && packageJson !== null ? Reflect.get(packageJson, key) : undefined;
    return typeof value === "object" && value !== null ? { ...value } : {};
  };
  const { node } = read("engines");
  if (typeof node !== "string" || !/^>=\d+\.\d+\.\d+$/.test(node))
    problems.push(`package.json: engines.node is ${String(node)}; the lowest tested version, as >=20.19.0`);
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]) {
    for (const [name, range] of Object.entries(read(kind))) {
      if (typeof range !== "string" || !/^[\^~]?\d+(\.\d+){0,2}$/.test(range))
        problems.push(`package.json: ${kind}.${name} is ${String(range)}; a plain version with ^, ~ or nothing`);
    }
  }
  for (const hook of ["preinstall", "install", "postinstall", "prepare"]) {
    if (hook in read("scripts")) problems.push(`package.json: scripts.${hook} runs on the user's machine at install; do the work in \`build\``);
  }
  if (/"resolved": "(?!file:)/.test(lockText))
    problems.push('package-lock.json: has "resolved" addresses; run npm with --omit-lockfile-registry-resolved');
  return problems;
}

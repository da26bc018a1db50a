// Types are what this lint is for: floating promises, unsafe any, needless conditions. Form is biome's job (biome.json), and the
// rules of the house (layers, names, sizes) are an ordinary test: test/tidy.
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "build/", "node_modules/", ".cache/", "coverage/", "**/*.d.ts"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      // Numbers print as one means them; objects still may not.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // `return refuse(...)`, which answers undefined after reporting, is one thought in one line; so is `() => call()`.
      "@typescript-eslint/no-confusing-void-expression": "off",
      // An interface says async, one implementation of it need not wait.
      "@typescript-eslint/require-await": "off",
      // [...text] is how one gets at code points.
      "@typescript-eslint/no-misused-spread": "off",
      // for (;;) and while (true) end by return.
      "@typescript-eslint/no-unnecessary-condition": ["error", { allowConstantLoopConditions: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/naming-convention": [
        "error",
        { selector: "typeLike", format: ["PascalCase"] },
        { selector: "function", format: ["camelCase"] },
      ],
      "max-params": ["error", 4],
      "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true }],
      "max-depth": ["error", 5],
      eqeqeq: "error",
      "no-console": "error",
      "no-warning-comments": ["error", { terms: ["todo", "fixme", "xxx", "hack"] }],
    },
  },
  {
    // The AssemblyScript subset: bits are numbers, a hot loop may be long if it is straight, state is in module variables.
    files: ["src/kernel/**/*.ts"],
    rules: {
      "max-params": "off",
      "max-lines-per-function": "off",
      "max-depth": "off",
      "prefer-const": "off",
      eqeqeq: "off",
      "@typescript-eslint/no-unnecessary-condition": "off",
      "@typescript-eslint/no-inferrable-types": "off",
      "@typescript-eslint/no-unnecessary-type-conversion": "off",
    },
  },
  {
    // A test is a list of cases: long describe blocks are fine. Printing is a command's and a bench's job.
    files: ["test/**/*.ts", "bench/**/*.ts"],
    // A row of a table test has as many columns as it needs.
    rules: { "max-lines-per-function": "off", "max-params": "off" },
  },
  { files: ["src/bin/**/*.ts", "src/ui/**/*.ts", "bench/**/*.ts"], rules: { "no-console": "off" } },
);

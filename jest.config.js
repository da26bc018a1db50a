// Tests import the sources themselves (swc strips the types); tests that start processes run what `tsc -b` built in dist/.
export default {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  extensionsToTreatAsEsm: [".ts"],
  moduleNameMapper: {
    "^#limpet/plugins/(.*)\\.js$": "<rootDir>/plugins/$1.ts",
    "^#limpet/(.*)\\.js$": "<rootDir>/src/$1.ts",
    "^(\\.{1,2}/.*)\\.js$": "$1",
  },
  transform: {
    "^.+\\.ts$": ["@swc/jest", { sourceMaps: "inline", module: { type: "es6" }, jsc: { target: "es2022", parser: { syntax: "typescript" } } }],
  },
  testTimeout: 60000,
  // Many tests wait for processes and windows rather than for the processor.
  maxWorkers: 2,
};

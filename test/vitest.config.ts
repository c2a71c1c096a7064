import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    exclude: ["e2e/**", "bench/**"],
    testTimeout: 60_000,
    hookTimeout: 300_000,
    // Two cores carry a kube-apiserver and several PostgreSQL servers besides the tests.
    maxWorkers: 2,
  },
});

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/e2e/**", "test/bench/**", "node_modules/**"],
    testTimeout: 60_000,
    hookTimeout: 300_000,
    // Two cores carry a kube-apiserver and several PostgreSQL servers besides the tests.
    maxWorkers: 2,
  },
});

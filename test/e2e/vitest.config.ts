import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    // One cluster, used by one file after the other.
    fileParallelism: false,
    testTimeout: 300_000,
    // A first run builds Kubernetes and every image.
    hookTimeout: 45 * 60_000,
    reporters: ["verbose"],
  },
});

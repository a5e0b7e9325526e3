export * from "../../../testing/test/support/vitest.js"

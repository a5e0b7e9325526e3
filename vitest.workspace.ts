/** The projects that `vitest run --project` chooses from: one for each package, and the examples. */
const projects = ["packages/*/vitest.config.ts", "examples/vitest.config.ts"]

export default projects

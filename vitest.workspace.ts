/** The projects that `vitest run` runs; vitest.config.ts takes the list from here. */
const projects = ["packages/*/vitest.config.ts", "examples/vitest.config.ts"]

export default projects

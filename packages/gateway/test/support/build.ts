/**
 * Builds the gateway once, before any test runs: the tests start the built program, and must not write what others read.
 */
import { fileURLToPath } from "node:url"
import { capture } from "../../../../scripts/run.mjs"

/** Compiles a project with what it refers to. Rejects with the output of the compiler. */
export const build = (project: string): Promise<string> => capture("tsc", ["-b", project])

/** Called by vitest. A source that does not compile ends the run here, with the compiler's own words. */
export const setup = async (): Promise<void> => {
  await build(fileURLToPath(new URL("../..", import.meta.url)))
}

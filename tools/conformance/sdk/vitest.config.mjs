/**
 * The tests of a checkout of the official SDK, with Lifeline in the place of its Client, as the module of this folder does it that
 * `LIFELINE_SDK_WAY` names. Without it, as they are. `../sdk-tests.mjs` runs vitest with it.
 */
import { fileURLToPath } from "node:url"
import { isClient } from "./files.mjs"

const here = fileURLToPath(new URL(".", import.meta.url))
const way = process.env["LIFELINE_SDK_WAY"]
const sdk = process.env["LIFELINE_SDK_FOLDER"] ?? ""

/** Tests get a module of this folder, and Lifeline gets the SDK that is tested, so that both have the same classes of errors. */
const swap = {
  name: "lifeline-in-place",
  enforce: "pre",
  /** @param {string} source @param {string | undefined} importer */
  resolveId(source, importer) {
    const [, module] = /^@modelcontextprotocol\/sdk\/(.*)\.js$/.exec(source) ?? []
    if (module !== undefined) return `${sdk}/src/${module}.ts`
    return importer?.startsWith(`${sdk}/test/`) && isClient(source) ? `${here}${way}.mjs` : undefined
  }
}

export default {
  plugins: way === undefined ? [] : [swap],
  test: {
    globals: true,
    environment: "node",
    setupFiles: [`${sdk}/vitest.setup.ts`, ...way === undefined ? [] : [`${here}setup.mjs`]],
    include: ["test/**/*.test.ts"],
    // For tests that name no limit of their own: a busy machine is no failure.
    testTimeout: 20_000,
    server: { deps: { inline: [/\/conformance\/sdk\//, /mcp-lifeline/, /\/packages\/[\w-]+\/dist\//] } }
  }
}

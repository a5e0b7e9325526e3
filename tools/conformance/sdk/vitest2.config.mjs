/** What `vitest.config.mjs` is for v1, for v2: a workspace, whose packages have configurations of their own. */
import { fileURLToPath } from "node:url"
import { folders } from "./versions.mjs"

const here = fileURLToPath(new URL(".", import.meta.url))
const way = process.env["LIFELINE_SDK_WAY"]
const sdk = process.env["LIFELINE_SDK_FOLDER"] ?? ""

/** @param {string} source as a test imports it */
const isClient = (source) => source === "@modelcontextprotocol/client" || source.endsWith("/src/client/client")

/** Tests get a module of this folder, which gets the SDK that is tested. */
const swap = {
  name: "lifeline-in-place",
  enforce: "pre",
  resolveId: {
    // Before the plugin of the workspace, which maps its packages to their sources.
    order: "pre",
    /** @param {string} source @param {string | undefined} importer */
    handler(source, importer = "") {
      if (importer.startsWith(here)) {
        if (source === "@modelcontextprotocol/client") return `${sdk}/packages/client/src/index.ts`
        if (source === "@modelcontextprotocol/client/stdio") return `${sdk}/packages/client/src/stdio.ts`
      }
      const isTest = folders.some((folder) => importer.startsWith(`${sdk}/${folder}/`)) && !importer.includes("/src/")
      return isTest && isClient(source) ? `${here}${way}2.mjs` : undefined
    }
  }
}

export default {
  test: {
    projects: folders.map((folder) => ({
      extends: `${sdk}/${folder}/vitest.config.js`,
      root: `${sdk}/${folder}`,
      plugins: way === undefined ? [] : [swap],
      test: {
        name: folder,
        setupFiles: way === undefined ? [] : [`${here}setup.mjs`],
        // For tests that name no limit of their own: a busy machine is no failure.
        testTimeout: 20_000,
        server: { deps: { inline: [/\/conformance\/sdk\//, /mcp-lifeline/, /\/packages\/[\w-]+\/dist\//] } }
      }
    }))
  }
}

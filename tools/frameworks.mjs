/**
 * The frameworks that the pages show Lifeline under and that the workspace does not have. They are installed in the versions that their
 * page names, without what their programs do not load: with that, they are 800 MB.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { importsOf } from "./snippets.mjs"

const page = readFileSync(fileURLToPath(new URL("../docs/tasks/frameworks.md", import.meta.url)), "utf8")

/** The versions that the page says we ran, by the names of the packages. */
export const versions = new Map([...page.matchAll(/`((?:@[\w-]+\/)?[\w-]+)` (\d+\.\d+\.\d+)/g)].map(
  ([, name = "", version = ""]) => [name, version]
))

/** What a framework depends on, and what its programs do not load of that. @type {Readonly<Record<string, string>>} */
const unused = {
  "@mastra/core":
    "@a2a-js/sdk-v0_3 @a2a-js/sdk-v1 @ai-sdk/provider-utils-v6 @ai-sdk/provider-utils-v7 @ai-sdk/provider-v5 "
    + "@ai-sdk/provider-v6 @ai-sdk/provider-v7 @isaacs/ttlcache @lukeed/uuid chat croner dotenv execa fastq gray-matter hono "
    + "hono-openapi ignore jpeg-js json-schema lru-cache p-map p-retry picomatch posthog-node re2js ws xxhash-wasm",
  "@mastra/mcp": "",
  "@openai/agents": "",
  "mcp-use":
    "@hono/node-server @mcp-ui/server @mcp-use/cli @mcp-use/inspector chalk express hono jose node-mocks-http posthog-js"
}

/** Whether a program needs one of them. @param {{ readonly text: string }} program */
export const needed = ({ text }) => importsOf(text).some((name) => name in unused)

/** Of their environment: no program of a page reports to anybody that it ran. */
export const variables = { MCP_USE_ANONYMIZED_TELEMETRY: "false", OPENAI_AGENTS_DISABLE_TRACING: "1" }

/**
 * Makes the folder of their project, and what its package.json has: an empty package stands in for what is not loaded.
 *
 * @param {string} project
 */
export const manifest = (project) => {
  const empty = join(project, "empty")
  mkdirSync(empty, { recursive: true })
  writeFileSync(join(empty, "package.json"), JSON.stringify({ name: "empty", version: "0.0.0" }))
  const names = Object.keys(unused)
  const dependencies = Object.fromEntries(names.map((name) => [name, versions.get(name) ?? "latest"]))
  const overrides = Object.fromEntries(
    Object.entries(unused).filter(([, list]) => list !== "").map(([name, list]) => [
      name,
      Object.fromEntries(list.split(" ").map((one) => [one, `file:${empty}`]))
    ])
  )
  return { dependencies: { ...dependencies, zod: "4" }, overrides }
}

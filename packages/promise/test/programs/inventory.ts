/**
 * Prints what a server offers, page by page, and the beginning of each text that it can give without arguments.
 */
import { McpError } from "@modelcontextprotocol/sdk/types.js"
import { connect } from "./official.js"

/** All pages of a list. */
const all = async <A>(page: (cursor?: string) => Promise<{ items: Array<A>; nextCursor?: string | undefined }>) => {
  const found: Array<A> = []
  let cursor: string | undefined
  do {
    const { items, nextCursor } = await page(cursor)
    found.push(...items)
    cursor = nextCursor
  } while (cursor !== undefined)
  return found
}

const at = (cursor: string | undefined) => cursor === undefined ? {} : { cursor }

const client = await connect(JSON.parse(process.argv[2] ?? "{}"))
const { name, version } = client.getServerVersion() ?? { name: "nameless", version: "0" }
console.log(`${name} ${version}: ${Object.keys(client.getServerCapabilities() ?? {}).toSorted().join(", ")}`)
console.log((client.getInstructions() ?? "no instructions").split("\n")[0])

const tools = await all(async (cursor) => {
  const { nextCursor, tools } = await client.listTools(at(cursor))
  return { items: tools, nextCursor }
})
for (const tool of tools) console.log("tool", tool.name, Object.keys(tool.inputSchema.properties ?? {}).join(" "))

const prompts = await all(async (cursor) => {
  const { nextCursor, prompts } = await client.listPrompts(at(cursor))
  return { items: prompts, nextCursor }
})
for (const prompt of prompts) {
  try {
    const { messages } = await client.getPrompt({ name: prompt.name })
    console.log("prompt", prompt.name, JSON.stringify(messages[0]?.content).slice(0, 60))
  } catch (error) {
    // It has arguments that are required.
    if (!(error instanceof McpError)) throw error
    console.log("prompt", prompt.name, `refused with ${error.code}`)
  }
}

const resources = await all(async (cursor) => {
  const { nextCursor, resources } = await client.listResources(at(cursor))
  return { items: resources, nextCursor }
})
for (const { uri } of resources) {
  const { contents: [first] } = await client.readResource({ uri })
  console.log("resource", uri, first?.mimeType, first !== undefined && "text" in first ? first.text.slice(0, 20) : "")
}
const { resourceTemplates } = await client.listResourceTemplates()
for (const { uriTemplate } of resourceTemplates) console.log("template", uriTemplate)

const { completion } = await client.complete({
  ref: { type: "ref/prompt", name: "completable-prompt" },
  argument: { name: "department", value: "E" }
})
console.log("completion", completion.values)
await client.close()

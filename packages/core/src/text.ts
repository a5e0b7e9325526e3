/** JSON, and text to read. For the other packages of Lifeline only: it may change with each minor version. */
import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/sdk/types.js"

export { Bytes, kibibytes, mebibytes } from "./internal/ByteSize.js"
export * as ExactJson from "./internal/ExactJson.js"
export * as JsonValue from "./internal/JsonValue.js"
export * as PlainText from "./observe/PlainText.js"
export * as Said from "./observe/Said.js"
export * as Reasons from "./Reasons.js"

/** Data that is no text is only named. */
export const blockText = (block: ContentBlock): string => {
  if (block.type === "text") return block.text
  if (block.type === "resource_link") return `${block.title ?? block.name}: ${block.uri}`
  if (block.type !== "resource") return `[${block.mimeType} omitted]`
  const { resource } = block
  return "text" in resource ? resource.text : `[${resource.mimeType ?? "data"} ${resource.uri} omitted]`
}

/** A connector of others may give no content. */
export const resultText = ({ content = [], structuredContent }: CallToolResult): string =>
  content.length === 0 && structuredContent !== undefined
    ? JSON.stringify(structuredContent)
    : content.map(blockText).join("\n")

export const failureText = (result: CallToolResult): string =>
  resultText(result) || "The tool failed, and does not say why."

export const argumentsForm = "The arguments of a tool are an object."

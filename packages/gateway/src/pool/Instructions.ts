/** Every line of a server is quoted: no server can forge the heading of another server, or words of the gateway. */
import { PlainText } from "@mcp-lifeline/core/text"

export interface ServerInstructions {
  readonly server: string
  readonly instructions: string | undefined
}

/** In characters. */
export const longestInstructions = 8000

/** In characters. */
const maxLengths = { one: longestInstructions, all: 64_000 }

const quoted = (text: string): string =>
  PlainText.lines(text.replace(/\r\n?|[\v\f\u0085\u2028\u2029]/g, "\n")).split("\n")
    .map((line) => `> ${line}`.trimEnd()).join("\n")

const truncated = (text: string, max: number): string =>
  text.length <= max ? quoted(text) : `${quoted(text.slice(0, max))}\n[cut here: too long]`

/** `undefined` if there are none. `about`: the text before them. */
export const join = (servers: ReadonlyArray<ServerInstructions>, about: string | undefined): string | undefined => {
  let left = maxLengths.all
  const sections = servers.flatMap(({ instructions, server }) => {
    const text = instructions?.trim() ?? ""
    if (text === "" || left <= 0) return []
    const max = Math.min(maxLengths.one, left)
    const section = `## ${server}\n\n${truncated(text, max)}`
    left -= section.length
    return [section]
  })
  const head = sections.length === 0
    ? []
    : ["What each MCP server behind this gateway says of its use, quoted under its name:"]
  const all = [...about === undefined ? [] : [about], ...head, ...sections]
  return all.length === 0 ? undefined : all.join("\n\n")
}

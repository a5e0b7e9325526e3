/**
 * Joins the instructions of the servers, each under the server's name, to the gateway's own instructions. Pure.
 *
 * Every line of a server is quoted, so that no server can forge the heading of another server, or words of the gateway.
 */
import { PlainText } from "@mcp-lifeline/core/internal"

/** The instructions of one server. */
export interface Said {
  readonly server: string
  readonly instructions: string | undefined
}

/** The maximum length of one server's instructions and of all together, in characters. */
const longest = { one: 8000, all: 64_000 }

const quoted = (text: string): string =>
  PlainText.lines(text.replace(/\r\n?|[\v\f\u0085\u2028\u2029]/g, "\n")).split("\n")
    .map((line) => `> ${line}`.trimEnd()).join("\n")

const cut = (text: string, most: number): string =>
  text.length <= most ? quoted(text) : `${quoted(text.slice(0, most))}\n[cut here: too long]`

/** The joined instructions; `undefined` if there are none. `about`: the text before them. */
export const join = (said: ReadonlyArray<Said>, about: string | undefined): string | undefined => {
  let left = longest.all
  const sections = said.flatMap(({ instructions, server }) => {
    const text = instructions?.trim() ?? ""
    if (text === "" || left <= 0) return []
    const most = Math.min(longest.one, left)
    const section = `## ${server}\n\n${cut(text, most)}`
    left -= section.length
    return [section]
  })
  const head = sections.length === 0
    ? []
    : ["What each MCP server behind this gateway says of its use, quoted under its name:"]
  const all = [...about === undefined ? [] : [about], ...head, ...sections]
  return all.length === 0 ? undefined : all.join("\n\n")
}

/**
 * Approvals of what has changed in the definitions of a server's tools (the option `pin`), with or without a running gateway.
 */
import { PlainText } from "@mcp-lifeline/core/internal"
import { clean } from "../Text.js"

/** Why nothing can be approved of a tool. `known`: the tools that are not as they were approved. */
export const nothingToApprove = (server: string, tool: string, known: ReadonlyArray<string>): string => {
  const others = known.length === 0
    ? "nor of any other"
    : `but of ${known.slice(0, 20).map((one) => clean(one)).join(", ")}`
  return `${clean(server)}: nothing of the tool ${PlainText.json(tool)} waits for an approval, ${others}`
}

/** Why one tool cannot be approved where what was approved cannot be read, and nobody has seen its tools. */
export const unknownTools = (server: string): string =>
  `what was approved of the tools of ${
    clean(server)
  } cannot be read, and they are not known here, so a single one cannot be approved; `
  + `for all as the server lists them next: mcp-lifeline approve ${clean(server)}`

/** Why somebody who may not use all tools cannot approve any, where what was approved cannot be read, and nobody has seen the tools. */
export const notAllAllowed = (server: string): string =>
  `what was approved of the tools of ${
    clean(server)
  } cannot be read, and they are not known here, so they can only be approved all at once, by somebody who may use everything`

/** What an approval has done where what was approved could not be read, and nobody had seen the tools. */
export const forgotten = (server: string): string =>
  `${
    clean(server)
  }: what was approved could not be read and is removed; the tools that the server lists next count as approved`

/** That nothing of a server is compared. */
export const notPinned = (server: string): string =>
  `nothing of the tools of ${clean(server)} is remembered; give it the option pin: "warn" or "block"`

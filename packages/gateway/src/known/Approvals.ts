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

/** That nothing of a server is compared. */
export const notPinned = (server: string): string =>
  `nothing of the tools of ${clean(server)} is remembered; give it the option pin: "warn" or "block"`

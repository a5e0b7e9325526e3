/**
 * Why tools of a server are not listed, or not called without a client, and what to do instead.
 */
import { Lifecycle, type Status } from "@mcp-lifeline/core"
import { inspector } from "../serve/inspector.js"

const whose = (server: string): string => `each client has its own server ${server} (sessions: "per-client")`

/** In place of its tools. `url`: of the MCP endpoint. */
export const notListed = (server: string, url: string): string =>
  `${whose(server)} and may be offered other tools, so they are not listed here; list them as a client: ${
    inspector(url, "tools/list")
  }`

/** In place of the tools of a shared server of which nothing is known, or whose catalogue is withdrawn. */
export const unknownOf = ({ backend, catalog, lastError, state }: Status): string | undefined => {
  if (catalog !== undefined) return undefined
  if (state === "Disabled" || state === "Disabling") {
    return `${backend} is disabled, so its tools are not offered; enable it: mcp-lifeline enable ${backend}`
  }
  const why = lastError === undefined ? "" : `: ${lastError}`
  return `${backend} is ${Lifecycle.inWords(state)}, so its tools are not known${why}`
}

/** In place of the result of a call. */
export const notCalled = (server: string, tool: string, url: string): string =>
  `${tool} was not called: ${
    whose(server)
  }, which only this client can call; call it as a client, for which the gateway starts one: ${
    inspector(url, `tools/call --tool-name ${tool}`)
  }`

import type { ServerRequestHandlers } from "@mcp-lifeline/core"
import type { ClientCapabilities } from "@modelcontextprotocol/sdk/types.js"

/** As declared; of what was not, what follows from the handlers. */
export const capabilitiesOf = (
  handlers: ServerRequestHandlers | undefined,
  declared: ClientCapabilities = {}
): ClientCapabilities => ({
  ...declared,
  ...(handlers?.sampling === undefined || declared.sampling !== undefined ? {} : { sampling: {} }),
  ...(handlers?.elicitation === undefined || declared.elicitation !== undefined ? {} : { elicitation: { form: {} } }),
  ...(handlers?.roots === undefined || declared.roots !== undefined ? {} : { roots: { listChanged: true } })
})

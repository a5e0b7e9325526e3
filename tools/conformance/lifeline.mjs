/** Lifeline's client against one scenario of the suite. */
import { BackendUnavailable, connect } from "@mcp-lifeline/client"
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import { loggingIn, provider } from "./credentials.mjs"
import * as scenario from "./scenario.mjs"

const authProvider = provider(scenario.name, scenario.context, scenario.url)

const attempt = loggingIn(
  authProvider,
  (error) => error instanceof UnauthorizedError || error instanceof BackendUnavailable,
  2
)

scenario.main(async () => {
  const client = await attempt(() =>
    connect({ url: scenario.url, authProvider }, {
      clientInfo: scenario.clientInfo,
      capabilities: scenario.capabilities,
      handlers: { elicitation: scenario.elicit },
      timeouts: { connect: "1 minute" }
    })
  )
  try {
    await scenario.play({
      tools: () => attempt(async () => (await client.listTools()).tools),
      call: (params) => attempt(() => client.callTool(params))
    })
  } finally {
    await client.close()
  }
})

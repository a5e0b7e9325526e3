/** Lifeline's client against one scenario of the suite. */
import { BackendUnavailable, connect } from "@mcp-lifeline/client"
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import { Login, provider } from "./credentials.mjs"
import * as scenario from "./scenario.mjs"

const authProvider = provider(scenario.name, scenario.context, scenario.url)

/**
 * Connects or calls, and does so again after each login that was asked for, up to two.
 *
 * @template A
 * @param {() => Promise<A>} call
 * @returns {Promise<A>}
 */
const loggingIn = async (call) => {
  for (let logins = 0;; logins++) {
    try {
      return await call()
    } catch (error) {
      const isRefused = error instanceof UnauthorizedError || error instanceof BackendUnavailable
      if (!(isRefused && authProvider instanceof Login)) throw error
      if (logins === 2 || !await authProvider.finish()) throw error
    }
  }
}

scenario.main(async () => {
  const client = await loggingIn(() =>
    connect({ url: scenario.url, authProvider }, {
      clientInfo: scenario.clientInfo,
      capabilities: scenario.capabilities,
      handlers: { elicitation: scenario.elicit },
      timeouts: { connect: "1 minute" }
    })
  )
  try {
    await scenario.play({
      tools: () => loggingIn(async () => (await client.listTools()).tools),
      call: (params) => loggingIn(() => client.callTool(params))
    })
  } finally {
    await client.close()
  }
})

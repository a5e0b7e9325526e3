/** Lifeline's client against one scenario of the suite. */
import { BackendUnavailable, connect } from "@mcp-lifeline/client"
import { Login, provider } from "./credentials.mjs"
import * as scenario from "./scenario.mjs"

const authProvider = provider(scenario.name, scenario.context, scenario.url)
if (authProvider instanceof Login) {
  // A login ends some time after it was asked for, as with a browser: Lifeline connects anew by itself then.
  authProvider.onlogin = () => setTimeout(() => void authProvider.finish().catch(console.error), 100)
}

/**
 * Calls, and calls again after each login that it asked for, up to three.
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
      if (!(error instanceof BackendUnavailable && authProvider instanceof Login)) throw error
      if (logins === 3 || !await authProvider.finish()) throw error
    }
  }
}

scenario.main(async () => {
  const client = await connect({ url: scenario.url, authProvider }, {
    clientInfo: scenario.clientInfo,
    capabilities: scenario.capabilities,
    handlers: { elicitation: scenario.elicit },
    timeouts: { connect: "5 seconds" }
  })
  try {
    await scenario.play({
      tools: () => loggingIn(async () => (await client.listTools()).tools),
      call: (params) => loggingIn(() => client.callTool(params))
    })
  } finally {
    await client.close()
  }
})

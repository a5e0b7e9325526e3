/** The official SDK's Client by itself, against one scenario of the suite: the measure for `lifeline.mjs`. */
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { Login, provider } from "./credentials.mjs"
import * as scenario from "./scenario.mjs"

const authProvider = provider(scenario.name, scenario.context, scenario.url)

/**
 * Does it, and once more after each login that it asked for, up to three.
 *
 * @template A
 * @param {() => Promise<A>} act
 * @returns {Promise<A>}
 */
const loggingIn = async (act) => {
  for (let logins = 0;; logins++) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof UnauthorizedError && authProvider instanceof Login)) throw error
      if (logins === 3 || !await authProvider.finish()) throw error
    }
  }
}

scenario.main(async () => {
  const client = await loggingIn(async () => {
    const client = new Client(scenario.clientInfo, { capabilities: scenario.capabilities })
    client.setRequestHandler(ElicitRequestSchema, scenario.elicit)
    const transport = new StreamableHTTPClientTransport(
      scenario.url,
      authProvider === undefined ? {} : { authProvider }
    )
    await client.connect(/** @type {any} */ (transport))
    return client
  })
  await scenario.play({
    tools: () => loggingIn(async () => (await client.listTools()).tools),
    call: (params) => loggingIn(() => client.callTool(params))
  })
  await client.close()
})

/** The Client of the SDK's v2 packages by itself, against one scenario of the suite: the measure for `lifeline.mjs` in the newer era. */
import { auth, Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client"
import { Login, provider } from "./credentials.mjs"
import * as scenario from "./scenario.mjs"

const authProvider = /** @type {any} */ (provider(scenario.name, scenario.context, scenario.url))

/** @type {(code: string, response: URLSearchParams) => Promise<unknown>} */
const exchange = (authorizationCode, response) => {
  const iss = response.get("iss")
  return auth(authProvider, { serverUrl: scenario.url, authorizationCode, ...(iss === null ? {} : { iss }) })
}

/**
 * Does it, and once more after each login that it asked for, up to two.
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
      if (logins === 2 || !await authProvider.finish(exchange)) throw error
    }
  }
}

scenario.main(async () => {
  const client = await loggingIn(async () => {
    const client = new Client(scenario.clientInfo, {
      capabilities: /** @type {any} */ (scenario.capabilities),
      versionNegotiation: { mode: "auto" }
    })
    client.setRequestHandler("elicitation/create", scenario.elicit)
    await client.connect(
      new StreamableHTTPClientTransport(scenario.url, authProvider === undefined ? {} : { authProvider })
    )
    return client
  })
  await scenario.play({
    tools: () => loggingIn(async () => /** @type {any} */ ((await client.listTools()).tools)),
    call: (params) => loggingIn(() => client.callTool(params))
  })
  await client.close()
})

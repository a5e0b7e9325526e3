/** The Client of the SDK's v2 packages by itself, against one scenario of the suite: the measure for `lifeline.mjs` in the newer era. */
import { auth, Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client"
import { loggingIn, provider } from "./credentials.mjs"
import * as scenario from "./scenario.mjs"

const authProvider = /** @type {any} */ (provider(scenario.name, scenario.context, scenario.url))

/** @type {(code: string, response: URLSearchParams) => Promise<unknown>} */
const exchange = (authorizationCode, response) => {
  const iss = response.get("iss")
  return auth(authProvider, { serverUrl: scenario.url, authorizationCode, ...(iss === null ? {} : { iss }) })
}

const attempt = loggingIn(authProvider, (error) => error instanceof UnauthorizedError, 2, exchange)

scenario.main(async () => {
  const client = await attempt(async () => {
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
    tools: () => attempt(async () => /** @type {any} */ ((await client.listTools()).tools)),
    call: (params) => attempt(() => client.callTool(params))
  })
  await client.close()
})

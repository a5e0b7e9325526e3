/** The official SDK's Client by itself, against one scenario of the suite: the measure for `lifeline.mjs`. */
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { loggingIn, provider } from "./credentials.mjs"
import * as scenario from "./scenario.mjs"

const authProvider = provider(scenario.name, scenario.context, scenario.url)

const attempt = loggingIn(authProvider, (error) => error instanceof UnauthorizedError, 3)

scenario.main(async () => {
  const client = await attempt(async () => {
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
    tools: () => attempt(async () => (await client.listTools()).tools),
    call: (params) => attempt(() => client.callTool(params))
  })
  await client.close()
})

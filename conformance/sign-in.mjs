/**
 * The gateway's sign-in against one scenario of the suite: a connection as `serve` and `wrap` make it, and a browser that goes to the
 * address of a login at once, since the suite's authorization server agrees to everything.
 */
import { connect } from "@mcp-lifeline/client"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Exit, Redacted, Scope } from "effect"
import { SignIn, StateFolder } from "mcp-lifeline"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as scenario from "./scenario.mjs"

const folder = mkdtempSync(join(tmpdir(), "lifeline-conformance-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))

/** @type {import("mcp-lifeline").Browser.Browser} */
const browser = {
  open: (address) =>
    Effect.promise(() =>
      fetch(address).then(async (answer) => {
        await answer.text()
        return true
      })
    )
}

const { client_id: id, client_secret: secret, private_key_pem: key, signing_algorithm: algorithm } = scenario.context

/** What a user would have configured. @type {Pick<SignIn.Options, "client" | "method">} */
const configured = scenario.name === "auth/client-credentials-jwt"
  ? {
    method: "credentials",
    client: { id, signingKey: { key: Redacted.make(key ?? ""), algorithm: algorithm ?? "" } }
  }
  : scenario.name === "auth/client-credentials-basic"
  ? { method: "credentials", client: { id, secret: Redacted.make(secret ?? "") } }
  : id !== undefined && secret !== undefined
  ? { client: { id, secret: Redacted.make(secret) } }
  // The suite knows this address and does not fetch it; in other scenarios the client registers itself.
  : scenario.name === "auth/basic-cimd"
  ? { client: { document: "https://conformance-test.local/client-metadata.json" } }
  : {}

scenario.main(async () => {
  const scope = await Effect.runPromise(Scope.make())
  const signIn = await Effect.runPromise(
    SignIn.make({ url: scenario.url, browser, patience: "10 seconds", ...configured }).pipe(
      Scope.extend(scope),
      Effect.provide(StateFolder.layerAt(folder))
    )
  )
  const connector = HttpConnector.make({ url: scenario.url, protocol: "auto", authorization: signIn.authorization })
  const client = await connect({ connector }, {
    clientInfo: scenario.clientInfo,
    capabilities: scenario.capabilities,
    handlers: { elicitation: scenario.elicit },
    timeouts: { connect: "15 seconds" },
    reconnect: { maxAttempts: 1 }
  })
  try {
    await scenario.play({
      tools: async () => (await client.listTools()).tools,
      call: (params) => client.callTool(params)
    })
  } finally {
    await client.close()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
})

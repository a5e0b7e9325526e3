import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import type { ClientCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { expect } from "vitest"
import * as TestClient from "./TestClient.js"

/** The callers by their tokens. A test may replace one, as with a renewed token that says something else. */
export type Callers = Map<string, Caller>

export const caller = (subject: string, claims: Caller["claims"] = {}): Caller => ({ subject, name: subject, claims })

export const authentication = (callers: Callers): Authentication.Authentication => ({
  isNeeded: true,
  check: ({ headers }) =>
    callers.get(Authentication.bearer(headers.authorization)) ?? Authentication.unauthorized("no such token")
})

/** A connected client of the official SDK, closed with the scope. `prepare` adds handlers before it connects. */
export const connect = (
  url: string,
  token: string,
  capabilities: ClientCapabilities = {},
  prepare: (client: Client) => void = () => undefined
) =>
  TestClient.opened(() => {
    const client = new Client({ name: "a-test", version: "1" }, { capabilities })
    prepare(client)
    return TestClient.open(url, client, { headers: { Authorization: `Bearer ${token}` } })
  }, (client) => client.close().catch(() => undefined))

/** The text that a tool answers, or the message of the error. */
export const call = (client: Client, name: string, args: Record<string, unknown> = {}) =>
  Effect.promise(() =>
    client.callTool({ name, arguments: args }, undefined, { timeout: 300_000 }).then(
      ({ content }) => (content as ReadonlyArray<{ readonly text: string }>)[0]?.text ?? "",
      (error: unknown) => `failed: ${error instanceof Error ? error.message : String(error)}`
    )
  )

/** What `docs__ask` answers when it is no failure: the server may be being connected after a login. */
export const answered = Effect.fnUntraced(function*(client: Client) {
  for (;;) {
    const text = yield* call(client, "docs__ask")
    if (!text.startsWith("failed")) return text
    expect(text).not.toMatch(/anna@|ben@/)
    yield* Effect.sleep("20 millis")
  }
})

import type * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Redacted } from "effect"
import * as Client from "../../src/Client.js"
import * as Grant from "../../src/Grant.js"
import * as PendingLogin from "../../src/PendingLogin.js"

export const server = "https://mcp.example/mcp"
export const issuer = "https://login.example"

export const metadata = { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` }

const client: Client.Client = { origin: "registered", id: "client-1", redirects: ["http://localhost:1/callback"] }

export const grant = (given: Partial<Grant.Grant> = {}): Grant.Grant => ({
  server,
  account: "default",
  issuer,
  method: "browser",
  metadata,
  client,
  access: Redacted.make("secret-access"),
  obtainedAt: 0,
  ...given
})

export const waiting = (until: number, given: Partial<PendingLogin.PendingLogin> = {}): PendingLogin.PendingLogin => ({
  server,
  account: "default",
  issuer,
  metadata,
  client,
  address: `${issuer}/authorize?state=1`,
  until,
  opened: false,
  redirect: "http://localhost:1/callback",
  state: Redacted.make("secret-state"),
  verifier: Redacted.make("secret-verifier"),
  ...given
})

export const keep = (
  folder: StateFolder.StateFolder["Type"],
  { grants = [], logins = [] }: {
    readonly grants?: ReadonlyArray<Grant.Grant>
    readonly logins?: ReadonlyArray<PendingLogin.PendingLogin>
  }
): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (const one of grants) {
      yield* Grant.grants(folder).set(Grant.key(one), one)
      yield* Client.registered(folder).set(Client.key(one), one.client)
    }
    for (const [index, one] of logins.entries()) yield* PendingLogin.pendingLogins(folder).set(`login-${index}`, one)
  })

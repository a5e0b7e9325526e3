import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { setTimeout } from "node:timers/promises"
import { assert } from "vitest"
import * as AuthServer from "../../../../sign-in/test/support/AuthServer.js"
import * as Signer from "../../../../sign-in/test/support/Signer.js"
import { folder } from "../../../../testing/test/support/folder.js"
import { play } from "../../support/FailureGuide.js"
import { type Host, refusal, wrap } from "../../support/Host.js"

interface SignedIn {
  readonly host: Host
  readonly server: AuthServer.AuthServer
  readonly opened: () => ReadonlyArray<string>
}

const until = async (host: Host, found: (error: string | undefined) => boolean): Promise<void> => {
  while (!found((await host.request("tools/call", { name: "ask", arguments: {} })).error?.message)) await setTimeout(50)
}
const answered = (host: Host): Promise<void> => until(host, (error) => error === undefined)

const signedIn = (use: (signedIn: SignedIn) => Promise<void>) => (): Promise<void> =>
  Effect.gen(function*() {
    const server = yield* AuthServer.make
    const state = yield* folder
    const browser = yield* Signer.browser(false)
    yield* Effect.promise(async () => {
      await using host = wrap(["--browser", server.url], { state, env: { BROWSER: browser.command, CI: "" } })
      await host.introduction({}, undefined, true)
      host.notify("notifications/initialized")
      await answered(host)
      await use({ host, server, opened: browser.opened })
    })
  }).pipe(Effect.scoped, Effect.runPromise)

play("HTTP: sign-in and credentials", {
  "401 or 403 with static credentials": async () => {
    for (const status of [401, 403]) {
      await using server = await HttpFaultServer.open()
      server.fail("initialize", HttpFault.status(status))
      const header = "Authorization: Bearer worn-out"
      await using host = wrap(["--protocol", "2025", "--header", header, server.url])
      assert.match(await refusal(host), new RegExp(`HTTP ${status}`))
      assert.notInclude(host.stderr, "worn-out")
    }
  },
  "401 with a header provider or OAuth": signedIn(async ({ host, opened, server }) => {
    server.expire()
    await host.call("ask")
    assert.lengthOf(server.grants("refresh_token"), 1)
    assert.lengthOf(opened(), 1)
  }),
  "Somebody has to log in": { file: "wrap/Url", title: "[A3] a login is told with its address" },
  "The metadata of a server name a private address": {
    file: "../../sign-in/test/Trust",
    title: "[X2] none of a server that is elsewhere leads to this machine"
  },
  "The metadata of a server name another authorization server": {
    file: "../../sign-in/test/Trust",
    title: "[X2] a secret or a key for nobody in particular is sent to nobody"
  },
  "The login has ended": signedIn(
    async ({ host, opened, server }) => {
      server.end()
      await answered(host)
      assert.lengthOf(opened(), 2)
      assert.lengthOf(server.registrations, 1)
      server.end()
      server.knobs.forgottenClients = 1
      await answered(host)
      assert.lengthOf(opened(), 3)
      assert.lengthOf(server.registrations, 2)
    }
  ),
  "The authorization server is down": signedIn(
    async ({ host, opened, server }) => {
      server.expire()
      server.knobs.tokenStatus = 503
      const { error } = await host.request("tools/call", { name: "ask", arguments: {} })
      assert.match(error?.message ?? "", /HTTP 503/)
      server.knobs.tokenStatus = undefined
      await answered(host)
      assert.lengthOf(opened(), 1)
    }
  ),
  "403 that names a scope": signedIn(async ({ host, opened, server }) => {
    server.knobs.callScope = "write"
    await answered(host)
    assert.lengthOf(opened(), 2)
    Object.assign(server.knobs, { callScope: "admin", consent: false })
    const refused = "the person said no; to be asked again, wait for 10 minutes"
    for (let calls = 0; calls < 3; calls++) await until(host, (error) => error?.includes(refused) === true)
    assert.lengthOf(opened(), 3)
    assert.include(server.authorizations.map((asked) => asked.get("scope")), "basic write admin")
  })
})

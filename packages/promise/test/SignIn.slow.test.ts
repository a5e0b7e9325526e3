import {
  type Client,
  connect,
  connectAll,
  type Login,
  type Server,
  type SignInOptions,
  supervisedTransport
} from "@mcp-lifeline/client"
import * as Grant from "@mcp-lifeline/sign-in/Grant"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import { Client as OfficialClient } from "@modelcontextprotocol/sdk/client/index.js"
import { Effect } from "effect"
import { vi } from "vitest"
import * as AuthServer from "../../sign-in/test/support/AuthServer.js"
import * as OidcServer from "../../sign-in/test/support/OidcServer.js"
import * as Signer from "../../sign-in/test/support/Signer.js"
import { folder as newFolder } from "../../testing/test/support/folder.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"

const ask = { name: "ask", arguments: {} }
const answered = [{ type: "text", text: "answered" }]

const environment = (variables: Readonly<Record<string, string>>) =>
  Effect.suspend(() => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
    return Effect.addFinalizer(() => Effect.sync(() => vi.unstubAllEnvs()))
  })

const machine = Effect.gen(function*() {
  const state = yield* newFolder
  const browser = yield* Signer.browser(false)
  yield* environment({ MCP_LIFELINE_STATE: state, BROWSER: browser.command, CI: "" })
  return { state, browser, grants: Grant.grants(StateFolder.make(state)).entries }
})

/** After so many milliseconds an attempt to connect has failed, because nobody has logged in. */
const long = 3000

const person = () => {
  const logins: Array<Login> = []
  const onLogin = (login: Login): void => {
    logins.push(login)
    const visit = () => void fetch(login.address).then((answer) => answer.text()).catch(() => undefined)
    setTimeout(visit, long)
  }
  return { logins, onLogin }
}

type Door = (url: string, signIn: true | SignInOptions) => Promise<{
  readonly ask: () => Promise<unknown>
  readonly close: () => Promise<void>
}>

const contentOf = async (client: Pick<Client, "callTool">) => (await client.callTool(ask)).content

const doors: Readonly<Record<string, Door>> = {
  connect: async (url, signIn) => {
    const client = await connect({ url }, { signIn })
    return { ask: () => contentOf(client), close: () => client.close() }
  },
  connectAll: async (url, signIn) => {
    // A fleet waits for no person: its tools appear when somebody has logged in.
    const fleet = await connectAll({ mcpServers: { docs: { url } } }, { signIn, timeouts: { wait: "1 minute" } })
    await vi.waitUntil(() => fleet.status["docs"]?.state === "Connected", 60_000)
    return { ask: () => contentOf(fleet.client("docs")), close: () => fleet.close() }
  },
  supervisedTransport: async (url, signIn) => {
    const client = new OfficialClient({ name: "official", version: "1.0.0" })
    await client.connect(supervisedTransport({ url }, { signIn }))
    return { ask: async () => (await client.callTool(ask)).content, close: () => client.close() }
  }
}

describe("the option signIn", () => {
  for (const [name, open] of Object.entries(doors)) {
    test.scopedLive(`[A1 A2] ${name} opens the user's browser once, and keeps the tokens where mcp-lifeline does`, function*() {
      const server = yield* AuthServer.make
      const { browser, grants } = yield* machine
      yield* Effect.promise(async () => {
        const first = await open(server.url, true)
        expect(await first.ask()).toEqual(answered)
        await first.close()
      })
      expect((yield* grants).map(([, grant]) => [grant.server, grant.account])).toEqual([[server.url, "default"]])
      yield* Effect.promise(async () => {
        const second = await open(server.url, true)
        expect(await second.ask()).toEqual(answered)
        await second.close()
      })
      expect(browser.opened()).toHaveLength(1)
      expect(server.grants("authorization_code")).toHaveLength(1)
    })
  }

  test.scopedLive("[A2] works with a real authorization server, whose refresh tokens are good for one time", function*() {
    const server = yield* OidcServer.make(8)
    const { browser } = yield* machine
    yield* Effect.promise(async () => {
      const clients = await Promise.all([1, 2].map(() => connect({ url: server.url }, { signIn: true })))
      while (server.grants.length < 2) {
        expect(await Promise.all(clients.map(contentOf))).toEqual([answered, answered])
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
      await Promise.all(clients.map((client) => client.close()))
    })
    expect(server.grants.slice(0, 2)).toEqual(["authorization_code", "refresh_token"])
    expect([server.errors, server.mostAtOnce()]).toEqual([[], 1])
    expect(browser.opened()).toHaveLength(1)
  })

  test.scopedLive("[A3:real] the status has the address of a login that waits for a person, until somebody has signed in", function*() {
    const server = yield* AuthServer.make
    const folder = yield* newFolder
    yield* Effect.promise(async () => {
      const fleet = await connectAll({ mcpServers: { docs: { url: server.url } } }, {
        signIn: { browser: false, folder },
        timeouts: { wait: "1 minute" }
      })
      const needed = () => fleet.status["docs"]?.signIn
      await vi.waitUntil(() => needed() !== undefined, 60_000)
      const { address = "", message = "" } = needed() ?? {}
      expect(message).toBe(`a login is needed: open ${address}`)
      await fetch(address).then((answer) => answer.text())
      await vi.waitUntil(() => fleet.status["docs"]?.state === "Connected", 60_000)
      expect(needed()).toBeUndefined()
      await fleet.close()
    })
  })

  test.scopedLive("[A3] onLogin shows the address where no browser is opened, and connect waits for the person", function*() {
    const server = yield* AuthServer.make
    const { browser } = yield* machine
    const folder = yield* newFolder
    const { logins, onLogin } = person()
    const log: Array<string> = []
    yield* Effect.promise(async () => {
      const client = await connect({ url: server.url }, {
        signIn: { account: "ann", browser: false, folder, onLogin },
        logger: ({ message }) => log.push(message)
      })
      expect(await contentOf(client)).toEqual(answered)
      await client.close()
    })
    expect(logins).toEqual([{
      server: server.url,
      address: logins[0]?.address,
      code: undefined,
      until: expect.any(Number)
    }])
    expect(log.join("\n")).toContain(`a login is needed: open ${logins[0]?.address}`)
    expect(browser.opened()).toEqual([])
    const [entry] = yield* Grant.grants(StateFolder.make(folder)).entries
    expect(entry?.[1].account).toBe("ann")
  })

  test.scopedLive("[A3] a server of connectAll connects as soon as somebody has logged in, and not at its next attempt", function*() {
    const server = yield* AuthServer.make
    yield* machine
    const { onLogin } = person()
    yield* Effect.promise(async () => {
      const fleet = await connectAll({ mcpServers: { docs: { url: server.url } } }, {
        signIn: { browser: false, onLogin },
        reconnect: { initialDelay: "5 minutes", maxDelay: "5 minutes" }
      })
      expect(fleet.status["docs"]?.lastError).toContain(`${server.origin}/authorize`)
      await vi.waitUntil(() => fleet.status["docs"]?.state === "Connected", 60_000)
      await fleet.close()
    })
  })

  test.scopedLive("[A3] connect rejects with the official error and the address when nobody has logged in in time", function*() {
    const server = yield* AuthServer.make
    yield* machine
    const error = yield* Effect.promise(() =>
      connect({ url: server.url }, { signIn: { browser: false, wait: 0 } }).then(
        () => undefined,
        (error: unknown) => error
      )
    )
    expect(error).toBeInstanceOf(UnauthorizedError)
    expect((error as Error).message).toMatch(/http:\/\/127\.0\.0\.1:\d+\/authorize\?/)
  })

  test.scopedLive("[A3] connect does not wait for a person who has declined, and says so", function*() {
    const server = yield* AuthServer.make
    server.knobs.consent = false
    yield* machine
    const error = yield* Effect.promise(() =>
      connect({ url: server.url }, { signIn: true }).then(() => undefined, (error: unknown) => error)
    )
    expect((error as Error).message).toContain("access_denied")
  })

  test.scopedLive("[A1] a machine signs in with its client and its secret, without a person", function*() {
    const server = yield* AuthServer.make
    const { browser } = yield* machine
    const client = { id: "machine", secret: "machine-secret", issuer: server.origin }
    yield* Effect.promise(async () => {
      const one = await connect({ url: server.url }, { signIn: { method: "credentials", client } })
      expect(await contentOf(one)).toEqual(answered)
      await one.close()
    })
    expect(server.grants("client_credentials")).toHaveLength(1)
    expect(browser.opened()).toEqual([])
  })

  it("[A1] is refused where no tokens could be sent, and connectAll leaves such servers alone", async () => {
    const url = "http://127.0.0.1:1/mcp"
    const authProvider = { redirectUrl: url, tokens: () => undefined } as unknown as OAuthClientProvider
    const wrong: ReadonlyArray<readonly [Server, true | SignInOptions, string]> = [
      [{ command: "node" }, true, "signIn is for servers with a url"],
      [{ url, authProvider }, true, "signIn cannot be combined with authProvider; keep one of the two"],
      [{ url, headers: { AUTHORIZATION: "Bearer a" } }, {}, "signIn cannot be combined with an Authorization header"],
      [{ url }, { methods: "browser" } as SignInOptions, "signIn.methods is not an option of signIn"],
      [{ url }, { client: { secret: 1 as unknown as string } }, "signIn.client.secret"],
      [{ url }, "yes" as unknown as true, "accepted: true, false or an object of options"]
    ]
    for (const [server, signIn, message] of wrong) {
      await expect(connect(server, { signIn })).rejects.toMatchObject({
        _tag: "ConfigError",
        message: expect.stringContaining(message)
      })
    }
    const fleet = await connectAll({ mcpServers: { local: { command: "node", disabled: true } } }, { signIn: true })
    expect(fleet.status["local"]?.state).toBe("Disabled")
    await fleet.close()
  })
})

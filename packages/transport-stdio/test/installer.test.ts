import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber } from "effect"
import * as FakeInstaller from "../../testing/test/support/FakeInstaller.js"
import { taking } from "../../testing/test/support/taking.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Installer from "../src/Installer.js"
import { call, connectOptions, eventually, isAlive } from "./support.js"

describe("programs that download a server", () => {
  it("[V5] some wait while the server runs, others become it", () => {
    const names = ["npx", "pnpx", "npm", "pnpm", "yarn", "bunx", "uvx", "uv", "go", "deno", "cargo", "nix", "pipx", ""]
    assert.deepStrictEqual(names.filter((name) => !Installer.waiting.test(name)), ["deno", "cargo", "nix", "pipx", ""])
  })

  it.each([
    ["npx", ["-y", "server"], "npx"],
    ["/usr/local/bin/npx", ["-y", "server"], "npx"],
    ["C:\\Program Files\\nodejs\\npx.CMD", ["-y", "server"], "npx"],
    ["node", ["/usr/lib/node_modules/npm/bin/npx-cli.js", "-y", "server"], "npx"],
    ["npm", ["--yes", "exec", "server"], "npm"],
    ["npm.cmd", ["x", "--", "server"], "npm"],
    ["pnpm", ["--silent", "dlx", "server"], "pnpm"],
    ["yarn", ["dlx", "server"], "yarn"],
    ["bunx", ["server"], "bunx"],
    ["bun", ["x", "server"], "bun"],
    ["deno", ["run", "-A", "npm:server"], "deno"],
    ["uvx.exe", ["server"], "uvx"],
    ["uv", ["--quiet", "tool", "run", "server"], "uv"],
    ["uv", ["run", "--with", "mcp", "server.py"], "uv"],
    ["pipx", ["run", "server"], "pipx"],
    ["cmd", ["/c", "npx", "-y", "server"], "npx"],
    ["cmd.exe", ["/d", "/s", "/c", "npx -y server"], "npx"],
    ["/bin/sh", ["-c", "cd /tmp && exec npx -y server"], "npx"],
    ["bash", ["-lc", "'/opt/n/bin/uv' tool run server"], "uv"],
    ["env", ["DEBUG=1", "pipx", "run", "server"], "pipx"],
    ["corepack", ["yarn", "dlx", "server"], "yarn"],
    ["op", ["run", "--env-file=.env", "--", "npx", "-y", "server"], "npx"],
    ["doppler", ["run", "--", "uvx", "server"], "uvx"],
    ["dotenvx", ["run", "-f", ".env", "--", "bunx", "server"], "bunx"],
    ["direnv", ["exec", ".", "npx", "server"], "npx"],
    ["xvfb-run", ["-a", "npx", "server"], "npx"],
    ["nix", ["run", "nixpkgs#server"], "nix"],
    ["cargo", ["run", "--release"], "cargo"],
    ["op", ["run", "--", "node", "server.js"], undefined],
    ["npm", ["start"], undefined],
    ["pnpm", ["exec", "server"], undefined],
    ["yarn", ["server"], undefined],
    ["node", ["server.js"], undefined],
    ["node", ["server.js", "constructor"], undefined],
    ["constructor", [], undefined],
    ["my-server", ["--runner", "npx"], undefined],
    ["docker", ["run", "-i", "npx"], undefined]
  ])("[W5:unit] %s %j: %s", (command, args, expected) => {
    assert.strictEqual(Installer.nameOf(command, args), expected)
  })
})

const names = ["npx", "bunx", "uvx.cmd", "server"]

describe.skipIf(process.platform === "win32")("a program that was closed before it answered", () => {
  it.live.each(names)(
    "[W5:real S1] has time to finish its download, where it may be downloading: %s",
    (name) =>
      Effect.gen(function*() {
        using installer = FakeInstaller.make(name)
        const server = StdioFaultServer.command({})
        const connector = StdioConnector.make({
          command: installer.command,
          args: [server.command, ...server.args ?? []],
          ...(server.env === undefined ? {} : { env: server.env }),
          termGrace: "10 minutes"
        })
        const connect = connector.connect(connectOptions)
        const attempt = yield* Effect.fork(Effect.scoped(connect))
        yield* eventually(() => installer.starts().length === 1)
        yield* Fiber.interrupt(attempt)
        const [pid = 0] = installer.starts()
        if (name === "server") return assert.isFalse(isAlive(pid))
        assert.isTrue(isAlive(pid))
        // The next start waits: two at once would download into one folder.
        const next = yield* Effect.fork(
          Effect.scoped(Effect.flatMap(connect, (one) => call(one, "echo", { text: "hi" })))
        )
        installer.download()
        assert.strictEqual(yield* Fiber.join(next), "hi")
        assert.isTrue(installer.isInstalled())
        assert.isFalse(isAlive(pid))
        assert.lengthOf(installer.starts(), 2)
      })
  )

  test.live("[W5] an attempt that it does not answer says that it may be downloading, and what to do", function*() {
    using installer = FakeInstaller.make("npx")
    let described: (() => string | undefined) | undefined
    const connector = StdioConnector.make({ command: installer.command, args: ["-y", "server"] })
    const attempt = yield* Effect.fork(Effect.scoped(connector.connect({
      ...connectOptions,
      report: taking("Attempt", ({ describe }) => {
        described = describe
      })
    })))
    yield* eventually(() => installer.starts().length === 1)
    assert.match(described?.() ?? "", /npx may still be downloading the server.*run the command once in a terminal/)
    yield* Fiber.interrupt(attempt)
    for (const pid of installer.starts()) process.kill(pid)
  })

  test.live("[S14:unit] an attempt says that it still reads what a secret of env is", function*() {
    const said: Array<string | undefined> = []
    const connector = StdioConnector.make({ command: "never-started", env: { KEY: Effect.never } })
    const attempt = yield* Effect.fork(Effect.scoped(connector.connect({
      ...connectOptions,
      report: taking("Attempt", ({ describe }) => said.push(describe()))
    })))
    yield* eventually(() => said.length > 0)
    assert.deepStrictEqual(said, ["a value of env is still being read"])
    yield* Fiber.interrupt(attempt)
  })
})

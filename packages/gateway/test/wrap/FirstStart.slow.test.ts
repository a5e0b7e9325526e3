import { StdioFaultServer } from "@mcp-lifeline/testing"
import { assert, describe, expect, it } from "vitest"
import * as FakeInstaller from "../../../testing/test/support/FakeInstaller.js"
import { startWrap, stateFolder } from "../support/Host.js"
import { alive } from "../support/Program.js"

const server = StdioFaultServer.command({})
const client = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "host", version: "1" } }

describe.skipIf(process.platform === "win32")("wrap in front of a server that is still downloaded", () => {
  const begun = async (installer: ReturnType<typeof FakeInstaller.make>, state: string) => {
    const host = startWrap(["--", installer.command, "-y", server.command, ...server.args ?? []], { state })
    host.send({ jsonrpc: "2.0", id: "initialize", method: "initialize", params: client })
    await expect.poll(() => installer.starts().length, { timeout: 60_000 }).toBe(1)
    const [pid = 0] = installer.starts()
    return { host, pid }
  }

  it("[W5:real] the download goes on when the host leaves, and ends with the server", async () => {
    using state = stateFolder()
    using installer = FakeInstaller.make("npx")
    const { host, pid } = await begun(installer, state.path)
    host.child.stdin.end()
    await host.ended
    const before = installer.said()
    await expect.poll(() => installer.said(), { timeout: 60_000 }).toBeGreaterThan(before + 10)
    assert.isTrue(alive(pid))
    assert.isFalse(installer.isInstalled())
    installer.download()
    await expect.poll(() => installer.isInstalled() && !alive(pid), { timeout: 60_000 }).toBe(true)
  })

  it("[W4:real] a call waits for the download, for longer than for a server that is down", async () => {
    using state = stateFolder()
    using installer = FakeInstaller.make("npx")
    const { host } = await begun(installer, state.path)
    await using _ = host
    const call = host.call("echo", { text: "hi" })
    // The answer to `initialize` comes after 8 s, and a call to a server that is down fails after 10 s.
    await host.until(() => host.messages.find(({ id }) => id === "initialize"))
    await new Promise((resolve) => setTimeout(resolve, 4000))
    installer.download()
    assert.strictEqual(await call, "hi")
    assert.lengthOf(installer.starts(), 1)
  })
})

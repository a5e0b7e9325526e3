import { assert, describe, it } from "vitest"
import { startWrap, stateFolder } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"

describe("long answers that pass through wrap", () => {
  it("[W2] a long answer passes, up to what hosts read, or what is said that this one reads", async () => {
    using state = stateFolder()
    const server = scripted(`send(said("x".repeat(Number(name))))`)
    await using host = startWrap(server, { state: state.path })
    await host.initialize()
    assert.lengthOf(await host.call("10400000"), 10_400_000)
    const { error } = await host.request("tools/call", { name: "10600000" })
    assert.match(error?.message ?? "", /the answer is 10\.\d MB long.*--max-message/)
    assert.deepEqual(error?.data, { fate: "answered", tag: "TooLong" })
    assert.lengthOf(await host.call("5"), 5)
    await using other = startWrap(["--max-message", "50 MB", ...server], { state: state.path })
    await other.initialize()
    assert.lengthOf(await other.call("17000000"), 17_000_000)
  })
})
